"""The current token, when to renew it, and one renewal at a time.

The law here: a usable token that is not due is given without a lock. A renewal runs once, in the
thread of the caller that started it; whoever needs its outcome waits for it and shares it, the
failure too; whoever holds a usable token goes on with that. No clock, no endpoint and no provider
can bring about a token call for each API call.

Used twice: for the OAuth token and for the M2M session token.
"""

from __future__ import annotations

import hashlib
import logging
import math
import os
import threading
import traceback
import weakref
from collections.abc import Callable
from typing import Any, Generic, Protocol

from ._answers import scrubbed
from ._errors import InvalidTokenError, ThingspaceError, same_again
from ._held import SYSTEM_CLOCK, Clock, Held, Moment, T, hold
from ._tokens import OAuthToken
from ._wire import Route

_log = logging.getLogger("requests_thingspace")

COOL_DOWN = 2.0
"""Seconds after a failed renewal in which no other is tried."""

LONGEST_COOL_DOWN = 60.0
"""Seconds; a server's ``Retry-After`` beyond that is not waited for."""


class TokenProvider(Protocol):
    """The callback that is asked for a token whenever one is missing, due, expired or rejected."""

    def __call__(self, last_token: Any, manager: Any, /) -> Any:
        """Give a token: an OAuthToken, a token dict, an object of Verizon's SDK, or ``None``.

        Args:
            last_token: the token so far, ``None`` at first.
            manager: the TokenManager; its ``fetch_token()`` asks ThingSpace.
        """


class _Renewal(Generic[T]):
    """A renewal that is under way, and then its outcome."""

    __slots__ = ("done", "failure", "owner", "route", "token")

    def __init__(self, route: Route | None) -> None:
        self.done = threading.Event()
        self.owner = threading.get_ident()
        self.route = route
        self.token: T | None = None
        self.failure: Exception | None = None


