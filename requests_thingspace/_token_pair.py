"""Both tokens of one client: how to get them, and where the session token goes.

The law here: the session token is a second token under the same laws as the first. Without M2M
credentials there is none, and a session header that the caller set is the caller's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import requests

from ._environment import Environment
from ._errors import LoginError
from ._held import LONG_AGO, Clock, Moment
from ._manager import TokenManager, TokenProvider
from ._session_login import SessionLogin
from ._tokens import OAuthToken, SessionToken
from ._wire import Route

if TYPE_CHECKING:
    from ._client_credentials import ClientCredentials

IDLE_LIMIT = 20 * 60.0
"""Seconds of inactivity after which ThingSpace ends a session ("Start Connectivity Management Session")."""


class TokenPair:
    """The OAuth token and, with M2M credentials, the session token of one client.

    Attributes:
        environment: where ThingSpace is.
        session: the Session by whose adapters and settings tokens are fetched, if one was given.
        oauth: keeps the OAuth token.
        sessions: keeps the session token; ``None`` where there is none to be had.
        logged_in: the session token of the last login that this object made.
    """

    def __init__(
        self,
        client_id: str,
        client_secret: str,
        environment: Environment,
        *,
        scopes: tuple[str, ...],
        token: OAuthToken | None,
        clock_skew: float,
        token_provider: TokenProvider | None,
        on_token_update: Callable[[OAuthToken], object] | None,
        cache: Any,
        timeout: float,
        session: requests.Session | None,
        clock: Clock,
    ) -> None:
        """Hold what :class:`ThingspaceAuth` was given; its docstring explains it."""
        self.environment = environment
        self.session = session
        self.logged_in: SessionToken | None = None
        self.sessions: TokenManager[SessionToken] | None = None
        self._client_id = client_id
        self._client_secret = client_secret
        self._scopes = scopes
        self._cache = cache
        self._timeout = timeout
        self._clock = clock
        self._login: SessionLogin | None = None
        self._session_used = LONG_AGO
        self.oauth = TokenManager(
            OAuthToken,
            self._fetch_oauth_token,
            identity=(client_id, environment.token_url, *sorted(scopes)),
            clock_skew=clock_skew,
            provider=cache if token_provider is None else token_provider,
            on_token_update=on_token_update,
            token=token,
            clock=clock,
        )

    def use_login(self, username: str | None, password: str | None, preset: SessionToken | None) -> None:
        """Use these M2M credentials and this session token from now on, either of which may be missing."""
        login, sessions, fingerprint = None, None, ""
        if username is not None and password is not None:
            login = SessionLogin(username, password, self.environment, self.oauth, timeout=self._timeout)
            fingerprint = login.fingerprint(self._client_secret)
        if login is not None or preset is not None:
            sessions = TokenManager(
                SessionToken,
                self._log_in,
                identity=(username or "", self.environment.login_url),
                fingerprint=fingerprint,
                provider=None if login is None else self._cache,
                token=preset,
                clock=self._clock,
            )
        # only now, since other threads go on stamping requests with what is here
        self._login, self.sessions = login, sessions

    @property
    def can_log_in(self) -> bool:
        """Whether another session token is to be had when this one is refused."""
        return self._login is not None

    def stamp_session(self, request: requests.PreparedRequest, route: Route | None = None) -> bool:
        """Put the session token on `request`, whose URL is covered.

        Returns:
            Whether it did: there may be none to be had, and a header that the caller set stays.
        """
        name, sessions = self.environment.session_header(request.url or ""), self.sessions
        if sessions is None or name in request.headers:
            return False
        request.headers[name] = sessions.get(route).session_token
        return True

    def session_was_used(self) -> None:
        """Take note that ThingSpace accepted the session token, which prolongs its life."""
        self._session_used = self._clock.now()

    def session_was_idle(self) -> bool:
        """Whether the session was unused for so long that ThingSpace may have ended it."""
        if self.sessions is None:
            return False
        now, since, used = self._clock.now(), self.sessions.held_since(), self._session_used
        last_use = Moment(max(since.wall, used.wall), max(since.monotonic, used.monotonic))
        return now.reaches(last_use.plus(IDLE_LIMIT))

    def revoke(self) -> None:
        """Revoke the OAuth token that is held."""
        token = self.oauth.current
        if token is not None:
            self._client_credentials().revoke(token.access_token, Route(self.session))
            self._forget(self.oauth)

    def logout(self) -> None:
        """End the M2M session that is held."""
        token = None if self.sessions is None else self.sessions.current
        if self.sessions is not None and token is not None:
            login = self._login or SessionLogin("", "", self.environment, self.oauth, timeout=self._timeout)
            login.logout(token, Route(self.session))
            self.logged_in = None
            self._forget(self.sessions)

    def forget(self) -> None:
        """Drop both tokens and all past failures, here and in the cache."""
        self._forget(self.oauth)
        if self.sessions is not None:
            self._forget(self.sessions)

    def _forget(self, manager: TokenManager[Any]) -> None:
        """Drop one token here and in the cache."""
        manager.forget()
        if self._cache is not None:
            self._cache.forget(manager)

    def _fetch_oauth_token(self, route: Route | None) -> OAuthToken:
        """Ask the token endpoint."""
        return self._client_credentials().fetch(route or Route(self.session))

    def _client_credentials(self) -> ClientCredentials:
        """The OAuth endpoints, whose module brings oauthlib with it and is imported when needed."""
        from ._client_credentials import ClientCredentials

        return ClientCredentials(
            self._client_id,
            self._client_secret,
            self.environment,
            scopes=self._scopes,
            timeout=self._timeout,
            wall=self._clock.wall,
        )

    def _log_in(self, route: Route | None) -> SessionToken:
        """Log in, and remember that this object did."""
        if self._login is None:
            raise LoginError("the session token was dropped, and there are no credentials to log in with.")
        self.logged_in = token = self._login.fetch(route or Route(self.session))
        return token
