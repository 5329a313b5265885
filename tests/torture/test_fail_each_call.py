"""Each system call fails in turn, as SQLite and curl test themselves: a token or a promised error, no leaks.

`SystemCalls` counts the calls that the package makes in a block, and lets one of them fail: files and folders
(`open`, `os`), locks (`fcntl`), sockets, new threads, and imports that come late, for which there may be no
descriptor left. Calls of others, such as a test's own server, are neither counted nor touched.
"""

from __future__ import annotations

import _thread
import builtins
import contextlib
import errno
import gc
import io
import os
import pickle
import socket
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

import filelock
import pytest
import requests

from ..hostile import HostileServer, json_answer
from .moments import in_package
from .scenarios import Found, FoundRejected, Login, RefusedLogin, Rejected, Reset, Scenario, outcome_of
from .scheduler import import_all
from .thingspace import ORIGIN, ThingSpace

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

pytestmark = [
    pytest.mark.usefixtures("quiet"),
    pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="descriptors are counted there"),
]

CASES = [
    (Scenario, "socket"),
    (Login, "socket"),
    (RefusedLogin, "socket"),
    (Scenario, "cache"),
    (Found, "cache"),
    (FoundRejected, "cache"),
    (Reset, "cache"),
    (Rejected, "fork"),
]


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


class Server(HostileServer):
    """The ThingSpace of the other tools behind a real socket."""

    def __init__(self):
        super().__init__(tls=False)
        self.thingspace = ThingSpace()

    def choose(self, request):
        answer = self.thingspace.answer(ORIGIN + request.target, request.headers, request.body.decode())
        return json_answer(*answer, headers=[("Connection", "close")])


def outcome_under(calls, work):
    """What comes of `work` while the calls are counted."""
    with calls:
        return outcome_of(work)


def outcome_in_a_fork(calls, work):
    """The same in a child process, which has what its parent has."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            outcome = outcome_under(calls, work)
            outcome = outcome if isinstance(outcome, (int, requests.RequestException)) else repr(outcome)
            os.write(writing, pickle.dumps((outcome, calls.made, calls.failed)))
        finally:
            os._exit(0)
    os.close(writing)
    with open(reading, "rb") as pipe:
        outcome, calls.made, calls.failed = pickle.loads(pipe.read())
    os.waitpid(child, 0)
    return outcome


def run(kind, place, folder, calls):
    """What is wrong after a run of a scenario, in which one of its system calls may fail."""
    folder.mkdir(mode=0o700)
    with contextlib.ExitStack() as stack:
        server = None if place == "cache" else stack.enter_context(Server())
        scenario = kind("auth", folder if place == "cache" else None, server)
        stack.callback(scenario.session.close)
        faults, outcome = faults_of(scenario, outcome_in_a_fork if place == "fork" else outcome_under, calls)
        may_fail = place != "cache" or calls.failed.endswith("oauth")  # a broken cache fails no request
        if not (scenario.is_good(outcome) or (may_fail and isinstance(outcome, requests.RequestException))):
            faults.append(f"the call got {outcome!r}")
        scenario.thingspace.advance(61.0)
        scenario.most = 2 if calls.failed in ("recv_into", "sendall") else 1  # the refusal may be lost
        return faults + scenario.faults_afterwards()


def faults_of(scenario, outcome_by, calls):
    """What the call has left behind, and its outcome."""
    faults, threads, before = [], set(threading.enumerate()), open_files()
    sys.unraisablehook = lambda ignored: faults.append(f"ignored: {ignored.exc_value!r}")
    outcome = outcome_by(calls, scenario.call)
    scenario.session.close()
    gc.collect()
    left = [thread for thread in set(threading.enumerate()) - threads if "thingspace" in thread.name]
    for thread in left:
        thread.join(2)
    stuck = [thread.name for thread in left if thread.is_alive()]
    # a socket may be the server's own, which accepts in a thread
    opened = [
        name for name in open_files() - before if stuck or not ("socket" in name or "eventpoll" in name)
    ]
    return [
        *faults,
        *(f"{name} goes on" for name in stuck),
        *(f"left open: {name}" for name in opened),
    ], outcome


@pytest.fixture
def quick_collector():
    """A collector that looks at what the test makes alone: each run wants to be rid of all its garbage."""
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.mark.usefixtures("quick_collector")
@pytest.mark.skipif(
    int(filelock.__version__.split(".")[0]) < 4, reason="this filelock leaves a file open if flock fails"
)
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@pytest.mark.parametrize(("kind", "place"), CASES)
def test_a_call_that_fails_costs_a_token_at_most(kind, place, tmp_path, amount):
    """A token or a promised error comes of it; nothing leaks; the next call succeeds."""
    import_all()
    calls = SystemCalls()
    faults = run(kind, place, tmp_path / "all is well", calls)
    each = [(at, made, fault) for at, made in enumerate(calls.made) for fault in FAULTS[made]]
    two_of_each_kind = {(made, at % 2): (at, made, fault) for at, made, fault in each}
    for at, made, fault in amount(two_of_each_kind.values(), each):
        tried = SystemCalls(at, made, fault)
        found = run(kind, place, tmp_path / f"{at}-{FAULTS[made].index(fault)}", tried)
        faults += [f"{at} {tried.failed} {fault!r}: {one}" for one in found]
    assert calls.made
    assert not faults, "\n".join([f"{len(faults)} faults", *faults])
