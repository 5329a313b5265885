"""When a token is due for renewal, and when it is expired.

A token is expired when either the wall clock or the monotonic clock says so: neither a clock that is
set nor a suspended laptop keeps a dead token alive. Everything here depends only on the time given.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any, Generic, NamedTuple, TypeVar

from ._tokens import OAuthToken, SessionToken
from ._values import Secret

CONFIRMED = 60.0  # seconds for which rejections of a token are ignored after ThingSpace has stood by it
SHORTEST_USE = 1.0  # seconds for which a fetched token is used at least, lest a clock cause a call per call

T = TypeVar("T", bound="OAuthToken | SessionToken")


class Clock(NamedTuple):
    """The two clocks that expiry is read from, by default this machine's.

    Attributes:
        wall: gives Unix time in seconds (UTC).
        monotonic: gives seconds that never go back.
    """

    wall: Callable[[], float] = time.time
    monotonic: Callable[[], float] = time.monotonic

    def now(self) -> Moment:
        """The present."""
        return Moment(self.wall(), self.monotonic())


class Moment(NamedTuple):
    """A moment by both clocks."""

    wall: float  # Unix time in seconds
    monotonic: float  # seconds

    def reaches(self, other: Moment) -> bool:
        """Whether either clock says that `other` has come."""
        return self.wall >= other.wall or self.monotonic >= other.monotonic

    def plus(self, seconds: float) -> Moment:
        """The moment that many seconds later."""
        return Moment(self.wall + seconds, self.monotonic + seconds)


SYSTEM_CLOCK = Clock()
LONG_AGO, _NEVER = Moment(-math.inf, -math.inf), Moment(math.inf, math.inf)


class ActiveToken(Generic[T]):
    """A token in use. Each mark is a single store that is never undone, so it needs no lock."""

    __slots__ = ("_rejections", "confirmed_until", "due", "expires", "since", "token")

    def __init__(self, token: T | None, since: Moment, due: Moment, expires: Moment) -> None:
        self.token: T = token  # type: ignore[assignment]  # None in NO_TOKEN alone, which nobody is given
        self.since, self.due, self.expires = since, due, expires
        self.confirmed_until = -math.inf  # monotonic seconds: no rejection before that counts
        self._rejections: dict[int, object] = {}

    @classmethod
    def starting(
        cls, token: T, asked: Moment, now: Moment, clock_skew: float, shortest: float = SHORTEST_USE
    ) -> ActiveToken[T]:
        """Start to use `token`.

        Its lifetime counts on both clocks from `asked`, before the request was sent, so setting the wall
        clock while ThingSpace answers does no harm. ThingSpace returns the same token, with its remaining
        lifetime, until it expires ("Get Credentials" page), so a token may be due when it arrives, that is
        within `clock_skew` seconds of its expiry. It is then used until it expires, and for at least
        `shortest` seconds.
        """
        if token.expires_at is None:
            return cls(token, now, _NEVER, _NEVER)
        expiry, soonest = asked.plus(token.expires_at - asked.wall), now.plus(shortest)
        expires = Moment(max(expiry.wall, soonest.wall), max(expiry.monotonic, soonest.monotonic))
        due = expiry.plus(-clock_skew)
        return cls(token, now, expires if now.reaches(due) else due, expires)

    def holds(self, found: Secret[str]) -> bool:
        """Whether it is the token `found`."""
        token: Any = self.token
        return token is not None and bool(token.secret == found)

    @property
    def rejected(self) -> bool:
        """Whether ThingSpace refused this very token."""
        return bool(self._rejections)

    def is_expired(self, now: Moment) -> bool:
        """Whether it is past its expiry, or rejected."""
        return now.reaches(self.expires)

    def is_due(self, now: Moment) -> bool:
        """Whether it is to be renewed."""
        return now.reaches(self.due)

    def reject(self) -> bool:
        """Stop using it, whatever its expiry. True for the first rejection."""
        mine = object()
        self.expires = self.due = LONG_AGO  # first: an interrupt must not leave a rejected token usable
        return self._rejections.setdefault(0, mine) is mine

    def confirm(self, now: Moment, seconds: float = CONFIRMED) -> None:
        """ThingSpace stands by this token: ignore rejections for a while."""
        self.confirmed_until = now.monotonic + seconds

    def judge_by(self, clock_skew: float) -> None:
        """Apply another clock skew."""
        self.due = self.expires.plus(-clock_skew)
        if self.expires is LONG_AGO:  # a rejection came in between
            self.due = LONG_AGO


NO_TOKEN: ActiveToken[Any] = ActiveToken(None, LONG_AGO, LONG_AGO, LONG_AGO)
"""Stands for a token that is missing: it counts as expired, and cannot be rejected."""
