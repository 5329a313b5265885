"""How to measure on a machine that does other things too.

Whatever is compared is measured in the same round, one after the other, in an order that
turns with each round, and compared within that round; the median and the quartiles of the rounds count.
"""

from __future__ import annotations

import gc
import os
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple


class Quartiles(NamedTuple):
    """The middle half of some measurements."""

    low: float
    median: float
    high: float


def quartiles(values: Sequence[float]) -> Quartiles:
    """The quartiles of at least one value."""
    if len(values) == 1:
        return Quartiles(values[0], values[0], values[0])
    return Quartiles(*statistics.quantiles(values, n=4, method="inclusive"))


def interleaved(runs: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    """What each run measured in each round; one round more goes before and does not count."""
    names = list(runs)
    measured: dict[str, list[float]] = {name: [] for name in names}
    for turn in range(rounds + 1):
        start = turn % len(names)
        for name in names[start:] + names[:start]:
            value = runs[name]()
            if turn:
                measured[name].append(value)
    return measured


def ratios(values: Sequence[float], limit: Sequence[float]) -> Quartiles:
    """`values` against those of the same rounds that are the limit."""
    return quartiles([value / least for value, least in zip(values, limit)])


def seconds_of(work: Callable[[], object]) -> float:
    """Seconds that `work` takes, garbage collection apart."""
    gc.disable()
    started = time.perf_counter()
    try:
        work()
        return time.perf_counter() - started
    finally:
        gc.enable()


def together(prepare: Callable[[], Any], work: Callable[[Any], object], threads: int) -> float:
    """Seconds from a common start until threads have all done `work`, each on what it has prepared itself.

    The workers look at the clock themselves: one may be done before the main thread comes to run again.
    """
    begun: list[float] = []
    ended: list[float] = []
    gate = threading.Barrier(threads)

    def run() -> None:
        prepared = prepare()
        gate.wait()
        begun.append(time.perf_counter())
        work(prepared)
        ended.append(time.perf_counter())

    workers = [threading.Thread(target=run) for _ in range(threads)]
    gc.disable()
    try:
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        return max(ended) - min(begun)
    finally:
        gc.enable()


@contextmanager
def compiled() -> Iterator[dict[str, str]]:
    """The environment of processes that find each module compiled, once one of them has imported it."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "PYTHONPYCACHEPREFIX": folder}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        yield environment


class Crowd(NamedTuple):
    """What came of many threads that called at once.

    Attributes:
        wall: seconds from the common start to the end of the last call.
        latencies: seconds of each call.
        failures: how many calls gave no 200.
    """

    wall: float
    latencies: list[float]
    failures: int


def crowd(call: Callable[[], int], threads: int, goes_on: Callable[[int, float], bool]) -> Crowd:
    """Let many threads call at once.

    Args:
        call: one API call, gives its status.
        threads: how many.
        goes_on: whether a thread that made so many calls, so many seconds after the start, makes another.
    """
    gate = threading.Barrier(threads + 1)
    latencies: list[float] = []
    failures: list[object] = []
    started = 0.0

    def work() -> None:
        gate.wait()
        made = 0
        now = started
        while goes_on(made, now - started):
            begun = time.perf_counter()
            try:
                status: object = call()
            except Exception as error:  # noqa: BLE001 - whatever a contestant raises is a failure
                status = error
            now = time.perf_counter()
            latencies.append(now - begun)
            if status != 200:
                failures.append(status)
            made += 1

    workers = [threading.Thread(target=work) for _ in range(threads)]
    for worker in workers:
        worker.start()
    started = time.perf_counter()
    gate.wait()
    for worker in workers:
        worker.join()
    return Crowd(time.perf_counter() - started, latencies, len(failures))


def calls_each(number: int) -> Callable[[int, float], bool]:
    """For :func:`crowd`: each thread makes so many calls."""
    return lambda made, _: made < number


def for_seconds(seconds: float) -> Callable[[int, float], bool]:
    """For :func:`crowd`: each thread calls for so many seconds."""
    return lambda _, elapsed: elapsed < seconds
