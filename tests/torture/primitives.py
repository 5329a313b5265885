"""Locks and threads as the standard library's, for which a Scheduler decides who waits."""

from __future__ import annotations

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
