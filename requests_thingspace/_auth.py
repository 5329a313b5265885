"""Face one: an AuthBase that stamps a request and sees to its response.

The law here: only covered URLs are touched, everything else passes through as it came.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import requests
from requests.auth import AuthBase

from ._arguments import arguments_from, require_both, require_seconds, require_text
from ._environment import PRODUCTION, Environment
from ._healing import Judge
from ._held import SYSTEM_CLOCK, Clock
from ._manager import TokenProvider
from ._token_pair import TokenPair
from ._tokens import OAuthToken, SessionToken

if TYPE_CHECKING:
    from types import TracebackType

_log = logging.getLogger("requests_thingspace")


class ThingspaceAuth(AuthBase):
    """Verizon ThingSpace authentication for any requests Session.

    Give it to ``session.auth``, to the ``auth=`` of a single call, or to :func:`mount`. It fetches
    the OAuth token when the first request needs one, renews it, and heals a request whose token the
    server has rejected. With a `username` it logs in to the M2M session too.

    Attributes:
        environment: where ThingSpace is.
        tokens: both tokens, for the adapter.
    """

    def __init__(
        self,
        client_id: str,
        client_secret: str,
        *,
        scopes: str | Iterable[str] = (),
        username: str | None = None,
        password: str | None = None,
        token: Any = None,
        session_token: Any = None,
        clock_skew: float = 60.0,
        token_provider: TokenProvider | None = None,
        on_token_update: Callable[[OAuthToken], object] | None = None,
        cache: Any = None,
        environment: Environment = PRODUCTION,
        timeout: float = 30.0,
        session: requests.Session | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        """Remember the credentials; nothing is sent before a request needs a token.

        Args:
            client_id: the key of the key pair from ThingSpace's Key Management page.
            client_secret: its secret.
            scopes: OAuth scopes to ask for; by default what ThingSpace grants by itself.
            username: the UWS user of the M2M session; without it only the bearer is sent.
            password: its password.
            token: an OAuth token to start with, in any form that :meth:`OAuthToken.from_dict` reads.
            session_token: an M2M session token to start with.
            clock_skew: seconds before the expiry from which on the token is due for renewal.
            token_provider: ``(last_token or None, manager) -> token``, asked whenever a token is
                missing, due, expired or rejected.
            on_token_update: called with each OAuthToken that becomes current through a renewal.
            cache: a token cache that shares both tokens between processes or machines.
            environment: where ThingSpace is.
            timeout: seconds for a whole token, revoke, login or logout call.
            session: the Session whose adapters, proxies, verify and cert those calls use; it may be
                the one that carries this auth, and it is never changed.
            clock: the clocks that expiry is read from, for tests.

        Raises:
            ValueError: an argument cannot be used; the message says which and why.
        """
        require_text(client_id=client_id, client_secret=client_secret)
        if ":" in client_id:
            raise ValueError("client_id holds a colon, which HTTP Basic cannot carry (RFC 7617).")
        require_both(username, password)
        if cache is not None and token_provider is not None:
            raise ValueError("cache and token_provider exclude each other: a cache is a provider.")
        require_seconds("clock_skew", clock_skew, least=0.0)
        require_seconds("timeout", timeout, least=0.001)
        self.environment = environment
        self.tokens = TokenPair(
            client_id,
            client_secret,
            environment,
            scopes=tuple(scopes.split() if isinstance(scopes, str) else scopes),
            token=None if token is None else OAuthToken.from_dict(token, now=clock.wall()),
            clock_skew=clock_skew,
            token_provider=token_provider,
            on_token_update=on_token_update,
            cache=cache,
            timeout=timeout,
            session=session,
            clock=clock,
        )
        self._judge_of_bearer = Judge(self.tokens, with_session=False)
        self._judge_of_both = Judge(self.tokens, with_session=True)
        self._client_id, self._username, self._password = client_id, username, password
        self._shares_session = cache is not None
        preset = None if session_token is None else SessionToken.from_dict(session_token)
        self.tokens.use_login(username, password, preset)

    @classmethod
    def from_env(cls, **overrides: Any) -> ThingspaceAuth:
        """An auth from environment variables.

        ``THINGSPACE_CLIENT_ID`` and ``THINGSPACE_CLIENT_SECRET`` are needed;
        ``THINGSPACE_USERNAME``, ``THINGSPACE_PASSWORD``, ``THINGSPACE_BASE_URL`` (an origin such as
        ``https://localhost:8443``) and ``THINGSPACE_CLOCK_SKEW`` (seconds) are optional. An empty
        variable counts as one that is not set.

        Args:
            overrides: arguments of :class:`ThingspaceAuth` that win over the environment.

        Raises:
            ValueError: a variable is missing or unreadable; the message names it.
        """
        arguments = {**arguments_from(os.environ), **overrides}
        missing = [n for n in ("client_id", "client_secret") if arguments.get(n) is None]
        if missing:
            names = " and ".join(f"THINGSPACE_{name.upper()}" for name in missing)
            raise ValueError(f"{names} must be set in the environment, or given as an argument.")
        return cls(**arguments)

    def __call__(self, r: requests.PreparedRequest) -> requests.PreparedRequest:
        """Stamp a covered request and see to its response; leave any other as it is."""
        url, environment = r.url or "", self.environment
        # two prefixes spare most requests, for each of which this runs, the call of wants_token()
        clear = url.startswith(environment.prefixes) and not url.startswith(environment.own_endpoints)
        if not clear and not environment.wants_token(url):
            return r
        hooks = r.hooks["response"]
        if hooks:
            self._unstamp(r, hooks)
        tokens = self.tokens
        r.headers["Authorization"] = tokens.oauth.get().authorization
        if tokens.sessions is not None and tokens.stamp_session(r):
            hooks.append(self._judge_of_both)
        else:
            hooks.append(self._judge_of_bearer)
        return r

    def get_token(self) -> OAuthToken:
        """The current OAuth token, fetched or renewed if need be.

        Raises:
            requests.RequestException: there is none to be had.
        """
        return self.tokens.oauth.get()

    def get_session_token(self) -> SessionToken:
        """The current M2M session token, logged in for if need be.

        Raises:
            ValueError: there are neither a username nor a session token.
            LoginRefusedError: ThingSpace refuses the credentials; see :meth:`reset`.
            requests.RequestException: it could not log in.
        """
        if self.tokens.sessions is None:
            raise ValueError("there is no M2M session: give ThingspaceAuth username= and password=.")
        return self.tokens.sessions.get()

    def revoke(self) -> None:
        """Revoke the OAuth token that is held; every process that shares it needs a new one.

        Raises:
            requests.RequestException: ThingSpace did not revoke it.
        """
        self.tokens.revoke()

    def logout(self) -> None:
        """End the M2M session that is held; the next request that needs one logs in again.

        Raises:
            requests.RequestException: ThingSpace did not end it.
        """
        self.tokens.logout()

    def reset(self, *, username: str | None = None, password: str | None = None) -> None:
        """Start anew: forget both tokens, past failures, and a refused login, here and in the cache.

        Args:
            username: the UWS user from now on; the same one where it is not given.
            password: its password from now on; the same one where it is not given.

        Raises:
            ValueError: one of the two is still missing.
        """
        username, password = username or self._username, password or self._password
        require_both(username, password)
        self.tokens.forget()
        self._username, self._password = username, password
        self.tokens.use_login(username, password, None)

    def __enter__(self) -> ThingspaceAuth:
        """Use it in a ``with`` block, whose end logs out."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Log out of a session that this very object logged in to, unless a cache shares it."""
        sessions, ours = self.tokens.sessions, self.tokens.logged_in
        if self._shares_session or sessions is None or ours is None or sessions.current != ours:
            return
        try:
            self.logout()
        except requests.RequestException as failure:
            _log.warning("logout failed, the session ends by itself: %s", failure)

    def __repr__(self) -> str:
        """Whose auth it is and for where, without any secret."""
        return f"<ThingspaceAuth {self._client_id!r} at {self.environment.origins[0]}>"

    def _unstamp(self, request: requests.PreparedRequest, hooks: list[Any]) -> None:
        """Undo an earlier pass through this auth, so that its header is not taken for the caller's."""
        if self._judge_of_both in hooks:
            hooks.remove(self._judge_of_both)
            request.headers.pop(self.environment.session_header(request.url or ""), None)
        if self._judge_of_bearer in hooks:
            hooks.remove(self._judge_of_bearer)
