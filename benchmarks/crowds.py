"""What happens when many threads need a token at once: cold, after its expiry, after it was revoked."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from .contestants import OURS, Contestant, Pooled
from .measuring import Crowd, calls_each, crowd, for_seconds, quartiles
from .report import Count, Table, cell
from .server import Server

_DELAY = 0.1  # seconds that a token call takes
_SHORT_LIFE = 1  # second
_PAST_IT = 2.1  # seconds: some peers count in whole seconds


def cold(server: Server, contestants: Sequence[Contestant], threads: int, rounds: int) -> Table:
    """No token yet."""

    def once(one: Contestant) -> Crowd:
        server.configure(delay=_DELAY)
        return crowd(one.connect(server, 0.0, Pooled).call, threads, calls_each(1))

    note = f"{threads} threads make their first call at once; a token call takes {_DELAY * 1000:.0f} ms."
    return _stampede(server, contestants, once, rounds, title=f"{threads} threads, no token", note=note)


def expired(server: Server, contestants: Sequence[Contestant], threads: int, rounds: int) -> Table:
    """A token whose life is over."""

    def once(one: Contestant) -> Crowd:
        server.configure(life=_SHORT_LIFE)
        call = one.connect(server, 0.0, Pooled).call
        call()
        time.sleep(_PAST_IT)
        server.configure(delay=_DELAY)
        return crowd(call, threads, calls_each(1))

    note = f"The same, {threads} threads with a token that has expired."
    title = f"{threads} threads, an expired token"
    return _stampede(server, contestants, once, rounds, title=title, note=note)


def revoked(server: Server, contestants: Sequence[Contestant], threads: int, rounds: int) -> Table:
    """A token that the server refuses."""

    def once(one: Contestant) -> Crowd:
        server.configure()
        call = one.connect(server, 0.0, Pooled).call
        call()
        server.configure(delay=_DELAY)
        return crowd(call, threads, calls_each(1))

    note = f"The same, {threads} threads with a token that the server has revoked."
    title = f"{threads} threads, a revoked token"
    return _stampede(server, contestants, once, rounds, title=title, note=note)


def _stampede(
    server: Server,
    contestants: Sequence[Contestant],
    once: Callable[[Contestant], Crowd],
    rounds: int,
    *,
    title: str,
    note: str,
) -> Table:
    """Token calls, failures and wall time of a crowd whose calls each need a new token."""
    measured: dict[str, list[tuple[Crowd, int]]] = {one.name: [] for one in contestants}
    for _ in range(rounds):
        for one in contestants:
            result = once(one)
            measured[one.name].append((result, server.token_calls))
    rows, counts = [], []
    for one in contestants:
        walls = [result.wall * 1000 for result, _ in measured[one.name]]
        calls = [number for _, number in measured[one.name]]
        failures = [result.failures for result, _ in measured[one.name]]
        rows.append((one.name, _span(calls), _span(failures), cell(quartiles(walls), digits=0)))
        if one in OURS:
            counts += [Count(f"{title}, {one.name}: token calls", number, 1) for number in calls]
            counts += [Count(f"{title}, {one.name}: failures", number, 0) for number in failures]
    return Table(title, note, ("", "token calls", "failures", "milliseconds"), rows, counts)


def renewal(
    server: Server, contestants: Sequence[Contestant], threads: int, seconds: float, *, early: bool
) -> Table:
    """Latency of API calls while tokens are renewed under load.

    Args:
        server: the server.
        contestants: who is compared.
        threads: how many call all the time.
        seconds: for how long.
        early: whether the token is renewed a second before its expiry, and the server gives a new one
            then; otherwise it is renewed when it has expired.
    """
    rows, counts = [], []
    title = f"Renewal under load, {'before the expiry' if early else 'at the expiry'}"
    for one in contestants:
        server.configure(life=2 if early else 1, delay=_DELAY, same=not early)
        call = one.connect(server, 1.0 if early else 0.0, Pooled).call
        call()
        result = crowd(call, threads, for_seconds(seconds))
        ordered = sorted(latency * 1000 for latency in result.latencies)
        p50, p99 = (ordered[int(len(ordered) * share)] for share in (0.5, 0.99))
        slow = sum(latency > _DELAY * 1000 for latency in ordered)
        rows.append(
            (
                one.name,
                *(f"{value:.1f}" for value in (p50, p99, ordered[-1])),
                f"{slow:,} of {len(ordered):,}",
                str(server.token_calls),
                str(result.failures),
            )
        )
        if one in OURS:
            counts.append(Count(f"{title}, {one.name}: failures", result.failures, 0))
    note = (
        f"Milliseconds of API calls, {threads} threads for {seconds:g} seconds; a token is renewed every "
        f"second or so, and a token call takes {_DELAY * 1000:.0f} ms."
    )
    columns = ("", "p50", "p99", "longest", "over 100 ms", "token calls", "failures")
    return Table(title, note, columns, rows, counts)


def _span(numbers: Sequence[int]) -> str:
    least, most = min(numbers), max(numbers)
    return str(least) if least == most else f"{least} to {most}"
