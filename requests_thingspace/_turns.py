"""One thread at a time; safe to interrupt, fork or reset at any line.

State has no lock. Turns form a chain, and the newest turn holds the current state. A turn is over when
its thread leaves the block, however it leaves. Its lock only lets others wait for it: it is taken before
any other thread can see the turn, so losing it to an interrupt does no harm (on CPython 3.14 an exception
just after ``__enter__`` skips ``__exit__``, python/cpython#148874).
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, TypeVar

from ._errors import ThingspaceError

PAUSE = 0.05  # seconds; the longest that a waiting thread sleeps before it looks again
_LONGEST_CIRCLE = 100  # turns that wait for each other
_PAUSE_OF_GREENLETS = 0.01  # seconds

T = TypeVar("T", bound="Turn")


def greenlets() -> Any:
    """gevent, if it has patched sockets but not threads; else ``None``.

    ``patch_all(thread=False)`` does that, and so does grequests. A lock then stops every greenlet, and a
    socket belongs to the thread that opened it.
    """
    monkey: Any = sys.modules.get("gevent.monkey")
    if monkey is None or monkey.is_module_patched("threading") or not monkey.is_module_patched("socket"):
        return None
    return sys.modules["gevent"]


# Of threads, tasks and greenlets alike. A stale entry is harmless: that turn is over.
_INSIDE: ContextVar[tuple[Turn, ...]] = ContextVar("thingspace_turns", default=())


class Turn:
    """One thread's turn."""

    __slots__ = ("_after", "_awaits", "_next", "_pid", "lock", "over")

    def __init__(self, after: Turn | None = None) -> None:
        """Make a turn that no other thread can see yet; `after` is a turn that a reset came too early for."""
        self.lock, self.over = threading.Lock(), False
        self._after, self._pid = after, os.getpid()
        self._next: dict[int, Any] = {}
        self._awaits: Turn | None = None

    @property
    def is_superseded(self) -> bool:
        """Whether there is a newer turn."""
        return bool(self._next)

    def newest(self: T) -> T:
        """The end of the chain."""
        turn = self
        while turn._next:
            turn = turn._next[0]
        return turn

    def passes_to(self, other: Turn) -> bool:
        """Make `other` the next turn. False if another thread was first; atomic, with and without the GIL."""
        return self._next.setdefault(0, other) is other

    def worker(self) -> Turn | None:
        """The turn that is under way: this one, or the one that a reset came after."""
        turn = self._after or self
        if not turn.over and turn.lock.locked() and turn._pid == os.getpid():
            return turn
        self._after = None  # so that forgotten state can be freed
        return None

    def is_mine(self) -> bool:
        """Whether the caller is inside this turn."""
        return self in _INSIDE.get()

    def waits_for_me(self) -> bool:
        """Whether the caller is inside this turn, or inside one that it waits for."""
        inside, seen = _INSIDE.get(), 0
        turn: Turn | None = self
        while turn is not None and not turn.over and seen < _LONGEST_CIRCLE:
            if turn in inside:
                return True
            turn, seen = turn._awaits, seen + 1
        return False

    def pause(self) -> None:
        """Wait for its end, but not for longer than :data:`PAUSE`."""
        if sys.is_finalizing():  # pragma: no cover - the others are frozen, and nothing is measured
            raise ThingspaceError("the interpreter is ending: another thread was getting the token.")
        is_shared = greenlets() is not None  # a lock would stop the greenlet that renews as well
        inside = _INSIDE.get()
        try:
            for turn in inside:
                turn._awaits = self
            if self.lock.acquire(timeout=0.0 if is_shared else PAUSE):
                self.over = True
                self.lock.release()
            time.sleep(_PAUSE_OF_GREENLETS if is_shared else 0.0)
        finally:
            for turn in inside:
                turn._awaits = None

    def run(self, work: Callable[[], object]) -> None:
        """Run `work` as this turn."""
        outside = tuple([turn for turn in _INSIDE.get() if not turn.over])
        with self.lock:
            try:
                _INSIDE.set((*outside, self))
                work()
            finally:
                self.over = True  # first, and a mere store: no interrupt can come before it
                _INSIDE.set(outside)
