"""The current token, and one renewal at a time.

A usable token that is not due is returned without a lock. A renewal runs once, in the thread that
started it. Callers who need its token wait and share the outcome, failures included; callers whose token
is still usable go on with it. Even with wrong clocks or a broken endpoint or provider there is never a
token call for each API call.

State is a chain of renewals, of which the newest holds the token. A reset appends a finished one. A
renewal may be interrupted at any line: the next caller starts another.

Used twice: for the OAuth token and for the M2M session token.
"""

from __future__ import annotations

import hashlib
import logging
import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Generic, Protocol

import requests

from ._errors import InvalidTokenError, LoginRefusedError, ThingspaceError, copy_of
from ._events import text_of
from ._settings import Settings
from ._tokens import fingerprint_of, seconds_from
from ._turns import Turn
from ._validity import NO_TOKEN, ActiveToken, T
from ._values import Secret

COOL_DOWN = 2.0  # seconds to wait after a failed renewal before the next
LONGEST_COOL_DOWN = 60.0  # seconds; a longer ``Retry-After`` is cut to this
YOUNG = 60.0  # seconds; auth.refused(), which sees no replays, does not blame a fetched token that is younger


class TokenProvider(Protocol):
    """The callback that is asked for a token when one is missing, due, expired or rejected."""

    def __call__(self, last_token: Any, manager: Any, /) -> Any:
        """Give a token: an OAuthToken, a token dict, an object of Verizon's SDK, or ``None``.

        Args:
            last_token: the token so far, ``None`` at first.
            manager: the TokenManager; its ``fetch_token()`` asks ThingSpace.
        """


class Renewal(Turn, Generic[T]):
    """One renewal and its outcome."""

    __slots__ = (
        "active", "cools_until", "failure", "fetched", "provider_error", "token", "transport", "unshared",
    )  # fmt: skip

    def __init__(
        self, active: ActiveToken[T] = NO_TOKEN, transport: Any = None, after: Turn | None = None
    ) -> None:
        super().__init__(after=after)
        self.active = active  # the current token
        self.transport = transport  # for the token call
        self.token: T | None = None  # what it obtained
        self.fetched: T | None = None  # the same, if ThingSpace itself gave it
        self.failure: Exception | None = None  # without frames
        self.cools_until = -math.inf  # monotonic seconds: no other renewal before that
        self.unshared: Exception | None = None  # concerns this caller alone: a signal handler's, for example
        self.provider_error: Exception | None = None  # the provider's own, which all callers share

    def fail(self, error: Exception, now: float) -> None:
        """Record a failure. Attributes of foreign exceptions are not read, since that could raise."""
        wait = seconds_from(vars(error).get("retry_after")) if isinstance(error, ThingspaceError) else None
        self.cools_until = now + min(max(wait or 0.0, COOL_DOWN), LONGEST_COOL_DOWN)
        self.failure = copy_of(error)


