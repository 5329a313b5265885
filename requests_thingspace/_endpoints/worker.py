"""A call in a thread of its own, bounded in time and really over when it is given up.

The timeouts of requests count from byte to byte, so a server that drips its headers holds a caller for
hours, and looking up a name is not bounded at all. What a signal handler raises arises in the waiting
caller, never in the call.
"""

from __future__ import annotations

import _thread
import gc
import socket
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from contextvars import copy_context
from types import FrameType
from typing import Any, Generic, TypeVar

from .._turns import PAUSE, greenlets

T = TypeVar("T")

_FAREWELL = 1.0  # seconds in which a thread ends once its socket is closed

_without_collector = threading.Lock()


class Call(Generic[T]):
    """One call of `work` in another thread, which is always a new one.

    CPython leaves the error of a failed TLS write in OpenSSL's queue of that thread, where the next
    connection would meet it (python/cpython#148594).
    """

    __slots__ = ("_done", "_greenlet", "_ident", "_is_cancelled", "_raised", "_work", "over", "returned")

    def __init__(self, work: Callable[[], T]) -> None:
        self._work: Any = work
        self.over = False  # for ever, if it is cancelled
        self.returned: T | None = None
        self._raised: BaseException | None = None
        self._is_cancelled: dict[int, bool] = {}  # the first entry counts, with and without the GIL
        self._done = threading.Lock()
        self._ident = 0  # of its thread
        self._greenlet: Any = None  # in place of a thread where a connection cannot be used by two

    def start(self) -> None:
        """Begin."""
        run, gevent = copy_context().run, greenlets()  # the context, so that a trace goes on in the thread
        self._done.acquire()
        if gevent is not None:
            self._greenlet = gevent.spawn(run, self._run)
            return
        try:
            start_thread(lambda: run(self._run), "thingspace-call")
        except RuntimeError:  # no more threads, as at the end of the interpreter
            run(self._run)

    def wait(self, seconds: float) -> bool:
        """Wait for its end; whether that came in time."""
        deadline = time.monotonic() + seconds
        while not self.over and time.monotonic() < deadline:
            pause = min(max(deadline - time.monotonic(), 0.0), PAUSE)
            if self._greenlet is not None:
                self._greenlet.join(pause)
            elif self._done.acquire(timeout=pause):  # what an interrupt loses here costs pauses only
                self._done.release()
        return self.over

    def result(self) -> T:
        """What `work` returned or raised."""
        if self._raised is not None:
            raise self._raised
        return self.returned  # type: ignore[return-value]  # None only before its end, or if T allows it

    def cancel(self) -> bool:
        """Do not begin any more; whether it had not begun."""
        if not self._is_cancelled.setdefault(0, True):
            return False
        self._work = None  # threading may keep a thread that never ran, and with it this call
        return True

    def end(self) -> None:
        """Give it up: its socket is closed, and with that its thread ends."""
        if self.cancel() or self.over:
            return
        if self._greenlet is not None:
            self._greenlet.kill(ConnectionAbortedError, timeout=_FAREWELL)
        else:
            _close_socket_of(self._ident)
            self.wait(_FAREWELL)

    def _run(self) -> None:
        """Do the work, and leave the outcome behind."""
        if self._is_cancelled.setdefault(0, False):
            return
        self._ident = threading.get_ident()
        work, self._work = self._work, None  # what it refers to need not outlive it
        try:
            self.returned = work()
        except BaseException as failure:  # noqa: BLE001 - it is raised again in the caller
            self._raised = failure.with_traceback(None)
        finally:
            self.over = True
            self._done.release()


def start_thread(work: Callable[[], object], name: str) -> None:
    """Do `work` in a daemon thread, or raise a RuntimeError if there can be no more threads.

    A second thread starts it, in which no signal handler raises: interrupted in ``Thread.start``, threading
    loses locks of its own on CPython 3.14 (python/cpython#148874), and then no thread begins any more.
    """

    def start() -> None:
        try:
            threading.Thread(target=work, name=name, daemon=True).start()
        except RuntimeError:  # pragma: no cover - coverage does not see the thread that starts one
            work()

    _thread.start_new_thread(start, ())


def _close_socket_of(thread: int) -> None:
    """Close the socket on which a thread waits, found in the frames of the calls that wait."""
    frame = frames().get(thread)
    while frame is not None:
        owner = frame.f_locals.get("self")
        if isinstance(owner, socket.SocketIO):
            owner = owner._sock  # type: ignore[attr-defined]
        if isinstance(owner, socket.socket):
            with suppress(OSError):  # the shutdown of an SSLSocket would break off TLS first
                socket.socket.shutdown(owner, socket.SHUT_RDWR)
            return
        frame = frame.f_back


def frames() -> dict[int, FrameType]:
    """The innermost frame of each thread.

    Before 3.11.9, CPython 3.11 deadlocks if the garbage collector runs meanwhile (python/cpython#106883).
    """
    is_alone = _without_collector.acquire(timeout=_FAREWELL)  # not if an interrupt or a fork has lost it
    collects = gc.isenabled()
    try:
        gc.disable()
        return sys._current_frames()
    finally:
        if collects:
            gc.enable()
        if is_alone:
            _without_collector.release()