class TokenManager(Generic[T]):
    """Keeps one token current. Token providers are handed it.

    Attributes:
        clock_skew: seconds before its expiry from which on a token is due for renewal.
        token_class: the kind of token, :class:`OAuthToken` or :class:`SessionToken`.
        fingerprint: a keyed hash of the M2M credentials, by which a cache remembers that they were
            refused; empty for the OAuth token.
    """

    __slots__ = (
        "__weakref__",
        "_announced",
        "_clock",
        "_cool_until",
        "_failure",
        "_fetch",
        "_fetched",
        "_held",
        "_identity",
        "_lock",
        "_on_token_update",
        "_provider",
        "_renewal",
        "_warned",
        "clock_skew",
        "fingerprint",
        "token_class",
    )

    clock_skew: float
    fingerprint: str
    token_class: type[T]
    _fetch: Callable[[Route | None], T]
    _fetched: str | None
    _on_token_update: Callable[[T], object] | None
    _held: Held[T] | None
    _renewal: _Renewal[T] | None
    _failure: Exception | None
    _announced: str | None
    _lock: threading.Lock

    def __init__(
        self,
        token_class: type[T],
        fetch: Callable[[Route | None], T],
        *,
        identity: tuple[str, ...] = (),
        fingerprint: str = "",
        clock_skew: float = 60.0,
        provider: TokenProvider | None = None,
        on_token_update: Callable[[T], object] | None = None,
        token: T | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        """Make a manager that holds `token` or nothing yet.

        Args:
            token_class: the kind of token.
            fetch: asks ThingSpace for a token, by a route or by its own.
            identity: what distinguishes this client's token from any other's, for caches.
            fingerprint: a keyed hash of the credentials, for caches.
            clock_skew: seconds before the expiry from which on the token is due.
            provider: asked before `fetch`.
            on_token_update: told of each token that becomes current through a renewal.
            token: a token to start with.
            clock: the clocks that expiry is read from.
        """
        self.token_class = token_class
        self.clock_skew = clock_skew
        self.fingerprint = fingerprint
        self._fetch = fetch
        self._identity = identity
        self._provider = provider
        self._on_token_update = on_token_update
        self._clock = clock
        self._warned = False
        self._reset_to(token)
        _managers.add(self)

    def get(self, route: Route | None = None) -> T:
        """The current token, renewed first if need be, by `route` or by its own.

        Raises:
            requests.RequestException: there is no usable token and none could be fetched.
            Exception: whatever the token provider raised.
        """
        held = self._held
        if held is not None:
            # as Moment.reaches() says, without its calls: this runs for every request
            due, wall, monotonic = held.due, self._clock.wall, self._clock.monotonic
            if wall() < due.wall and monotonic() < due.monotonic:
                return held.token
        return self._renewed(route)

    def replace(self, value: str | None, route: Route) -> T | None:
        """Another token than `value`, which the server has just rejected.

        Returns:
            The token to go on with; ``None`` where ThingSpace insists on `value`.

        Raises:
            requests.RequestException: there was no renewal to be had.
        """
        with self._lock:
            held = self._held
            if held is not None and held.token.value == value and not held.rejected:
                if self._clock.monotonic() < held.vouched_until:
                    return None
                self._held = held.spurned()
        token = self.get(route)
        return None if token.value == value else token

    def vouch_for(self, value: str | None) -> None:
        """Take note that `value` was rejected though it is new: for a while that is not news.

        Without it, a server that refuses every token would bring about a token call for each API call.
        """
        with self._lock:
            held = self._held
            if held is not None and held.token.value == value:
                self._held = held.vouched(self._clock.now())

    def fetch_token(self) -> T:
        """Ask ThingSpace for a token, for a token provider that has none to give.

        Raises:
            requests.RequestException: ThingSpace gave none.
        """
        renewal = self._renewal
        mine = renewal is not None and renewal.owner == threading.get_ident()
        token = self._fetch(renewal.route if renewal is not None and mine else None)
        self._fetched = token.value
        return token

    def accepts(self, token: T) -> bool:
        """Whether `token` is of use: not expired by either clock, and not the one that was just rejected."""
        held, now = self._held, self._clock.now()
        if held is not None and held.token.value == token.value and now.reaches(held.dead):
            return False
        return token.expires_at is None or now.wall < token.expires_at

    def is_fresh(self, value: str | None) -> bool:
        """Whether ThingSpace itself gave `value` in the last renewal; what was stored may have died since."""
        return value is not None and value == self._fetched

    @property
    def current(self) -> T | None:
        """The token that is held, usable or not, without asking anyone."""
        held = self._held
        return None if held is None else held.token

    @property
    def cache_key(self) -> str:
        """A name for this client's token that tells nothing of the client."""
        words = "\0".join((self.token_class.__name__, *self._identity))
        return hashlib.sha256(words.encode()).hexdigest()

    def held_since(self) -> Moment:
        """When the current token was taken into use; the present where there is none."""
        held = self._held
        return self._clock.now() if held is None else held.since

    def forget(self) -> None:
        """Drop the token and whatever failed before: the next call starts anew."""
        with self._lock:
            self._held = None
            self._failure = None

    def __repr__(self) -> str:
        """Which kind of token it keeps, never the token."""
        return f"<TokenManager of an {self.token_class.__name__}>"

    def __getstate__(self) -> dict[str, Any]:
        """Everything but locks, renewals and moments of this machine's monotonic clock."""
        left_out = ("__weakref__", "_lock", "_renewal", "_held", "_failure", "_cool_until", "_announced")
        state = {name: getattr(self, name) for name in self.__slots__ if name not in left_out}
        held = self._held
        return {**state, "token": None if held is None or held.rejected else held.token}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Start with the pickled token, with no renewal under way."""
        token = state.pop("token")
        for name, value in state.items():
            setattr(self, name, value)
        self._reset_to(token)
        _managers.add(self)

    def _reset_to(self, token: T | None) -> None:
        """Hold `token`, with fresh locks and no past."""
        self._lock = threading.Lock()  # guards _held, _renewal, _failure and _cool_until
        self._renewal = None
        self._failure = None
        self._fetched = None  # what ThingSpace gave in the last renewal
        self._cool_until = -math.inf
        self._announced = None if token is None else token.value
        now = self._clock.now()
        self._held = None if token is None else hold(token, now, now, self.clock_skew, shortest=0.0)

    def _after_fork(self) -> None:
        """In a child process: no other thread lives here, so nobody holds a lock or renews."""
        self._lock = threading.Lock()
        self._renewal = None

    def _renewed(self, route: Route | None) -> T:
        """The token after a renewal: one's own, another caller's, or one that was not needed."""
        while True:
            with self._lock:
                held, renewal, now = self._held, self._renewal, self._clock.now()
                failure = self._failure if now.monotonic < self._cool_until else None
                if held is not None:
                    goes_on = renewal is not None or failure is not None
                    if not now.reaches(held.dead if goes_on else held.due):
                        return held.token
                if renewal is None:
                    if failure is not None:
                        raise same_again(failure)
                    mine = self._renewal = _Renewal(route)
                    break
            token = self._outcome_of(renewal)
            if token is not None:
                return token
        return self._run(mine, held)

    def _outcome_of(self, renewal: _Renewal[T]) -> T | None:
        """Wait for another caller's renewal; ``None`` if it was interrupted and must be done again."""
        if renewal.owner == threading.get_ident():
            raise ThingspaceError(
                "the token provider or cache made a ThingSpace call that needs the very token it is "
                "asked for: in a provider use manager.fetch_token(), or a Session without this auth."
            )
        renewal.done.wait()
        if renewal.failure is not None:
            raise same_again(renewal.failure)
        return renewal.token

    def _run(self, renewal: _Renewal[T], last: Held[T] | None) -> T:
        """Carry out `renewal` in this thread and tell the others of its outcome."""
        asked, self._fetched = self._clock.now(), None
        try:
            token = self._obtain(None if last is None else last.token)
        except Exception as failure:  # noqa: BLE001 - a provider may raise anything
            return self._end_failed(renewal, failure)
        except BaseException:  # interrupted: one of the waiting callers does it then
            with self._lock:
                self._renewal = None
            renewal.done.set()
            raise
        now = self._clock.now()
        held = hold(token, asked, now, self.clock_skew)
        if last is not None and last.rejected and last.token.value == token.value:
            held = held.vouched(now)
        with self._lock:
            self._renewal, self._failure = None, None
            current = self._held
            if current is last or current is None or current.token.value != token.value:
                self._held, renewal.token = held, token
            # else the server rejected, while it was renewed, the very token that came back: that
            # proves nothing, and whoever waits for another one asks again
        renewal.done.set()
        self._announce(token)
        return token

    def _obtain(self, last: T | None) -> T:
        """A token from the provider, or from ThingSpace where it has nothing to offer."""
        if self._provider is not None:
            offered = self._provider(last, self)
            token = None if offered is None else self._read(offered)
            if token is not None and (self.is_fresh(token.value) or self.accepts(token)):
                return token
        return self.fetch_token()

    def _read(self, offered: Any) -> T:
        """What a provider gave, as a token."""
        kind: Any = self.token_class
        try:
            token: T = kind.from_dict(offered, now=self._clock.wall())
        except InvalidTokenError as error:
            raise InvalidTokenError(f"the token provider gave no usable token: {error}") from None
        return token

    def _end_failed(self, renewal: _Renewal[T], failure: Exception) -> T:
        """Share the failure, unless the token so far is still usable; either way cool down."""
        wait = getattr(failure, "retry_after", None) or 0.0
        with self._lock:
            self._renewal, self._failure, held = None, same_again(failure), self._held
            now = self._clock.now()
            self._cool_until = now.monotonic + min(max(wait, COOL_DOWN), LONGEST_COOL_DOWN)
            usable = held if held is not None and not now.reaches(held.dead) else None
        if usable is None:
            renewal.failure = failure
            renewal.done.set()
            raise failure
        renewal.token = usable.token
        renewal.done.set()
        said = scrubbed(f"{type(failure).__name__}: {failure}", (usable.token.value,))
        _log.warning("token renewal failed; the token so far is used until it expires: %s", said)
        return usable.token

    def _announce(self, token: T) -> None:
        """Tell the update callback of a token that has become current."""
        if token.expires_at is None and self.token_class is OAuthToken and not self._warned:
            self._warned = True
            _log.warning("ThingSpace's token has no known expiry: it is used until it is rejected")
        if token.value == self._announced:
            return
        self._announced = token.value
        if self._on_token_update is None:
            return
        try:
            self._on_token_update(token)
        except Exception:  # noqa: BLE001 - a failing callback costs no API call
            trace = traceback.format_exc()
            if token.value in trace:
                _log.error("on_token_update failed\n%s", trace.replace(token.value, "***"))
            else:
                _log.exception("on_token_update failed")


_managers: weakref.WeakSet[TokenManager[Any]] = weakref.WeakSet()
"""Every manager of this process, for the fork: at-fork functions cannot be taken back one by one."""


def _after_fork_in_child() -> None:
    """Free every manager from what the parent's other threads were doing."""
    for manager in _managers:
        manager._after_fork()


if hasattr(os, "register_at_fork"):  # pragma: no branch - there is no fork on Windows
    os.register_at_fork(after_in_child=_after_fork_in_child)
