"""Every way in which a few callers, a reset, an interrupt and an expiry can come between each other.

The real manager and its turns run, with a token provider in ThingSpace's place. Control can change hands
wherever CPython lets go of its lock for another thread, which is where it looks for signals as well (see
`moments`); all such orders are tried, depth first, with a bound on how often a thread is taken off while it
could go on. An order is not followed further once it leads to a state that has been seen: where each thread
is, with what in its hands, and what the turns say.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from requests_thingspace import Clock, OAuthToken, ThingspaceAuth
from requests_thingspace._turns import Turn

from .moments import Moments
from .scheduler import Scheduler, StuckError, Task

LIFE, SKEW = 3600.0, 60.0
_ROOMS = ("_turns.py", "_manager.py")


class Explorer(Scheduler):
    """Runs one order: some choices as they are told, from there on the first of each."""

    def __init__(self, told: list[int], preemptions: int, seen: set[Any], interrupts: bool):
        super().__init__(self._choice, lambda: 1.0, impatient=False)
        self.told = told
        self.made: list[tuple[int, int]] = []  # how many choices there were, and which was made
        self.seen, self.preemptions, self.interrupts = seen, preemptions, interrupts
        self.is_known = self.is_free = False
        self.waits = 0  # of a thread for another
        self._hands: dict[Task | None, list[Any]] = {}
        self._all: list[Task] = []
        self._moments = Moments()
        self._moments._moment = self._change  # type: ignore[method-assign]

    def spawn(self, work: Callable[[], object]) -> Task:
        """Add a thread."""
        task = super().spawn(work)
        self._all.append(task)
        return task

    def _trace(self, frame: Any, event: str, arg: object) -> Any:
        """Trace the two rooms by moment."""
        if not frame.f_code.co_filename.endswith(_ROOMS):
            return None
        return self._moments._enter_frame(frame, event, arg)

    def _change(self, frame: Any, kind: str) -> None:
        """Control can change hands."""
        self.steps += 1
        if self.steps > 20_000:
            self._give_up("they go round in circles")
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
        choice = self.told[number] if number < len(self.told) else 0
        self.made.append((n, choice))
        return choice

    def _state(self) -> Any:
        """Where each thread is, and what it and the turns hold."""
        names: dict[int, int] = {}
        return tuple(
            [
                (number, task is self.current, task.over, task.is_ready, _plain(self._hands.get(task), names))
                for number, task in enumerate(self._all)
            ]
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
        kept = [getattr(value, name, None) for name in ("active", "failure", "token", "fetched", "_after")]
        lock = getattr(value, "lock", None)  # it may be in the making
        held = [
            getattr(value, "over", None),
            lock and lock.locked(),
            *getattr(value, "_next", {}).values(),
            *kept,
        ]
        return (names[id(value)], *(_plain(each, names) for each in held))
    if isinstance(value, (list, tuple)):
        return tuple([_plain(each, names) for each in value])
    if isinstance(value, (str, int, float, bool, type(None))):
        return value
    if isinstance(value, OAuthToken):
        return value.access_token
    token = getattr(value, "token", None)
    return (type(value).__name__, getattr(value, "rejected", None), _plain(token, names))


class World:
    """An auth, what happens to it, and the laws that hold in the end."""

    def __init__(self, deeds: tuple[str, ...], has_token: bool):
        self.wall = self.monotonic = 1_800_000_000.0
        self.ends: dict[str, float] = {}  # of each token's life, by the monotonic clock
        self.asked = self.asking = self.most_asking = self.forgotten = 0
        self.faults: list[str] = []
        self.deeds = deeds
        self.has_token = has_token
        self.scheduler: Any = None

    def _provide(self, last_token: Any, manager: Any) -> Any:
        self.asking += 1
        self.most_asking = max(self.asking, self.most_asking)
        self.asked += 1
        token = self._token(LIFE)
        self.scheduler.give_way()
        self.asking -= 1
        return token

    def _token(self, life: float) -> dict[str, Any]:
        """A token with so many seconds left."""
        name = f"token-{self.asked}"
        self.ends[name] = self.monotonic + life
        return {"access_token": name, "expires_at": self.wall + life}

    def run(self, scheduler: Explorer) -> list[str]:
        """Run it in one order; what broke a law."""
        self.scheduler, self.may_be_interrupted = scheduler, scheduler.interrupts
        clock = Clock(wall=lambda: self.wall, monotonic=lambda: self.monotonic)
        with scheduler.standing_in():
            self.auth = ThingspaceAuth(
                "id", "secret", token_provider=self._provide, clock=clock, clock_skew=SKEW
            )
            if self.has_token:
                self.auth.token = self._token(1.5 * SKEW)
                self._expire()
        try:
            scheduler.run(*[getattr(self, f"_{deed}") for deed in self.deeds])
            scheduler.run(self._get)
        except StuckError as stuck:
            self.faults.append(str(stuck))
        if self.most_asking > 1:
            self.faults.append("two renewals at once")
        needed = 1 + sum(deed != "get" for deed in self.deeds) + self.may_be_interrupted
        if self.has_token and set(self.deeds) == {"get"} and scheduler.waits:
            self.faults.append("a caller waits whose token is usable")
        if self.asked > needed:
            self.faults.append(f"{self.asked} renewals, where {needed} would do")
        return self.faults

    def _get(self) -> None:
        """A caller; if it is interrupted it comes again."""
        forgotten = self.forgotten
        expired = [name for name, end in self.ends.items() if end <= self.monotonic]
        try:
            token = self.auth.get_token()
        except KeyboardInterrupt:
            self.asking = 0
            sys.settrace(self.scheduler._trace)
            token = self.auth.get_token()
        if int(token.access_token.removeprefix("token-")) < forgotten:
            self.faults.append(f"{token.access_token} had been forgotten before")
        if token.access_token in expired:
            self.faults.append(f"{token.access_token} had expired before")

    def _reset(self) -> None:
        number = self.asked  # what was asked for until now is to be forgotten
        try:
            self.auth.reset()
        except KeyboardInterrupt:
            sys.settrace(self.scheduler._trace)
            self.auth.reset()
        self.forgotten = number + 1

    def _expire(self) -> None:
        self.monotonic += SKEW
        self.wall += SKEW

    def _set_back(self) -> None:
        """The token expires as somebody sets the computer's clock back."""
        self.monotonic += SKEW
        self.wall -= LIFE

    def _sleep(self) -> None:
        """The token expires while the computer sleeps, and its monotonic clock stands still."""
        self.wall += SKEW
        self.ends = {name: end - SKEW for name, end in self.ends.items()}


