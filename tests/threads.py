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
        self._arrived.set()
        assert self._open.wait(10)

    def reached(self) -> None:
        assert self._arrived.wait(10)

    def open(self) -> None:
        self._open.set()


def stopping_at(gate: Gate, *, first: bool = False, fetched: bool = False) -> Callable[[Any, Any], Any]:
    """A provider that stops at `gate` when it renews, at the `first` time too, or with what it `fetched`."""

    def provide(last_token: Any, manager: Any) -> Any:
        token = manager.fetch_token() if fetched else None
        if first or last_token is not None:
            gate.stop()
        return token or manager.fetch_token()

    return provide


def in_a_thread(test: Callable[..., None]) -> Callable[..., None]:
    """Let `test` run in a thread of its own: what a trace function raises may stay behind in it."""

    @functools.wraps(test)
    def run(**arguments: Any) -> None:
        with ThreadPoolExecutor(1) as pool:
            pool.submit(test, **arguments).result()

    return run


def in_threads(count: int, work: Callable[[], Any], seconds: float = 60.0) -> list[Any]:
    """What `work` gives or raises in `count` threads that start together; who hangs is not waited for."""
    outcomes: list[Any] = []
    barrier = threading.Barrier(count)

    def job() -> None:
        try:
            barrier.wait(30)
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
