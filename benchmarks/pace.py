"""How fast one request is: the auth step alone, through a null transport, and over loopback."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from functools import partial

import requests
from requests.hooks import default_hooks

from .contestants import LIMIT, Connection, Contestant, Null, Pooled
from .measuring import Quartiles, calls_each, crowd, interleaved, quartiles, ratios, seconds_of, together
from .report import Table, cell
from .server import Server

_FRESH_TOKEN = 60.0  # seconds before the expiry; the tokens of these benchmarks live for an hour


def steps(server: Server, contestants: Sequence[Contestant], rounds: int) -> Table:
    """The auth step alone."""
    session = requests.Session()
    original = session.prepare_request(requests.Request("GET", server.api_url))

    def measure(connection: Connection) -> Callable[[], float]:
        def once() -> float:
            prepared = [_like(original) for _ in range(200)]
            return seconds_of(lambda: [connection.step(request) for request in prepared]) / 200

        return once

    measured = _interleaved(server, contestants, Null, measure, rounds)
    return Table(
        "The auth step",
        "What happens to one prepared request: the host is checked, the expiry by both clocks, the header "
        "set, and the hook for the replay (the adapter copies the request instead). As ratios to a static "
        "AuthBase.",
        ("", "nanoseconds", "ratio"),
        _rows(measured, scale=1e9, digits=0),
    )


def steps_in_threads(
    server: Server, contestants: Sequence[Contestant], numbers: Sequence[int], rounds: int
) -> Table:
    """The auth step in many threads at once, on one auth."""
    session = requests.Session()
    original = session.prepare_request(requests.Request("GET", server.api_url))

    def measure(connection: Connection, threads: int) -> Callable[[], float]:
        def once() -> float:
            def prepare() -> list[requests.PreparedRequest]:
                return [_like(original) for _ in range(2000 // threads)]

            return together(prepare, lambda pile: [connection.step(one) for one in pile], threads) / 2000

        return once

    rows = []
    for threads in numbers:
        measured = _interleaved(server, contestants, Null, partial(measure, threads=threads), rounds)
        limit = measured[LIMIT.name]
        nanoseconds = quartiles([value * 1e9 for value in limit])
        shown = [cell(ratios(values, limit), digits=2) for values in list(measured.values())[1:]]
        rows.append((str(threads), cell(nanoseconds, digits=0), *shown))
    return Table(
        "The auth step in many threads",
        "Nanoseconds for a step of a static AuthBase, by the number of threads that do it at once, and the "
        "ratios to it under the same threads. "
        f"{'With' if getattr(sys, '_is_gil_enabled', lambda: True)() else 'Without'} the GIL.",
        ("threads", LIMIT.name, *(one.name for one in contestants if one is not LIMIT)),
        rows,
    )


def null_requests(server: Server, contestants: Sequence[Contestant], rounds: int) -> Table:
    """A whole request through a null transport."""

    def measure(connection: Connection) -> Callable[[], float]:
        return lambda: seconds_of(lambda: [connection.call() for _ in range(20)]) / 20

    measured = _interleaved(server, contestants, Null, measure, rounds)
    return Table(
        "A request without a network",
        "``session.get`` with an adapter that answers at once: all that happens in the process.",
        ("", "microseconds", "ratio"),
        _rows(measured, scale=1e6, digits=0),
    )


def throughput(
    server: Server, contestants: Sequence[Contestant], threads: int, calls: int, rounds: int
) -> Table:
    """Requests per second over loopback."""

    def measure(connection: Connection) -> Callable[[], float]:
        def once() -> float:
            result = crowd(connection.call, threads, calls_each(calls))
            return len(result.latencies) / result.wall

        return once

    measured = _interleaved(server, contestants, Pooled, measure, rounds)
    note = f"Requests per second over loopback, {threads} at a time on one Session. More is better."
    return Table(
        f"Throughput, {threads} thread{'s' if threads > 1 else ''}",
        note,
        ("", "requests per second", "ratio"),
        _rows(measured, scale=1, digits=0, digits_of_ratio=3),
    )


def threads_on_one_auth(
    server: Server, contestants: Sequence[Contestant], numbers: Sequence[int], calls: int, rounds: int
) -> Table:
    """How the cost of a request grows with the threads that share one auth."""
    rows = []
    for threads in numbers:
        measured = _interleaved(
            server,
            contestants,
            Null,
            lambda connection, threads=threads: (
                lambda: crowd(connection.call, threads, calls_each(calls // threads)).wall * 1e6 / calls
            ),
            rounds,
        )
        rows.append((str(threads), *(cell(quartiles(values), digits=0) for values in measured.values())))
    names = [one.name for one in contestants]
    note = "Microseconds for each request without a network, by the number of threads on one Session."
    return Table("Threads on one auth", note, ("threads", *names), rows)


def _interleaved(
    server: Server,
    contestants: Sequence[Contestant],
    adapter: type[Pooled],
    measure: Callable[[Connection], Callable[[], float]],
    rounds: int,
) -> dict[str, list[float]]:
    """Rounds of connections that all hold a fresh token."""
    server.configure()
    runs = {}
    for one in contestants:
        connection = one.connect(server, _FRESH_TOKEN, adapter)
        connection.call()
        runs[one.name] = measure(connection)
    return interleaved(runs, rounds)


def _rows(
    measured: dict[str, list[float]], *, scale: float, digits: int, digits_of_ratio: int = 2
) -> list[tuple[str, str, str]]:
    limit = measured[LIMIT.name]
    return [
        (
            name,
            cell(Quartiles(*(value * scale for value in quartiles(values))), digits=digits),
            cell(ratios(values, limit), digits=digits_of_ratio),
        )
        for name, values in measured.items()
    ]


def _like(original: requests.PreparedRequest) -> requests.PreparedRequest:
    """Another prepared request like `original`, as it is when an auth is called."""
    request = original.copy()
    request.hooks = default_hooks()
    return request
