"""The two credentials of a client: the bearer and the M2M session.

A credential manages one kind of token, and knows its header and how it is obtained. Both kinds follow the
same rules. Without M2M credentials there is no session, and a session header that the caller sets is left
alone.
"""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import requests

from ._endpoints.exchange import Transport
from ._errors import LoginRefusedError, ThingspaceError, TokenRequestError
from ._manager import TokenManager
from ._settings import Settings, Source
from ._tokens import OAuthToken, SessionToken
from ._validity import LONG_AGO, NO_TOKEN, Moment, T
from ._values import Secret

if TYPE_CHECKING:
    from ._endpoints.m2m import Logins
    from ._endpoints.oauth import OAuthEndpoints

IDLE_LIMIT = 20 * 60.0  # seconds without use that end a session ("Start Connectivity Management Session")
REFUSALS = frozenset((400, 401, 403))  # the statuses that may mean a bad token
FOREIGN: Secret[str] = Secret("")  # stands for a header that something else has set


class Credential(TokenManager[T]):
    """One kind of token for one client."""

    __slots__ = ("home",)

    home: Callable[[], Transport]  # for calls that no request triggers

    @abstractmethod
    def put(self, request: requests.PreparedRequest, session_header: str, token: T) -> None:
        """Put `token` on a request; a session token goes into `session_header`."""

    @abstractmethod
    def found_on(self, request: requests.PreparedRequest, session_header: str) -> Secret[str] | None:
        """The token on a request, ``None`` if its header is absent, :data:`FOREIGN` if it is not ours."""

    def put_back(self, request: requests.PreparedRequest, session_header: str, transport: Transport) -> bool:
        """Restore what a redirect has dropped, or replaced from a .netrc. False if nothing was missing."""
        if self.found_on(request, session_header) is not None:
            return False
        self.put(request, session_header, self.get(transport))
        return True

    def restamp(
        self, request: requests.PreparedRequest, session_header: str, transport: Transport, tried: Tried
    ) -> bool:
        """Stamp a refused request with another token. False if a replay cannot help.

        A token that came from ThingSpace itself is the last one tried; one from a cache may be dead already.
        """
        found, last = self.found_on(request, session_header), tried.get(self)
        if found is None or found == FOREIGN or (last is not None and found != last):
            return False  # something below signs requests itself
        if last is not None and self.just_fetched(found):
            self.confirm(found)
            return False
        token = self.replace(found, transport)
        if token is None:
            return False
        self.put(request, session_header, token)
        tried[self] = token.secret
        return True

    def _end(self, event: str, send: Callable[[Any], int]) -> None:
        """End the current token everywhere, and discard the renewal that is under way."""
        token, started = self.active.token, time.monotonic()
        if token is None:
            self.use(None)
            return
        status, duration = send(token), time.monotonic() - started
        self.publish(event, token, status=status, duration=duration)
        self.forget()

    def forget(self) -> None:
        """Drop the token and past failures, here and in the cache.

        Inside a cache lookup of this thread, the cache sees ``was_reset()`` and drops the entry itself.
        """
        is_in_lookup = self._mine() is not None
        self.use(None)
        if self._is_cached and not is_in_lookup:
            self.provider.forget(self)
            self.use(None)  # another thread may have found the old token there meanwhile


Tried = dict[Credential[Any], "Secret[str] | None"]
"""The tokens that the replays of one request have tried."""


