"""A thousand and ten thousand machines on one Redis, simulated on costs that are measured.

The machines have processors of their own, so that Redis is what they share: one server that answers one
command after the other. Each machine sends what the cache sends: GET; the script that takes the lock; XREAD,
which waits for the notice; GET. One of them has the lock, fetches, and saves by a third command.
"""

from __future__ import annotations

import heapq
import random
from typing import Any, NamedTuple

from .fleet import DELAY
from .report import Table

ROUND_TRIP = 0.0005  # seconds on the network, there and back
_IO = 10e-6  # seconds that Redis needs to read a command and to write its answer
_KEY = "0" * 64


class Costs(NamedTuple):
    """Seconds that Redis is busy with one command."""

    get: float
    lock: float
    watch: float


def measured_costs(cache: Any, admin: Any, rounds: int = 2000) -> Costs:
    """What commands cost: as Redis measures itself, and what reading and answering takes."""
    admin.config_resetstat()
    cache.save(_KEY, {"v": 1, "token": {"access_token": "x" * 64}}, 60)
    for _ in range(rounds):
        cache.load(_KEY)
        with cache.lock(_KEY):
            pass
    watch = cache.watch(_KEY)  # the notice is there: each of them is answered at once
    for _ in range(rounds):
        watch(0.0)
    found = admin.info("commandstats")
    busy = (found[f"cmdstat_{name}"]["usec_per_call"] for name in ("get", "eval", "xread"))
    return Costs(*(_IO + microseconds / 1e6 for microseconds in busy))


class Outcome(NamedTuple):
    """What a fleet cost.

    Attributes:
        token_calls: how many there were.
        commands: how many Redis answered.
        busiest: how many of them in the busiest second.
        last: seconds until the last machine had its token.
    """

    token_calls: int
    commands: int
    busiest: int
    last: float


def simulate(machines: int, costs: Costs, spread: float = 0.0, seed: int = 1) -> Outcome:
    """Let `machines` need a token within `spread` seconds."""
    order = random.Random(seed)
    queue = [(order.uniform(0.0, spread), number, "get") for number in range(machines)]
    heapq.heapify(queue)
    free = 0.0  # when Redis can take the next command
    holder, saved, calls = -1, None, 0
    watching: list[int] = []
    seconds: dict[int, int] = {}
    last = 0.0
    while queue:
        now, number, step = heapq.heappop(queue)
        cost = {"get": costs.get, "lock": costs.lock, "watch": costs.watch, "save": costs.lock}[step]
        free = max(free, now) + cost
        answered = free + ROUND_TRIP
        seconds[int(free)] = seconds.get(int(free), 0) + 1
        if step == "save":
            saved = free
            for waiting in watching:  # each notice is an answer that Redis has to write
                free += costs.watch
                heapq.heappush(queue, (free + ROUND_TRIP, waiting, "get"))
            watching.clear()
            last = max(last, answered)
        elif step == "get" and saved is not None:
            last = max(last, answered)
        elif step == "get":
            heapq.heappush(queue, (answered, number, "lock"))
        elif step == "lock" and saved is not None:
            last = max(last, answered)  # the entry comes with the lock
        elif step == "lock" and holder < 0:
            holder, calls = number, calls + 1
            heapq.heappush(queue, (answered + DELAY, number, "save"))
        elif step == "lock":
            heapq.heappush(queue, (answered, number, "watch"))
        elif saved is not None:
            heapq.heappush(queue, (answered, number, "get"))
        else:
            watching.append(number)
    return Outcome(calls, sum(seconds.values()), max(seconds.values()), last)


def table(cache: Any, admin: Any) -> Table:
    """A thousand and ten thousand machines, at the same moment and within a second."""
    costs = measured_costs(cache, admin)
    rows = []
    for machines in (1_000, 10_000):
        for spread in (0.0, 1.0):
            found = simulate(machines, costs, spread)
            when = "at one moment" if not spread else f"within {spread:g} s"
            numbers = (f"{number:,}" for number in found[:3])
            rows.append((f"{machines:,} machines, {when}", *numbers, f"{found.last:.2f}"))
    get, lock, watch = (f"{cost * 1e6:.0f}" for cost in costs)
    note = (
        f"A token call takes {DELAY * 1000:.0f} ms, a round trip {ROUND_TRIP * 1000:g} ms, and "
        f"Redis {get}, {lock} and {watch} microseconds for GET, the script of the lock, and the notice, as "
        "it measures itself, input and output added. Seconds until the last machine has its token."
    )
    columns = ("", "token calls", "commands", "in the busiest second", "seconds")
    return Table("Thousands of machines on one Redis, simulated", note, columns, rows)