def explore(
    deeds: tuple[str, ...],
    *,
    preemptions: int,
    interrupts: bool = False,
    has_token: bool = False,
    most: int | None = None,
    tell: Callable[[str], object] = print,
) -> list[str]:
    """Try all orders; what broke a law, and in which.

    Args:
        deeds: what each thread does: get, reset, expire, set_back or sleep.
        preemptions: how often a thread that could go on is taken off.
        interrupts: whether one KeyboardInterrupt arises, anywhere.
        has_token: whether there is a token at first, which is due.
        most: orders to try at most.
        tell: told how many states there are, how many orders were tried, and how deep they are.
    """
    seen: set[Any] = set()
    told: list[int] | None = []
    orders = depth = 0
    faults: list[str] = []
    while told is not None and (most is None or orders < most):
        explorer = Explorer(told, preemptions, seen, interrupts)
        faults += [f"{fault} in {explorer.made}" for fault in World(deeds, has_token).run(explorer)]
        orders, depth = orders + 1, max(depth, len(explorer.made))
        told = _next_order(explorer.made)
    rest = "all" if told is None else "not all"
    tell(f"{' '.join(deeds)}: {len(seen)} states, {orders} orders ({rest}), {depth} choices deep")
    return faults


def _next_order(made: list[tuple[int, int]]) -> list[int] | None:
    """The choices of the next order, depth first; None after the last."""
    for number in reversed(range(len(made))):
        choices, choice = made[number]
        if choice + 1 < choices:
            return [*[before for _, before in made[:number]], choice + 1]
    return None
