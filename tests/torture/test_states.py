"""Every way in which a few callers, a reset, an interrupt and an expiry can come between each other.

The real manager and its turns run, with a token provider in ThingSpace's place. Control can change hands
wherever CPython lets go of its lock for another thread, which is where it looks for signals as well (see
`moments`); all such orders are tried, depth first, with a bound on how often a thread is taken off while it
could go on. An order is not followed further once it leads to a state that has been seen: where each thread
is, with what in its hands, and what the turns say.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from requests_thingspace import PRODUCTION, OAuthToken
from requests_thingspace._turns import Turn

from .moments import Moments
from .scheduler import Scheduler, Task
from .schedules import DISTURBING, Schedule
from .thingspace import BASIC, LIFE

_ROOMS = ("_turns.py", "_manager.py")
_KEPT = ("over", "active", "failure", "token", "fetched", "_after")  # by a turn, or by a renewal


class Explorer(Scheduler):
    """Runs one order: some choices as they are told, from there on those of `choose_one`."""

    def __init__(
        self,
        preemptions: int,
        interrupts: bool,
        told: list[int],
        seen: set[Any],
        choose_one: Callable[[int], int] = lambda n: 0,
    ):
        super().__init__(self._choice, lambda: 1.0, impatient=False)
        self.told, self.choose_one = told, choose_one
        self.made: list[tuple[int, int]] = []  # how many choices there were, and which was made
        self.seen, self.preemptions, self.interrupts = seen, preemptions, interrupts
        self.is_known = self.is_free = False
        self.waits = 0  # of a thread for another
        self._hands: dict[Task | None, list[Any]] = {}
        self._all: list[Task] = []
        self._moments = Moments()
        self._moments.come = self._change  # type: ignore[method-assign]

    def spawn(self, work: Callable[[], object]) -> Task:
        """Add a thread."""
        task = super().spawn(work)
        self._all.append(task)
        return task

    def trace(self, frame: Any, event: str, arg: object) -> Any:
        """Trace the two rooms by moment."""
        if not frame.f_code.co_filename.endswith(_ROOMS):
            return None
        return self._moments.enter_frame(frame, event, arg)

    def _change(self, frame: Any, kind: str) -> None:
        """Control can change hands."""
        self.count_step(20_000)
        self._hands[self.current] = _hands_of(frame)
        if self.interrupts and self._decide(2):
            self.interrupts = False
            raise KeyboardInterrupt
        if self.preemptions:
            self.pause()

    def _choice(self, n: int) -> int:
        """Who goes on."""
        is_free, self.is_free = self.is_free, False
        if n == 1:
            return 0
        able = self.current is not None and not self.current.over and self.current.is_ready
        if able and not self.preemptions and not is_free:
            return 0
        choice = self._decide(n)
        self.preemptions -= bool(able and choice and not is_free)
        return choice

    def wait(self, test: Callable[[], bool], seconds: float | None = None) -> bool:
        """Wait for another thread."""
        self.waits += not test()
        return super().wait(test, seconds)

    def give_way(self) -> None:
        """Wait for the network: whoever goes on then was not taken for it."""
        self.is_free = True
        self._hands[self.current] = [*self._hands.get(self.current, []), "away"]
        self.pause()

    def _decide(self, n: int) -> int:
        """Make a choice that other orders make differently, unless what comes of it is known."""
        number = len(self.made)
        if number >= len(self.told) and not self.is_known:
            state = (self.preemptions, self.interrupts, n, self._state())
            self.is_known = state in self.seen
            self.seen.add(state)
        if self.is_known:
            return 0
        choice = self.told[number] if number < len(self.told) else self.choose_one(n)
        self.made.append((n, choice))
        return choice

    def _state(self) -> Any:
        """Where each thread is, and what it and the turns hold."""
        names: dict[int, int] = {}
        return tuple(
            [
                (task is self.current, task.over, task.is_ready, _plain(self._hands.get(task), names))
                for task in self._all
            ]
        )

    def next_order(self) -> list[int] | None:
        """The choices of the next order, depth first; None after the last."""
        made = self.made
        while made and made[-1][1] + 1 == made[-1][0]:
            made = made[:-1]
        return [*[choice for _, choice in made[:-1]], made[-1][1] + 1] if made else None


def all_orders(preemptions: int, interrupts: bool) -> Iterator[Explorer]:
    """Explorers of all orders; each is to be run before the next."""
    told: list[int] | None = []
    seen: set[Any] = set()
    while told is not None:
        explorer = Explorer(preemptions, interrupts, told, seen)
        yield explorer
        told = explorer.next_order()


def some_orders(preemptions: int, interrupts: bool) -> Iterator[Explorer]:
    """Explorers of forty orders by chance."""
    chance = random.Random(f"{preemptions} {interrupts}")
    for _ in range(40):
        yield Explorer(
            preemptions, interrupts, [], set(), lambda n: chance.randrange(n) if chance.random() < 0.1 else 0
        )


def _hands_of(frame: Any) -> list[Any]:
    """The frames of a thread in the two rooms: where they are, and their variables."""
    hands: list[Any] = []
    while frame is not None:
        if frame.f_code.co_filename.endswith(_ROOMS):
            hands += [frame.f_code.co_name, frame.f_lasti, *frame.f_locals.values()]
        frame = frame.f_back
    return hands


def _plain(value: Any, names: dict[int, int]) -> Any:
    """`value` as something that equals what means the same in another order."""
    if isinstance(value, Turn):
        if id(value) in names:
            return names[id(value)]
        names[id(value)] = len(names)
        lock = getattr(value, "lock", None)  # it may be in the making
        kept = [getattr(value, name, None) for name in _KEPT]
        held = [lock and lock.locked(), *getattr(value, "_next", {}).values(), *kept]
        return (names[id(value)], *(_plain(each, names) for each in held))
    if isinstance(value, (list, tuple)):
        return tuple([_plain(each, names) for each in value])
    if isinstance(value, (str, int, float, bool, type(None))):
        return value
    if isinstance(value, OAuthToken):
        return value.access_token
    token = getattr(value, "token", None)
    return (type(value).__name__, getattr(value, "rejected", None), _plain(token, names))


class Order(Schedule):
    """Threads that come between each other in one order; each token call gives another token."""

    last, jump = "ask", 60.0

    def __init__(self, deeds: list[str], explorer: Explorer, has_token: bool):
        super().__init__([[name] for name in deeds], explorer)
        self.explorer, self.interrupts, self.has_token = explorer, explorer.interrupts, has_token
        self.pause, self.thingspace.is_giving_others = (lambda: None), True
        self.connect("auth", token_provider=self._provide)
        if has_token:
            self.auth.token = self.thingspace.give()
            self.thingspace.advance(LIFE - 30.0)  # it is due

    def _arrive(self, name: str) -> None:
        if name == "token":
            self.explorer.give_way()

    def _provide(self, last_token: Any, manager: Any) -> Any:
        return self.thingspace.answer(PRODUCTION.token_url, {"Authorization": BASIC}, "")[1]

    def most_token_calls(self, names: list[str]) -> int:
        """One, and one more for each deed that ends a token, and for an interrupt."""
        if self.has_token and set(names) == {"ask"} and self.explorer.waits:
            self.faults.append("a caller waits whose token is usable")
        return 1 + sum(name in DISTURBING for name in names) + self.interrupts


CASES = [
    ("ask ask", 2, False, False),
    ("ask ask", 1, True, False),
    ("ask ask ask", 1, False, False),
    ("ask ask", 1, False, True),
    ("ask ask ask", 1, False, True),
    ("ask ask reset", 1, False, False),
    ("expire ask ask", 1, False, True),
    ("set-back ask ask", 1, False, True),
    ("sleep ask ask", 1, False, True),
    ("ask ask reset", 0, True, False),
    ("ask ask ask reset expire", 0, False, True),
]
"""What each thread does; how often one that could go on is taken off; whether one KeyboardInterrupt arises,
anywhere; whether there is a token at first, which is due."""


@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize(("deeds", "preemptions", "interrupts", "has_token"), CASES)
def test_no_order_breaks_a_law(deeds, preemptions, interrupts, has_token, amount):
    """One renewal at a time and none too many, nobody waits for ever, nothing is used that is over."""
    faults, orders, depth = [], 0, 0
    for explorer in amount(some_orders, all_orders)(preemptions, interrupts):
        faults += [f"{fault} in {explorer.made}" for fault in Order(deeds.split(), explorer, has_token).run()]
        orders, depth = orders + 1, max(depth, len(explorer.made))
    print(f"{len(explorer.seen)} states, {orders} orders, {depth} choices deep")  # noqa: T201 - nox shows it
    assert not faults, "\n".join([f"{len(faults)} faults", *faults[:20]])
