"""The two credentials of a client: the bearer and the M2M session.

A credential is one kind of token: its manager, its header, and how it is obtained. Both kinds follow the
same rules. Without M2M credentials there is no session, and a session header that the caller sets is left
alone.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import requests

from ._endpoints.exchange import Transport
from ._endpoints.m2m import M2MEndpoints
from ._errors import ThingspaceError
from ._manager import TokenManager
from ._settings import Settings, Source
from ._tokens import OAuthToken, SessionToken
from ._validity import LONG_AGO, NO_TOKEN, Moment
from ._values import Secret

if TYPE_CHECKING:
    from ._endpoints.oauth import OAuthEndpoints

IDLE_LIMIT = 20 * 60.0  # seconds without use that end a session ("Start Connectivity Management Session")
REFUSALS = frozenset((400, 401, 403))  # the statuses that may mean a bad token
FOREIGN: Secret[str] = Secret("")  # stands for a header that something else has set
_SCHEME, _BASIC = "Bearer ", "Basic "


class Credential:
    """One kind of token for one client."""

    __slots__ = ("_cache", "_settings", "home", "manager")

    manager: TokenManager[Any]

    def __init__(self, settings: Settings, cache: Any, home: Callable[[], Transport]) -> None:
        self._settings, self._cache = settings, cache
        self.home = home  # for calls that no request triggers

    def put(self, request: requests.PreparedRequest, session_header: str, token: Any) -> None:
        """Put `token` on a request; a session token goes into `session_header`."""
        raise NotImplementedError  # pragma: no cover - each credential has its own

    def found_on(self, request: requests.PreparedRequest, session_header: str) -> Secret[str] | None:
        """The token on a request, ``None`` if its header is absent, :data:`FOREIGN` if it is not ours."""
        raise NotImplementedError  # pragma: no cover - each credential has its own

    def restamp(
        self, request: requests.PreparedRequest, session_header: str, transport: Transport, tried: Tried
    ) -> bool:
        """Stamp a refused request with another token. False if a replay cannot help.

        A token that came from ThingSpace itself is the last one tried; one from a cache may be dead already.
        """
        found, last = self.found_on(request, session_header), tried.get(self)
        if found is None or found == FOREIGN or (last is not None and found != last):
            return False  # something below signs requests itself
        token = self.replacement_for(found, transport, already_replaced=last is not None)
        if token is None:
            return False
        self.put(request, session_header, token)
        tried[self] = token.secret
        return True

    def replacement_for(self, found: Secret[str], transport: Transport, *, already_replaced: bool) -> Any:
        """A token to go on with after `found` was refused, ``None`` if another would not help."""
        if already_replaced and self.manager.just_fetched(found):
            self.manager.confirm(found)
            return None
        return self.manager.replace(found, transport)

    @property
    def usable(self) -> Any:
        """The token that is held, unless it was rejected."""
        return None if self.manager.active.rejected else self.manager.active.token

    def _end(self, event: str, send: Callable[[Any], int]) -> None:
        """End the current token everywhere, and discard the renewal that is under way."""
        token, started = self.manager.active.token, time.monotonic()
        if token is None:
            self.manager.use(None)
            return
        status, duration = send(token), time.monotonic() - started
        self.manager.publish(event, token, status=status, duration=duration)
        self.forget()

    def forget(self) -> None:
        """Drop the token and past failures, here and in the cache.

        Inside a cache lookup of this thread, the cache sees ``was_reset()`` and drops the entry itself.
        """
        is_in_lookup = self.manager.is_renewing_here()
        self.manager.use(None)
        if self._cache is not None and not is_in_lookup:
            self._cache.forget(self.manager)
            self.manager.use(None)  # another thread may have found the old token there meanwhile


Tried = dict[Credential, Secret[str]]
"""The tokens that the replays of one request have tried."""


class Bearer(Credential):
    """The OAuth token."""

    __slots__ = ("_endpoints", "secret")

    manager: TokenManager[OAuthToken]

    def __init__(self, settings: Settings, token: OAuthToken | None, home: Callable[[], Transport]) -> None:
        super().__init__(settings, settings.cache, home)
        self.secret: Source = settings.client_secret  # another one counts from the next token call
        self._endpoints: OAuthEndpoints | None = None
        self.manager = TokenManager(
            OAuthToken,
            self._fetch,
            settings,
            identity=(settings.client_id, settings.environment.token_url, *sorted(settings.scopes)),
            fingerprint=lambda: self._oauth().fingerprint(self.ask()),
            provider=settings.token_provider if settings.cache is None else settings.cache,
            token=token,
        )
        self.manager.on_token_update = settings.on_token_update

    def put(self, request: requests.PreparedRequest, session_header: str, token: OAuthToken) -> None:  # noqa: ARG002
        request.headers["Authorization"] = token.authorization

    def found_on(self, request: requests.PreparedRequest, session_header: str) -> Secret[str] | None:  # noqa: ARG002
        """The bearer on a request; HTTP Basic is what requests takes from a .netrc after a redirect."""
        found = Secret(str(request.headers.get("Authorization", "")))
        if not found.reveal() or found.reveal().startswith(_BASIC):
            return None
        if not found.reveal().startswith(_SCHEME):
            return FOREIGN
        return Secret(found.reveal()[len(_SCHEME) :])

    def revoke(self) -> None:
        """Revoke the token that is held, if there is one."""
        self._end("token_revoked", lambda token: self._oauth().revoke(self.ask(), token, self.home()))

    def ask(self) -> Secret[str]:
        """The client secret as it is now."""
        return self.secret.ask()

    def _fetch(self, transport: Transport | None) -> OAuthToken:
        """Ask the token endpoint; once more if the secret was refused and has changed in the meantime."""
        transport = transport or self.home()
        secret = self.ask()
        try:
            return self._oauth().fetch(secret, transport)
        except requests.RequestException as error:
            if getattr(error, "refused_credentials", None) is None:
                raise
            now = self.ask()
            if now == secret:
                raise
        return self._oauth().fetch(now, transport)

    def _oauth(self) -> OAuthEndpoints:
        """The endpoints, whose module brings oauthlib with it and is imported when needed."""
        if self._endpoints is None:
            try:
                from ._endpoints.oauth import OAuthEndpoints
            except OSError as error:  # no file descriptor is left
                raise ThingspaceError(f"oauthlib cannot be imported: {error}", retryable=True) from None
            self._endpoints = OAuthEndpoints(self._settings)
        return self._endpoints


class M2MSession(Credential):
    """The M2M session and its login."""

    __slots__ = ("_used", "endpoints")

    manager: TokenManager[SessionToken]

    def __init__(self, settings: Settings, bearer: Bearer, token: SessionToken | None) -> None:
        super().__init__(settings, None if settings.username is None else settings.cache, bearer.home)
        self._used = LONG_AGO
        self.endpoints = M2MEndpoints(settings, bearer.manager, bearer.ask)
        self.manager = TokenManager(
            SessionToken,
            lambda transport: self.endpoints.fetch(transport or self.home()),
            settings,
            identity=(settings.username or "", settings.environment.login_url),
            fingerprint=self.endpoints.fingerprint,
            provider=self._cache,
            token=token,
        )

    def put(self, request: requests.PreparedRequest, session_header: str, token: SessionToken) -> None:
        request.headers[session_header] = token.session_token

    def found_on(self, request: requests.PreparedRequest, session_header: str) -> Secret[str] | None:
        return Secret(str(request.headers[session_header])) if session_header in request.headers else None

    def note_use(self) -> None:
        """Record that ThingSpace accepted the session, which extends it."""
        self._used = self._settings.clock.now()

    def was_idle(self) -> bool:
        """Whether the session was unused for so long that ThingSpace may have ended it."""
        now, active, used = self._settings.clock.now(), self.manager.active, self._used
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

    def put_back(
        self,
        request: requests.PreparedRequest,
        session_header: str,
        transport: Transport,
        *,
        with_session: bool,
    ) -> bool:
        """Restore what a redirect has dropped, or replaced from a .netrc. False if nothing was missing.

        That the request was refused then proves nothing about the tokens.
        """
        ours: list[Credential | None] = [self.session if with_session else None, self.bearer]
        lost = [one for one in ours if one is not None and one.found_on(request, session_header) is None]
        for credential in lost:
            credential.put(request, session_header, credential.manager.get(transport))
        return bool(lost)

    def blamed(self, status: int, *, about_session: bool, with_session: bool) -> list[Credential]:
        """The credentials that may be to blame for a refusal, the likeliest first.

        Its body may say that it is `about_session`; the request went `with_session` if with a token of ours.
        """
        session = self.session if with_session else None
        if session is not None and session.endpoints.password is None:
            session = None  # a session token without a login cannot be renewed
        if about_session and with_session:
            return [] if session is None or status not in REFUSALS else [session]
        if status != 401:
            return []
        return [self.bearer, session] if session is not None and session.was_idle() else [self.bearer]