class Bearer(Credential[OAuthToken]):
    """The OAuth token."""

    __slots__ = ("secret",)

    token_class, credential, _kind, _refusal = OAuthToken, "bearer", "token", TokenRequestError

    def __init__(self, settings: Settings, token: OAuthToken | None, home: Callable[[], Transport]) -> None:
        provider = settings.token_provider if settings.cache is None else settings.cache
        identity = settings.client_id, settings.environment.token_url, *sorted(settings.scopes)
        super().__init__(settings, provider, token, *identity)
        self.home, self.on_token_update = home, settings.on_token_update
        self.secret: Source = settings.client_secret  # another one counts from the next token call

    def fingerprint(self) -> str:
        return self._oauth().fingerprint(self.secret.ask())

    def put(self, request: requests.PreparedRequest, session_header: str, token: OAuthToken) -> None:  # noqa: ARG002
        request.headers["Authorization"] = token.authorization

    def found_on(self, request: requests.PreparedRequest, session_header: str) -> Secret[str] | None:  # noqa: ARG002
        """The bearer on a request; HTTP Basic is what requests takes from a .netrc after a redirect."""
        found = Secret(str(request.headers.get("Authorization", "")))
        if not found.reveal() or found.reveal().startswith("Basic "):
            return None
        is_ours = found.reveal().startswith("Bearer ")
        return Secret(found.reveal().removeprefix("Bearer ")) if is_ours else FOREIGN

    def revoke(self) -> None:
        """Revoke the token that is held, if there is one."""
        self._end("token_revoked", lambda token: self._oauth().revoke(self.secret.ask(), token, self.home()))

    def _fetch(self, transport: Transport | None) -> OAuthToken:
        return self._oauth().fetch(self.secret.ask(), transport or self.home())

    def _oauth(self) -> OAuthEndpoints:
        """The endpoints, whose module brings oauthlib with it and is imported when needed."""
        try:
            from ._endpoints.oauth import OAuthEndpoints
        except OSError as error:  # no file descriptor is left
            raise ThingspaceError(f"oauthlib cannot be imported: {error}", retryable=True) from None
        return OAuthEndpoints(self._settings)


class M2MSession(Credential[SessionToken]):
    """The M2M session and its login."""

    __slots__ = ("_used", "endpoints")

    token_class, credential, _kind, _refusal = SessionToken, "session", "session", LoginRefusedError

    def __init__(self, settings: Settings, bearer: Bearer, token: Any, logins: dict[Any, Logins]) -> None:
        from ._endpoints.m2m import M2MEndpoints  # only a client with a user needs it

        cache = None if settings.username is None else settings.cache
        identity = settings.username or "", settings.environment.login_url
        super().__init__(settings, cache, token, *identity)
        self.home, self._used = bearer.home, LONG_AGO
        self.endpoints = M2MEndpoints(settings, bearer, logins)

    def fingerprint(self) -> str:
        return self.endpoints.fingerprint()

    def _fetch(self, transport: Transport | None) -> SessionToken:
        return self.endpoints.fetch(transport or self.home())

    def put(self, request: requests.PreparedRequest, session_header: str, token: SessionToken) -> None:
        request.headers[session_header] = token.session_token

    def found_on(self, request: requests.PreparedRequest, session_header: str) -> Secret[str] | None:
        return Secret(str(request.headers[session_header])) if session_header in request.headers else None

    def note_use(self) -> None:
        """Record that ThingSpace accepted the session, which extends it."""
        self._used = self._settings.clock.now()

    def was_idle(self) -> bool:
        """Whether the session was unused for so long that ThingSpace may have ended it."""
        now, active, used = self._settings.clock.now(), self.active, self._used
        since = now if active is NO_TOKEN else active.since
        last_use = Moment(max(since.wall, used.wall), max(since.monotonic, used.monotonic))
        return now.reaches(last_use.plus(IDLE_LIMIT))

    def logout(self) -> None:
        """End the session that is held, if there is one."""
        self._end("session_ended", lambda token: self.endpoints.logout(token, self.home()))


class Credentials:
    """The pair: the bearer, and the M2M session if there is one."""

    __slots__ = ("bearer", "session", "settings")

    def __init__(self, settings: Settings, bearer: Bearer, session: M2MSession | None) -> None:
        self.settings, self.bearer, self.session = settings, bearer, session

    def same_client_as(self, others: Credentials) -> bool:
        """Whether requests are stamped for the same client id and M2M user as with the others."""
        mine, theirs = self.settings, others.settings
        return (mine.client_id, mine.username) == (theirs.client_id, theirs.username)

    def transport(self, send_kwargs: Mapping[str, Any], send: Any) -> Transport:
        """The transport for token calls of a request that ``send(request, **send_kwargs)`` sends."""
        session = self.settings.session
        return Transport(session, send_kwargs, send if session is None else None)

    def blamed(self, status: int, *, about_session: bool, with_session: bool) -> list[Credential[Any]]:
        """The credentials that may be to blame for a refusal, the likeliest first.

        The request went `with_session` if with a token of ours, and its refusal may be `about_session`.
        """
        session = self.session if with_session else None
        if session is not None and session.endpoints.password is None:
            session = None  # a session token without a login cannot be renewed
        if about_session:
            return [] if session is None else [session]
        if status != 401:
            return []
        return [self.bearer, session] if session is not None and session.was_idle() else [self.bearer]