class TokenManager(ABC, Generic[T]):
    """Keeps one token current. Token providers receive it.

    Attributes:
        token_class: the kind of token, :class:`OAuthToken` or :class:`SessionToken`.
        credential: ``"bearer"`` or ``"session"``.
        cache_key: a name for this client's token that reveals nothing about the client.
        clock_skew: seconds before its expiry at which a token is due for renewal.
        provider: asked for a token before ThingSpace is.
        on_token_update: told of each token that becomes current through a renewal.
    """

    __slots__ = (
        "_announced", "_clock", "_is_cached", "_last", "_settings", "_warned", "cache_key", "clock_skew",
        "on_token_update", "provider",
    )  # fmt: skip

    token_class: type[T]
    credential: str
    _kind: str  # as events call it
    _refusal: type[ThingspaceError]  # of its credentials

    def __init__(self, settings: Settings, provider: Any, token: T | None, *identity: str) -> None:
        """Start with `token`, or with none.

        `provider` may be the token cache. `identity` distinguishes this client's token from any other's.
        """
        words = "\0".join((self.token_class.__name__, *identity))
        self.cache_key = hashlib.sha256(words.encode()).hexdigest()
        self.provider = provider
        self._is_cached = provider is not None and provider is settings.cache
        self.on_token_update: Callable[[T], object] | None = None
        self._settings, self._clock, self.clock_skew = settings, settings.clock, settings.clock_skew
        self._warned = False
        self._last: Renewal[T] = Renewal()
        self._announced: Secret[str] | None = None  # the token that on_token_update need not hear of
        self.use(token)

    @abstractmethod
    def fingerprint(self) -> str:
        """A keyed hash of the credentials as they are now, by which a cache knows refused ones again."""

    @abstractmethod
    def _fetch(self, transport: Any) -> T:
        """Ask ThingSpace for a token."""

    def get(self, transport: Any = None) -> T:
        """The current token, renewed first if need be.

        Args:
            transport: for the token call; by default its own.

        Raises:
            requests.RequestException: no token is usable and none could be obtained.
            Exception: whatever the token provider raised.
        """
        last, clock = self._last, self._clock
        active = last.active
        due = active.due  # compared as Moment.reaches() does, without its calls: each request comes here
        if not last._next and clock.wall() < due.wall and clock.monotonic() < due.monotonic:
            return active.token
        return self._renewed(transport)

    def replace(self, found: Secret[str], transport: Any = None) -> T | None:
        """Another token than `found`, which ThingSpace has just rejected.

        Returns:
            The token to go on with; ``None`` if ThingSpace stands by `found`.

        Raises:
            requests.RequestException: no other token could be obtained.
        """
        while True:
            active = self.active
            if active.rejected or not active.holds(found):
                break
            if self._clock.monotonic() < active.confirmed_until:
                return None
            if active.reject():  # pragma: no branch - another thread was quicker
                self.publish(f"{self._kind}_rejected", active.token)
        token, active = self.get(transport), self.active
        if token.secret == found and not self.just_fetched(found):
            if active.holds(found):  # a reset in between had lost the rejection
                active.reject()
            token = self.get(transport)
        return None if token.secret == found else token

    def confirm(self, found: Secret[str]) -> None:
        """Ignore rejections of a new token for the cool-down, lest each API call make a token call.

        It may have been revoked since it was fetched: a minute would be too long.
        """
        active = self.active
        if active.holds(found):
            active.confirm(self._clock.now(), COOL_DOWN)

    def fetch_token(self) -> T:
        """Ask ThingSpace for a token. A token provider calls this when it has none.

        Raises:
            requests.RequestException: ThingSpace gave none.
        """
        mine, started = self._mine(), self._clock.monotonic()
        try:
            token = self._ask_thingspace(None if mine is None else mine.transport)
        except Exception as error:
            if mine is not None and not isinstance(error, requests.RequestException):
                mine.unshared = error
            raise
        if mine is not None:
            mine.fetched = token
        self._tell_of_fetch(token, mine, self._clock.monotonic() - started)
        return token

    def _ask_thingspace(self, transport: Any) -> T:
        """A token from ThingSpace, asked once more if it refused credentials that have changed by now."""
        try:
            return self._fetch(transport)
        except self._refusal as error:
            refused = error.refused_credentials
            if refused is None or refused == self.fingerprint():
                raise
        return self._fetch(transport)

    def is_usable(self, token: T) -> bool:
        """Whether `token` is not expired by either clock, and not the one that was just rejected."""
        active, now = self.active, self._clock.now()
        if active.holds(token.secret) and active.is_expired(now):
            return False
        return token.expires_at is None or now.wall < token.expires_at

    def is_young(self) -> bool:
        """Whether the token in use became current less than a minute ago."""
        return self._clock.monotonic() - self.active.since.monotonic < YOUNG

    def just_fetched(self, found: Secret[str]) -> bool:
        """Whether ThingSpace itself gave this token in the last renewal; a stored one may have died since."""
        fetched = self._last.newest().fetched
        return fetched is not None and fetched.secret == found

    def was_reset(self) -> bool:
        """Whether a reset, revoke or logout came during the renewal that this thread carries out."""
        mine = self._mine()
        return mine is not None and mine.is_superseded

    def publish(self, name: str, token: T | None = None, **attributes: Any) -> None:
        """Publish an event of this credential, about `token`."""
        fingerprint = None if token is None else fingerprint_of(token)
        self._settings.events.publish(name, self.credential, token=fingerprint, **attributes)

    @property
    def active(self) -> ActiveToken[T]:
        """The token in use, usable or not, without asking anyone."""
        return self._last.newest().active

    def judge_by(self, clock_skew: float) -> None:
        """Apply another clock skew, also to the token in use."""
        self.clock_skew = clock_skew
        self.active.judge_by(clock_skew)

    def use(self, token: T | None) -> None:
        """Go on with `token` or with none, and without past failures; what began before ends unseen.

        It never waits, so a signal handler may call it.
        """
        now, active = self._clock.now(), NO_TOKEN
        if token is not None:
            self._announced = token.secret
            active = ActiveToken.starting(token, now, now, self.clock_skew, 0.0)
        self.forgive(active)

    def forgive(self, active: ActiveToken[T] | None = None) -> None:
        """Drop past failures, and go on with `active`, by default with the token in use."""
        while True:
            last = self._last.newest()
            blank: Renewal[T] = Renewal(active or last.active, after=last.worker())
            blank.over = True
            if last.passes_to(blank):  # pragma: no branch - another thread was quicker
                break
        self._last = blank

    def _mine(self) -> Renewal[T] | None:
        """The renewal that this thread carries out, if there is one."""
        worker: Any = self._last.newest().worker()
        return worker if worker is not None and worker.is_mine() else None

    def _renewed(self, transport: Any) -> T:
        """The token after a renewal, by this caller or another, unless none is needed any more."""
        waited_for: Renewal[T] | None = None
        while True:
            last = self._last.newest()
            worker = last.worker()  # read first, so that what is read next includes what that turn left
            active, now = last.active, self._clock.now()
            usable = not active.is_expired(now)
            over = waited_for is not None and waited_for.worker() is None
            shared_failure = waited_for.failure if waited_for is not None and over else None
            recent_failure = last.failure if now.monotonic < last.cools_until else None
            if usable and (worker or shared_failure or recent_failure or not active.is_due(now)):
                return active.token  # no caller with a usable token waits or fails
            if shared_failure is not None:
                raise copy_of(shared_failure)
            if worker is not None:
                self._wait_for(worker, first=waited_for is None)
                waited_for = last
            elif recent_failure is not None:
                raise copy_of(recent_failure)
            else:
                token = self._take(last, Renewal(active, transport))
                if token is not None:
                    return token

    def _wait_for(self, worker: Turn, *, first: bool) -> None:
        """Wait a little for another caller's renewal; an error if it is the caller's own."""
        if worker.waits_for_me():
            raise ThingspaceError(
                "a token provider, cache, callback or signal handler made a ThingSpace call that needs the "
                "very token being renewed: in a provider call manager.fetch_token(), or use a Session "
                "without this auth."
            )
        if first:
            self.publish("renewal_awaited")
        worker.pause()

    def _take(self, last: Renewal[T], mine: Renewal[T]) -> T | None:
        """Take a turn at renewing; ``None`` if another caller was quicker or there is more to do."""
        try:
            mine.run(lambda: self._carry_out(last, mine))
            return mine.token
        finally:
            mine.transport = mine.unshared = mine.provider_error = None  # they lead to responses and frames

    def _carry_out(self, before: Renewal[T], mine: Renewal[T]) -> None:
        """Renew as the turn after `before`, and record the outcome."""
        if not before.passes_to(mine):  # pragma: no cover - another thread was quicker
            return
        self._last = mine
        last, asked = mine.active, self._clock.now()
        rejected_before = last.rejected
        try:
            token = self._obtain(last.token, mine)
        except Exception as error:
            now = self._clock.now()
            # anything else came out of a signal handler and concerns this caller alone
            if error is mine.provider_error or isinstance(error, requests.RequestException):
                self._tell_of_failure(error, mine, now.monotonic - asked.monotonic)
                mine.fail(error, now.monotonic)
                if not self.active.is_expired(now):
                    return  # the token is still usable
            raise
        now = self._clock.now()
        active = ActiveToken.starting(token, asked, now, self.clock_skew)
        same = last.holds(token.secret)
        if same and rejected_before:
            active.confirm(now)
        mine.active = active  # first, since the old token may be rejected until now
        if same and not rejected_before and last.rejected:
            active.reject()  # it was refused while it was on its way, which proves nothing: ask again
            return
        mine.token = token
        if not mine.is_superseded and token.secret != self._announced:  # inside the turn: in order, once
            self._announced = token.secret
            if self.on_token_update is not None:
                self._settings.events.call("on_token_update", self.on_token_update, token, (token.secret,))

    def _obtain(self, last: T | None, mine: Renewal[T]) -> T:
        """A token from the provider, or from ThingSpace if the provider has nothing to offer."""
        offered = Secret(self._offered(last, mine))
        if offered.reveal() is not None:
            kind: Any = self.token_class
            try:
                token: T = kind.from_dict(offered.reveal(), now=self._clock.wall())
            except InvalidTokenError as error:
                raise InvalidTokenError(f"the token provider gave no usable token: {error}") from None
            if mine.fetched is not None and token.secret == mine.fetched.secret:
                return token
            if self.is_usable(token):
                if last is None or token.secret != last.secret:
                    source = "cache" if self._is_cached else "provider"
                    self.publish(f"{self._kind}_from_{source}", token, expires_at=token.expires_at)
                return token
        return self.fetch_token()

    def _offered(self, last: T | None, mine: Renewal[T]) -> Any:
        """What the provider gives; ``None`` without one."""
        if self.provider is None:
            return None
        try:
            return self.provider(last, self)
        except Exception as error:
            if not self._is_cached and error is not mine.unshared:
                mine.provider_error = error
            raise

    def _tell_of_fetch(self, token: T, mine: Renewal[T] | None, duration: float) -> None:
        """Publish a fetched token; warn once if it has no known expiry."""
        is_bearer, expires_at = self.credential == "bearer", token.expires_at
        name, level, reason = "token_fetched" if is_bearer else "session_started", None, self._reason(mine)
        if is_bearer and expires_at is None and not self._warned:
            self._warned, level = True, logging.WARNING
            words = "it has no known expiry and is used until it is rejected"
            reason = f"{reason}; {words}" if reason else words
        self.publish(name, token, level=level, reason=reason, expires_at=expires_at, duration=duration)

    def _tell_of_failure(self, error: Exception, mine: Renewal[T], duration: float) -> None:
        """Publish a failed renewal once, also if a login failed because the bearer's renewal did."""
        said = vars(error) if isinstance(error, ThingspaceError) else {}
        if isinstance(error, LoginRefusedError) or (
            error is not mine.provider_error and vars(error).get("was_published")
        ):
            return
        vars(error)["was_published"] = True
        goes_on = not mine.active.is_expired(self._clock.now())
        self.publish(
            "renewal_failed",
            level=logging.WARNING if goes_on else logging.INFO,  # else the caller hears of it
            status=said.get("status"),
            code=said.get("code"),
            duration=duration,
            reason=self._reason(mine),
            error=text_of(error, () if mine.active is NO_TOKEN else (mine.active.token.secret,)),
        )

    def _reason(self, mine: Renewal[T] | None) -> str | None:
        """Why a token is fetched."""
        if mine is None or mine.active is NO_TOKEN:
            return None if mine is None else "there was none"
        if mine.active.rejected:
            return "the last one was rejected"
        return "the last one expired" if mine.active.is_expired(self._clock.now()) else "the last one was due"
