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
from unittest.mock import patch

from .moments import in_package

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

SHORT = "short"
"""The call does half of what it was asked for; a write then meets a full disk, and a peer has gone."""


def _errors(*names: str) -> list[Any]:
    return [OSError(getattr(errno, name), name) for name in names]


FAULTS: dict[str, list[Any]] = {
    "file": _errors("EIO", "ENOSPC", "EMFILE", "EACCES", "ENOENT"),
    "read": [*_errors("EIO"), SHORT],
    "write": [*_errors("EIO", "ENOSPC"), SHORT],
    "close": _errors("EIO", "ENOSPC"),
    "lock": _errors("ENOLCK", "EINTR", "EAGAIN"),
    "socket": _errors("ECONNABORTED", "ETIMEDOUT", "EMFILE"),
    "receive": [*_errors("ECONNRESET"), SHORT],
    "thread": [RuntimeError("can't start new thread")],
    "import": _errors("EMFILE"),
}
"""How each kind of call may fail, having done nothing; only a close has closed, as on Linux."""

CALLS = {
    "file": (os, ("open", "stat", "lstat", "fstat", "mkdir", "unlink", "replace", "fsync")),
    "lock": (fcntl, ("flock",) if fcntl else ()),
    "socket": (socket.socket, ("connect", "sendall", "send")),
    "receive": (socket.socket, ("recv_into",)),
    "thread": (_thread, ("start_new_thread",)),
}


class SystemCalls(contextlib.ExitStack):
    """Counts the system calls of a block, and lets one of them fail.

    Attributes:
        made: the kind of each call.
        failed: the name of the call that failed.
    """

    def __init__(self, at: int | None = None, kind: str = "", fault: Any = None):
        super().__init__()
        self.made: list[str] = []
        self.failed = ""
        self._at, self._kind, self._fault = at, kind, fault

    def __enter__(self) -> SystemCalls:
        for kind, (owner, names) in CALLS.items():
            for name in names:
                self._replace(owner, name, self._counted(kind, name, getattr(owner, name)))
        self._replace(socket, "getaddrinfo", self._counted("socket", "getaddrinfo", socket.getaddrinfo))
        self._replace(io, "FileIO", self._file_class(io.FileIO))
        self._replace(builtins, "open", self._opening(builtins.open))
        self._replace(builtins, "__import__", self._importing(builtins.__import__))
        return self

    def _replace(self, owner: Any, name: str, value: Any) -> None:
        self.enter_context(patch.object(owner, name, value))

    def _counted(self, kind: str, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        """A function whose calls count, and of which one may fail."""

        def call(*arguments: Any, **named: Any) -> Any:
            if not _is_ours() or not self._is_due(kind, name):
                return real(*arguments, **named)
            if self._fault is SHORT:
                return _halved(kind, real, *arguments)
            if kind == "close":
                real()
            raise self._fault.with_traceback(None)

        return call

    def _is_due(self, kind: str, name: str) -> bool:
        """Count a call; whether it is the one that fails."""
        self.made.append(kind)
        if len(self.made) - 1 != self._at or kind != self._kind:
            return False
        self.failed = name
        return True

    def _opening(self, real: Callable[..., Any]) -> Callable[..., Any]:
        """`open`, which gives a file whose calls count."""

        def opening(path: Any, mode: str = "r", *arguments: Any, **named: Any) -> Any:
            make = io.FileIO if "b" in mode and _is_ours() else real
            return make(path, mode, *arguments, **named)

        return opening

    def _file_class(self, real: type[io.FileIO]) -> type[io.FileIO]:
        """`io.FileIO`, which counts what is done with it."""
        calls = self

        class FileIO(real):  # type: ignore[valid-type, misc]
            def read(self, size: int = -1) -> Any:
                return calls._counted("read", "read", super().read)(size)

            def write(self, content: Any) -> Any:
                return calls._counted("write", "write", super().write)(content)

            def close(self) -> None:
                if not self.closed:
                    calls._counted("close", "close", super().close)()

        return FileIO

    def _importing(self, real: Callable[..., Any]) -> Callable[..., Any]:
        """`import` inside of a function, which may be the first of its module."""

        def importing(*arguments: Any, **named: Any) -> Any:
            code = sys._getframe(1).f_code
            is_late = in_package(code.co_filename) and code.co_name not in ("<module>", "__getattr__")
            if is_late and self._is_due("import", f"import {arguments[0]}"):
                raise self._fault.with_traceback(None)
            return real(*arguments, **named)

        return importing


def _is_ours() -> bool:
    """Whether the package has made the call, directly or not."""
    frame: Any = sys._getframe(2)
    while frame is not None and not in_package(frame.f_code.co_filename):
        frame = frame.f_back
    return frame is not None


def _halved(kind: str, real: Callable[..., Any], *arguments: Any) -> Any:
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
