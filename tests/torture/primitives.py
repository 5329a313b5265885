"""Locks, events, queues and threads as the standard library's, for which a Scheduler decides who waits."""

from __future__ import annotations

import queue
from typing import Any


class Lock:
    """As threading.Lock."""

    def __init__(self, scheduler: Any) -> None:
        self.scheduler = scheduler
        self._held = False

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        seconds = 0.0 if not blocking else None if timeout < 0 else timeout
        if self._held and not (blocking and self.scheduler.wait(lambda: not self._held, seconds)):
            return False
        self._held = True
        return True

    def release(self) -> None:
        self._held = False

    def locked(self) -> bool:
        return self._held

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()


class Event:
    """As threading.Event."""

    def __init__(self, scheduler: Any) -> None:
        self.scheduler = scheduler
        self._is_set = False

    def set(self) -> None:
        self._is_set = True

    def is_set(self) -> bool:
        return self._is_set

    def wait(self, timeout: float | None = None) -> bool:
        return self.scheduler.wait(self.is_set, timeout)


class SimpleQueue:
    """As queue.SimpleQueue."""

    def __init__(self, scheduler: Any) -> None:
        self.scheduler = scheduler
        self._items: list[Any] = []

    def put(self, item: Any) -> None:
        self._items.append(item)

    def get(self, timeout: float | None = None) -> Any:
        if not self.scheduler.wait(lambda: bool(self._items), timeout):
            raise queue.Empty
        return self._items.pop(0)


class Thread:
    """As threading.Thread."""

    ident = None

    def __init__(
        self, scheduler: Any, target: Any = None, args: tuple = (), name: str = "", daemon: bool = True
    ) -> None:
        self.scheduler = scheduler
        self._work = lambda: target(*args)
        self._task: Any = None

    def start(self) -> None:
        self._task = self.scheduler.spawn(self._work)

    def is_alive(self) -> bool:
        return self._task is not None and not self._task.over

    def join(self, timeout: float | None = None) -> None:
        self.scheduler.wait(lambda: not self.is_alive(), timeout)


def thread_like(kind: type) -> type:
    """A subclass of the standard library's Thread, made one of this Thread instead."""
    own = {name: value for name, value in vars(kind).items() if name not in ("__dict__", "__weakref__")}
    return type(kind.__name__, (Thread,), own)
