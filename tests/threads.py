"""Work done by many threads at once."""

from __future__ import annotations

import functools
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any


class Gate:
    """A place where a thread waits until the test lets it go on."""

    def __init__(self) -> None:
        self._arrived, self._open = threading.Event(), threading.Event()

    def stop(self) -> None:
        """Wait here, in the thread that is to be held up."""
        self._arrived.set()
        assert self._open.wait(10)

    def reached(self) -> None:
        """Wait until a thread stands here."""
        assert self._arrived.wait(10)

    def open(self) -> None:
        """Let it go on."""
        self._open.set()


def stopping_at(gate: Gate, *, first: bool = False, fetched: bool = False) -> Callable[[Any, Any], Any]:
    """A provider that stops at `gate` when it renews, at the `first` time too, or with what it `fetched`."""

    def provide(last_token: Any, manager: Any) -> Any:
        token = manager.fetch_token() if fetched else None
        if first or last_token is not None:
            gate.stop()
        return token or manager.fetch_token()

    return provide


def in_threads(count: int, work: Callable[[], Any]) -> list[Any]:
    """Run `work` in `count` threads that start together; give back their results and errors."""
    barrier = threading.Barrier(count)

    def job(_: int) -> Any:
        barrier.wait(30)
        try:
            return work()
        except Exception as error:  # noqa: BLE001 - the test looks at it
            return error

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(job, range(count)))


def in_a_thread(test: Callable[..., None]) -> Callable[..., None]:
    """Let `test` run in a thread of its own.

    What a trace function raises may stay behind as the exception that CPython takes to be handled, and become
    the context of all that the thread raises later.
    """

    @functools.wraps(test)
    def run(**arguments: Any) -> None:
        with ThreadPoolExecutor(1) as pool:
            pool.submit(test, **arguments).result()

    return run


def in_daemons(count: int, work: Callable[[], Any], seconds: float = 20.0) -> list[Any]:
    """As `in_threads`, for work that may hang: who has not come back by then is not waited for."""
    outcomes: list[Any] = []

    def job() -> None:
        try:
            outcomes.append(work())
        except BaseException as error:  # noqa: BLE001 - the test looks at it
            outcomes.append(error)

    threads = [threading.Thread(target=job, daemon=True) for _ in range(count)]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + seconds
    for thread in threads:
        thread.join(max(deadline - time.monotonic(), 0.0))
    assert len(outcomes) == count, f"{count - len(outcomes)} of {count} threads hang"
    return outcomes
