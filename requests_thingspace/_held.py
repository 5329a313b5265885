"""A token in use: from when on it is due, from when on expired, and whether it was rejected.

The law here: a token is expired when either the wall clock or the monotonic clock says so, so that
neither a clock that is set nor a suspended laptop keeps a dead token alive. Everything in this module
is a value or a pure function of the time that it is given.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Generic, NamedTuple, TypeVar

from ._tokens import OAuthToken, SessionToken
from ._values import Value

VOUCHED = 60.0
"""Seconds for which a rejected token is not tested again after the endpoint gave it once more."""

SHORTEST_USE = 1.0
"""Seconds for which a fetched token is used at least, so that no clock makes a call per call."""

T = TypeVar("T", bound=OAuthToken | SessionToken)


class Clock(Value):
    """The two clocks that expiry is read from.

    Attributes:
        wall: gives Unix time in seconds (UTC).
        monotonic: gives seconds that never go back.
    """

    __match_args__ = ("wall", "monotonic")
    __slots__ = __match_args__

    wall: Callable[[], float]
    monotonic: Callable[[], float]

    def __init__(
        self, wall: Callable[[], float] = time.time, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        """Read these two; by default this machine's."""
        self._set(wall=wall, monotonic=monotonic)

    def now(self) -> Moment:
        """The present."""
        return Moment(self.wall(), self.monotonic())


class Moment(NamedTuple):
    """A moment by both clocks.

    Attributes:
        wall: Unix time in seconds.
        monotonic: seconds of the monotonic clock.
    """

    wall: float
    monotonic: float

    def reaches(self, other: Moment) -> bool:
        """Whether either clock says that `other` is not still to come."""
        return self.wall >= other.wall or self.monotonic >= other.monotonic

    def plus(self, seconds: float) -> Moment:
        """The moment that many seconds later."""
        return Moment(self.wall + seconds, self.monotonic + seconds)


SYSTEM_CLOCK = Clock()
"""The clocks of this machine."""

LONG_AGO = Moment(-math.inf, -math.inf)
"""A moment that every other one reaches."""

_NEVER = Moment(math.inf, math.inf)


class Held(Generic[T]):
    """A token with its moments; it is replaced, never changed.

    Attributes:
        token: the token.
        since: when it was taken into use.
        due: from when on it is to be renewed.
        dead: from when on it is expired.
        rejected: whether the server refused this very token.
        vouched_until: monotonic seconds; a rejection before that does not count.
    """

    __slots__ = ("dead", "due", "rejected", "since", "token", "vouched_until")

    def __init__(
        self,
        token: T,
        since: Moment,
        due: Moment,
        dead: Moment,
        *,
        rejected: bool = False,
        vouched_until: float = -math.inf,
    ) -> None:
        self.token = token
        self.since = since
        self.due = due
        self.dead = dead
        self.rejected = rejected
        self.vouched_until = vouched_until

    def spurned(self) -> Held[T]:
        """The same token after the server has rejected it: expired, whatever its expiry says."""
        until = self.vouched_until
        return Held(self.token, self.since, LONG_AGO, LONG_AGO, rejected=True, vouched_until=until)

    def vouched(self, now: Moment) -> Held[T]:
        """The same token after ThingSpace gave it anew, or refused it when it was new."""
        until = now.monotonic + VOUCHED
        return Held(self.token, self.since, self.due, self.dead, rejected=self.rejected, vouched_until=until)


def hold(token: T, asked: Moment, now: Moment, clock_skew: float, shortest: float = SHORTEST_USE) -> Held[T]:
    """`token` taken into use.

    Its life is counted by both clocks from `asked`, so that a wall clock which is set while ThingSpace
    answers does no harm. ThingSpace gives the same token, with the life that remains, until it expires
    ("Get Credentials" page), so that it may be due on arrival: it is then used until it is expired.

    Args:
        token: the token.
        asked: the moment before its request was sent.
        now: the present.
        clock_skew: seconds before the expiry from which on it is due.
        shortest: seconds for which it is used at least.
    """
    if token.expires_at is None:
        return Held(token, now, _NEVER, _NEVER)
    expiry = asked.plus(token.expires_at - asked.wall)
    soonest = now.plus(shortest)
    dead = Moment(max(expiry.wall, soonest.wall), max(expiry.monotonic, soonest.monotonic))
    due = expiry.plus(-clock_skew)
    return Held(token, now, dead if now.reaches(due) else due, dead)
