"""A tool that lets each call to the operating system fail in turn, as SQLite and curl test themselves.

`SystemCalls` counts the calls that the package makes in a block, and lets one of them fail: files and folders
(`open`, `os`), locks (`fcntl`), sockets, new threads, and imports that come late, for which there may be no
descriptor left. Calls of others, such as a test's own server, are neither counted nor touched.

    with SystemCalls() as calls: work()
    for at, kind in enumerate(calls.made):
        for fault in FAULTS[kind]:
            with SystemCalls(at, kind, fault): work()
"""

from __future__ import annotations

import _thread
import builtins
import contextlib
import errno
import io
import os
import socket
import sys
from collections.abc import Callable
from typing import Any

from .moments import in_package

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

FILE_CALLS = ("open", "stat", "lstat", "fstat", "mkdir", "unlink", "replace", "fsync")
SOCKET_CALLS = ("connect", "sendall", "send", "recv_into")


class Short:
    """The call does half of what it was asked for."""

    name = "short"


class Fails:
    """The call raises an error, having done nothing; only a close has closed, as on Linux."""

    def __init__(self, error: Exception, name: str):
        self.error, self.name = error, name


def _os_errors(*names: str) -> list[Fails]:
    return [Fails(OSError(getattr(errno, name), os.strerror(getattr(errno, name))), name) for name in names]


FAULTS: dict[str, list[Any]] = {
    "file": _os_errors("EIO", "ENOSPC", "EMFILE", "EACCES", "ENOENT"),
    "read": [*_os_errors("EIO"), Short()],
    "write": [*_os_errors("EIO", "ENOSPC"), Short()],
    "close": _os_errors("EIO", "ENOSPC"),
    "lock": _os_errors("ENOLCK", "EINTR", "EAGAIN"),
    "socket": _os_errors("ECONNABORTED", "ETIMEDOUT", "EMFILE"),
    "receive": [*_os_errors("ECONNRESET"), Short()],
    "thread": [Fails(RuntimeError("can't start new thread"), "no thread")],
    "import": _os_errors("EMFILE"),
}
"""How each kind of call may fail."""


class SystemCalls:
    """Counts the system calls of a block, and lets one of them fail.

    Attributes:
        made: the kind of each call.
        names: the name of each call.
        failed: the name of the call that failed.
    """

    def __init__(self, at: int | None = None, kind: str = "", fault: Any = None):
        self.made: list[str] = []
        self.names: list[str] = []
        self.failed: str | None = None
        self._at, self._kind, self._fault = at, kind, fault
        self._taken: list[tuple[Any, str, Any]] = []

    def __enter__(self) -> SystemCalls:
        for name in FILE_CALLS:
            self._take(os, name, "file")
        if fcntl is not None:
            self._take(fcntl, "flock", "lock")
        for name in SOCKET_CALLS:
            self._take(socket.socket, name, "receive" if name == "recv_into" else "socket")
        self._take(socket, "getaddrinfo", "socket")
        self._take(_thread, "start_new_thread", "thread")
        self._put(builtins, "open", self._opening(builtins.open))
        self._put(io, "FileIO", self._file_class(io.FileIO))
        self._put(builtins, "__import__", self._importing(builtins.__import__))
        return self

    def __exit__(self, *_: object) -> None:
        for owner, name, real in reversed(self._taken):
            setattr(owner, name, real)

    def _take(self, owner: Any, name: str, kind: str) -> None:
        """Count the calls of a function, and let one fail."""
        real = getattr(owner, name)

        def call(*arguments: Any, **named: Any) -> Any:
            return self.call(kind, name, real, *arguments, **named)

        self._put(owner, name, call)

    def _put(self, owner: Any, name: str, value: Any) -> None:
        self._taken.append((owner, name, getattr(owner, name)))
        setattr(owner, name, value)

    def call(self, kind: str, name: str, real: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        """Make a call, unless it is the one that fails."""
        if not _is_ours() or not self._is_due(kind, name):
            return real(*arguments, **named)
        if isinstance(self._fault, Short):
            return _shortened(kind, real, *arguments)
        if kind == "close":
            real()
        raise self._fault.error.with_traceback(None)

    def _is_due(self, kind: str, name: str) -> bool:
        """Count a call; whether it is the one that fails."""
        self.made.append(kind)
        self.names.append(name)
        if len(self.made) - 1 != self._at or kind != self._kind:
            return False
        self.failed = name
        return True

    def _opening(self, real: Callable[..., Any]) -> Callable[..., Any]:
        """`open`, whose files count what is done with them."""

        def opening(*arguments: Any, **named: Any) -> Any:
            file = self.call("file", "open()", real, *arguments, **named)
            return _File(file, self) if _is_ours() else file

        return opening

    def _file_class(self, real: type[io.FileIO]) -> type[io.FileIO]:
        """`io.FileIO`, which counts what is done with it."""
        calls = self

        class FileIO(real):  # type: ignore[valid-type, misc]
            def read(self, size: int = -1) -> Any:
                return calls.call("read", "read", super().read, size)

            def close(self) -> None:
                if self.closed:
                    return
                calls.call("close", "close", super().close)

        return FileIO

    def _importing(self, real: Callable[..., Any]) -> Callable[..., Any]:
        """`import` inside of a function, which may be the first of its module."""

        def importing(*arguments: Any, **named: Any) -> Any:
            code = sys._getframe(1).f_code
            is_late = in_package(code.co_filename) and code.co_name not in ("<module>", "__getattr__")
            if is_late and self._is_due("import", f"import {arguments[0]}"):
                raise self._fault.error.with_traceback(None)
            return real(*arguments, **named)

        return importing


class _File:
    def __init__(self, file: Any, calls: SystemCalls):
        self._file, self._calls = file, calls

    def write(self, content: bytes) -> int:
        return self._calls.call("write", "write", self._file.write, content)

    def read(self, size: int = -1) -> bytes:
        return self._calls.call("read", "read", self._file.read, size)

    def close(self) -> None:
        if not self._file.closed:
            self._calls.call("close", "close", self._file.close)

    def __enter__(self) -> _File:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


def _is_ours() -> bool:
    frame: Any = sys._getframe(2)
    while frame is not None:
        if in_package(frame.f_code.co_filename):
            return True
        frame = frame.f_back
    return False


def _shortened(kind: str, real: Callable[..., Any], *arguments: Any) -> Any:
    """Half of what a read, a write or a socket was asked for; nothing, where a peer has gone."""
    if kind == "receive":
        return 0
    if kind == "write":
        real(arguments[0][: len(arguments[0]) // 2])
        raise OSError(errno.ENOSPC, "the disk is full in the middle of a write")
    content = real(*arguments)
    return content[: len(content) // 2]


def open_files() -> set[str]:
    """What is open in this process, by what it is."""
    found = set()
    for number in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            found.add(f"{number} {os.readlink(f'/proc/self/fd/{number}')}")
    return found
