"""Authentication as an AuthBase: it stamps a request, and reviews its response.

Only covered URLs are touched; everything else passes through unchanged.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Generic, TypeVar, Union, cast
from urllib.parse import urlsplit

import requests
from requests.auth import AuthBase

from ._credentials import REFUSALS, Bearer, Credentials, M2MSession
from ._endpoints.answers import is_session_error
from ._endpoints.exchange import Transport
from ._environment import IMP_SESSION_HEADER, PRODUCTION, SESSION_HEADER, Environment
from ._events import Event
from ._manager import TokenProvider
from ._replay import Stamp
from ._settings import (
    NO_CLIENT,
    Settings,
    Source,
    arguments_from,
    arguments_of,
    layered,
    scopes_of,
    source_of,
)
from ._tokens import OAuthToken, SessionToken
from ._validity import SYSTEM_CLOCK, Clock
from ._values import Secret

SecretSource = Union[str, "os.PathLike[str]", Callable[[], str]]
"""A text, the path of a file, or a function without arguments."""

V = TypeVar("V")

_MOST_REPORTED = 1000  # hosts


class _Setting(Generic[V]):
    """An argument that can be read and, if the auth has a ``_set_NAME``, set."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, auth: ThingspaceAuth | None, owner: type) -> V:
        value: Any = self if auth is None else getattr(auth._settings, self._name)
        return value.given if isinstance(value, Source) else value  # type: ignore[no-any-return]

    def __set__(self, auth: ThingspaceAuth, value: V) -> None:
        apply = getattr(auth, f"_set_{self._name}", None)
        if apply is None:
            raise AttributeError(f"{self._name} cannot be set: make another auth.")
        hidden = Secret(value)
        del value  # no crash report shows it
        apply(hidden)


class ThingspaceAuth(AuthBase):
    """Verizon ThingSpace authentication for any requests Session.

    Give it to ``session.auth``, to the ``auth=`` of a single call, or to :func:`mount`. It fetches
    the OAuth token when the first request needs one, renews it, and sends a request again whose token
    the server has rejected. With a `username` it logs in to the M2M session too.

    The arguments `client_id`, `client_secret`, `token`, `session_token`, `clock_skew`,
    `token_provider`, `on_token_update`, `username` and `password` are attributes too, which can be read
    and set; a change applies to the next request. Secrets read back as what was given.
    """

    _settings: Settings
    _changed: dict[str, Any]
    _stamp: Stamp
    _logins: dict[str | None, Any]
    _reported: frozenset[str]
    _session_header_for: Callable[[str], str | None]
    _mounted_on: Callable[[], requests.Session | None] | None = None

    def __init__(
        self,
        client_id: str,
        client_secret: SecretSource,
        *,
        scopes: str | Iterable[str] = (),
        username: str | None = None,
        password: SecretSource | None = None,
        token: Any = None,
        session_token: SessionToken | Mapping[str, Any] | str | None = None,
        clock_skew: float = 60.0,
        token_provider: TokenProvider | None = None,
        on_token_update: Callable[[OAuthToken], object] | None = None,
        on_event: Callable[[Event], object] | None = None,
        cache: TokenProvider | None = None,
        environment: Environment = PRODUCTION,
        timeout: float = 30.0,
        session: requests.Session | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        """Remember the credentials; nothing is sent before a request needs a token.

        Args:
            client_id: the key of the key pair from ThingSpace's Key Management page.
            client_secret: its secret: a text, the path of a file, or a function without arguments. A
                file or function is asked for each token call.
            scopes: OAuth scopes to ask for; by default those that ThingSpace grants unasked.
            username: the UWS user of the M2M session; without it only the bearer is sent.
            password: its password: a text, a path or a function, asked for each login.
            token: an OAuth token to start with, in any form that :meth:`OAuthToken.from_dict` reads.
            session_token: an M2M session token to start with.
            clock_skew: seconds before its expiry at which the token is due for renewal.
            token_provider: ``(last_token or None, manager) -> token``, asked whenever a token is
                missing, due, expired or rejected.
            on_token_update: called with each OAuthToken that becomes current through a renewal.
            on_event: called with each :class:`Event`, from any thread.
            cache: a token cache that shares both tokens between processes or machines.
            environment: where ThingSpace is.
            timeout: seconds for a whole token, revoke, login or logout call.
            session: the Session whose adapters, proxies, verify and cert those calls use; it may be
                the one that carries this auth, and it is never changed.
            clock: the clocks that expiry is read from, for tests.

        Raises:
            ValueError: an argument cannot be used; the message says which and why.
            TypeError: an argument is of the wrong kind.
        """
        hidden = Secret(client_secret), Secret(password), Secret(token), Secret(session_token)
        del client_secret, password, token, session_token  # no crash report shows them
        settings = Settings(
            client_id, source_of("client_secret", hidden[0]), scopes_of(scopes), username,
            source_of("password", hidden[1]), clock_skew, token_provider, on_token_update, on_event, cache,
            environment, timeout, session, clock,
        ).checked()  # fmt: skip
        self._logins = {}  # by user: what ThingSpace said to them counts whatever is set meanwhile
        self._configure(settings, _read(OAuthToken, hidden[2], clock), _read(SessionToken, hidden[3], clock))

    @classmethod
    def from_env(cls, **overrides: Any) -> ThingspaceAuth:
        """An auth from environment variables.

        ``THINGSPACE_CLIENT_ID`` and ``THINGSPACE_CLIENT_SECRET`` are needed; ``THINGSPACE_USERNAME`` and
        ``THINGSPACE_PASSWORD`` are optional. Each of the four may have ``_FILE`` behind it and name a file
        that holds the value. ``THINGSPACE_BASE_URL`` is an origin such as ``https://localhost:8443``,
        ``THINGSPACE_CLOCK_SKEW`` a number of seconds, and ``THINGSPACE_PROFILE`` names a profile for
        what the variables do not say. An empty variable counts as one that is not set.

        Args:
            overrides: arguments of :class:`ThingspaceAuth`, which win.

        Raises:
            ValueError: a variable is missing or unreadable; the message names it.
        """
        hidden = Secret(overrides)
        del overrides  # no crash report shows them
        return cls(**_frameless(lambda: arguments_from(os.environ, hidden.reveal(), _of_profile)).reveal())

    @classmethod
    def from_profile(cls, name: str = "default", **overrides: Any) -> ThingspaceAuth:
        """An auth with the credentials that ``thingspace login`` keeps.

        Args:
            name: of the profile.
            overrides: arguments of :class:`ThingspaceAuth`, which win.

        Raises:
            ValueError: there is no such profile (the message names those that exist), or it cannot be used.
        """
        hidden = Secret(overrides)
        del overrides  # no crash report shows them
        found = _frameless(lambda: layered(hidden.reveal(), _of_profile(name)))
        return cls(**{**NO_CLIENT, **found.reveal()})

    @classmethod
    def from_credentials(cls, source: Any, **overrides: Any) -> ThingspaceAuth:
        """An auth with the credentials of Verizon's SDK.

        Args:
            source: ``ThingspaceOauthCredentials`` of the Python SDK, or a mapping, in the spellings of
                the SDKs (``oauthClientId``, ``oauth_client_id``) or ours. ``None`` means our default.
            overrides: arguments of :class:`ThingspaceAuth`, which win.

        Raises:
            ValueError: a key is unknown or missing, or a value cannot be used.
            TypeError: `source` is neither.
        """
        hidden = Secret(source), Secret(overrides)
        del source, overrides  # no crash report shows them
        return cls(**{**NO_CLIENT, **arguments_of(hidden[0]), **hidden[1].reveal()})

    def __call__(self, r: requests.PreparedRequest) -> requests.PreparedRequest:
        """Stamp a covered request, and leave any other as it is."""
        header = self._session_header_for(r.url or "")
        if header is None:
            self._report_uncovered(r.url or "")
        else:
            self._stamp.put_on(r, header)
        return r

    def headers(self, url: str) -> dict[str, str]:
        """The headers for a request of another HTTP client; empty if `url` is not covered.

        Ask for each request, and tell :meth:`refused` what came back.

        Args:
            url: where the request goes.

        Raises:
            requests.RequestException: no token could be obtained.
        """
        request = requests.PreparedRequest()
        request.url, request.headers = url, requests.structures.CaseInsensitiveDict()
        return dict(ThingspaceAuth.__call__(self, request).headers)

    def refused(self, headers: Mapping[str, str], status: int, body: bytes | str) -> bool:
        """Whether to send a refused request again, with new :meth:`headers`.

        Args:
            headers: those of the request.
            status: HTTP status of the answer.
            body: its body.

        Raises:
            requests.RequestException: a token was rejected and no other could be obtained.
        """
        sent = requests.PreparedRequest()
        sent.headers = requests.structures.CaseInsensitiveDict(headers)
        del headers  # no crash report shows them
        credentials = self._credentials
        name = IMP_SESSION_HEADER if IMP_SESSION_HEADER in sent.headers else SESSION_HEADER
        with_session = name in sent.headers
        if status < 400 and with_session and credentials.session is not None:
            credentials.session.note_use()
        content = body.encode("utf-8", "replace") if isinstance(body, str) else body
        about_session = with_session and status in REFUSALS and is_session_error(content)
        for credential in credentials.blamed(status, about_session=about_session, with_session=with_session):
            tried = {credential: credential.found_on(sent, name)} if credential.is_young() else {}
            if credential.restamp(sent, name, self._home(), tried):
                return True
        return False

    def get_token(self) -> OAuthToken:
        """The current OAuth token, fetched or renewed if need be.

        Raises:
            requests.RequestException: no token could be obtained.
        """
        return self._credentials.bearer.get()

    def get_session_token(self) -> SessionToken:
        """The current M2M session token, after a login if need be.

        Raises:
            ValueError: neither a username nor a session token was given.
            LoginRefusedError: ThingSpace refused the credentials; see :meth:`reset`.
            requests.RequestException: it could not log in.
        """
        session = self._credentials.session
        if session is None:
            raise ValueError("there is no M2M session: give ThingspaceAuth username= and password=.")
        return session.get()

    def revoke(self) -> None:
        """Revoke the OAuth token that is held; every process that shares it needs a new one.

        Raises:
            requests.RequestException: ThingSpace did not revoke it.
        """
        self._credentials.bearer.revoke()

    def logout(self) -> None:
        """End the M2M session that is held; the next request that needs one logs in again.

        A session that is over already is dropped.

        Raises:
            requests.RequestException: ThingSpace did not end it.
        """
        session = self._credentials.session
        if session is not None:
            session.logout()

    def reset(self, *, username: str | None = None, password: SecretSource | None = None) -> None:
        """Start over: forget both tokens, past failures, and a refused login, here and in the cache.

        Args:
            username: the UWS user from now on, by default the same. Another user's shared session stays.
            password: its password from now on, by default the same.

        Raises:
            ValueError: one of the two is still missing.
        """
        given = source_of("password", Secret(password))
        del password
        before, credentials = self._settings, self._credentials
        user = username or before.username
        self._change(username=user, password=given or before.password)
        credentials.bearer.forget()
        if credentials.session is not None and user == before.username:
            credentials.session.forget()
            self._log_in_anew()
        else:
            self._install(credentials.bearer, None)
        if user in self._logins:
            self._logins[user].refusals.clear()  # but not the count of unanswered logins

    def publish(self, name: str, **attributes: Any) -> None:
        """Publish an :class:`Event` to the log and the listener; for tools built on this library."""
        self._settings.events.publish(name, **attributes)

    @property
    def cache_keys(self) -> dict[str, str | None]:
        """The keys under which a token cache keeps the tokens of ``bearer`` and ``session``."""
        pair = {"bearer": self._credentials.bearer, "session": self._credentials.session}
        return {name: None if one is None else one.cache_key for name, one in pair.items()}

    client_id = _Setting[str]()
    """The client id. Setting it starts over, without tokens."""
    client_secret = _Setting[SecretSource]()
    """The client secret as it was given. Setting it keeps the token and forgets past failures."""
    clock_skew = _Setting[float]()
    """Seconds before its expiry at which the token is due for renewal."""
    token_provider = _Setting["TokenProvider | None"]()
    """Asked for a token before ThingSpace is."""
    on_token_update = _Setting["Callable[[OAuthToken], object] | None"]()
    """Called with each OAuthToken that becomes current through a renewal."""
    username = _Setting["str | None"]()
    """The UWS user. Another one drops session and password; ``None`` ends M2M authentication here."""
    password = _Setting["SecretSource | None"]()
    """The password as it was given. A new one is used at the next login."""
    environment = _Setting[Environment]()
    """Where ThingSpace is. Cannot be set."""
    scopes = _Setting["tuple[str, ...]"]()
    """The OAuth scopes that are asked for; empty for ThingSpace's default. Cannot be set."""
    timeout = _Setting[float]()
    """Seconds for a whole token, revoke, login or logout call. Cannot be set."""
    cache = _Setting[Any]()
    """The token cache, if there is one. Cannot be set."""

    @property
    def token(self) -> OAuthToken | None:
        """The OAuth token that is held, without asking anyone. ``None`` forgets it here, not in a cache."""
        return self._credentials.bearer.active.token

    @token.setter
    def token(self, token: Any) -> None:
        hidden = Secret(token)
        del token
        self._credentials.bearer.use(_read(OAuthToken, hidden, self._settings.clock))

    @property
    def session_token(self) -> SessionToken | None:
        """The M2M session token that is held, without asking anyone."""
        session = self._credentials.session
        return None if session is None else session.active.token

    @session_token.setter
    def session_token(self, session_token: Any) -> None:
        hidden = Secret(session_token)
        del session_token
        token, session = _read(SessionToken, hidden, self._settings.clock), self._credentials.session
        if session is not None and self.username is not None:
            session.use(token)
        else:  # without a login, a session lasts only as long as its token
            self._install(self._credentials.bearer, token)

    def _change(self, **values: Any) -> None:
        """Replace some settings; none of those that another thread replaces meanwhile is lost."""
        self._settings._replace(**values).checked()
        self._changed.update(values)
        seen: dict[str, Any] = {}
        while seen != self._changed:
            seen = dict(self._changed)
            self._settings = self._settings._replace(**seen)

    def _set_client_id(self, client_id: Secret[str]) -> None:
        self._change(client_id=client_id.reveal())
        self._install(Bearer(self._settings, None, self._home), None)

    def _set_client_secret(self, client_secret: Secret[Any]) -> None:
        source, credentials = source_of("client_secret", client_secret), self._credentials
        self._change(client_secret=source)
        credentials.bearer.secret = source
        credentials.bearer.forgive()
        if credentials.session is not None:
            credentials.session.forgive()

    def _set_clock_skew(self, seconds: Secret[float]) -> None:
        self._change(clock_skew=seconds.reveal())
        self._credentials.bearer.judge_by(self._settings.clock_skew)

    def _set_token_provider(self, provider: Secret[TokenProvider | None]) -> None:
        self._change(token_provider=provider.reveal())
        if self._settings.cache is None:
            self._credentials.bearer.provider = provider.reveal()

    def _set_on_token_update(self, callback: Secret[Callable[[OAuthToken], object] | None]) -> None:
        self._change(on_token_update=callback.reveal())
        self._credentials.bearer.on_token_update = callback.reveal()

    def _set_username(self, username: Secret[str | None]) -> None:
        user = username.reveal()
        if user != self._settings.username:
            password = None if user is None else Source("password", Secret(None))
            self._change(username=user, password=password)
            self._install(self._credentials.bearer, None)

    def _set_password(self, password: Secret[Any]) -> None:
        self._change(password=source_of("password", password))
        self._log_in_anew()

    def _log_in_anew(self) -> None:
        """Use the current password at the next login."""
        session = self._credentials.session
        if session is not None:
            session.endpoints.password = self._settings.password
            session.forgive()

    def __setattr__(self, name: str, value: object) -> None:
        """Refuse unknown attributes: a misspelled one would be ignored silently."""
        hidden, kind = Secret(value), type(self)
        del value  # no crash report shows it
        its_own = kind is not ThingspaceAuth and name.startswith("_")
        if not (its_own or hasattr(kind, name) or any(name in _annotations(one) for one in kind.__mro__)):
            raise AttributeError(f"{kind.__name__} has no attribute {name!r}: declare it if it is yours.")
        object.__setattr__(self, name, hidden.reveal())

    def __repr__(self) -> str:
        """The client id and the origin."""
        return f"<ThingspaceAuth {self.client_id!r} at {self.environment.origins[0]}>"

    def __getstate__(self) -> dict[str, Any]:
        """Configuration, tokens, and what was refused; no turns, stamps or locks."""
        bearer, session = self._credentials.bearer, self._credentials.session
        own = {n: vars(self)[n] for n in vars(self) if n not in ThingspaceAuth.__annotations__}
        active = [None if one is None else one.active for one in (bearer, session)]
        tokens = [None if one is None or one.rejected else one.token for one in active]
        return {"settings": self._settings, "tokens": tokens, "logins": dict(self._logins), "own": own}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Start with the pickled tokens."""
        self._logins = state["logins"]
        self._configure(state["settings"], *state["tokens"])
        vars(self).update(state["own"])

    def _configure(
        self, settings: Settings, token: OAuthToken | None, session_token: SessionToken | None
    ) -> None:
        """Use these settings, with new managers for both tokens."""
        self._settings, self._changed, self._reported = settings, {}, frozenset()
        self._session_header_for = settings.environment.session_header_for
        self._install(Bearer(settings, token, self._home), session_token)

    def _install(self, bearer: Bearer, session_token: SessionToken | None) -> None:
        """Use `bearer`, and a new M2M session if there is a user or a session token."""
        session = None
        if self._settings.username is not None or session_token is not None:
            session = M2MSession(self._settings, bearer, session_token, self._logins)
        self._stamp = Stamp(Credentials(self._settings, bearer, session), lambda: self._credentials)

    def _home(self) -> Transport:
        """The transport for token calls that no request triggers."""
        session = self._settings.session
        if session is None and self._mounted_on is not None:
            session = self._mounted_on()
        return Transport(session)

    @property
    def _credentials(self) -> Credentials:
        """The current credentials. They are replaced together with their stamp, by one store."""
        return self._stamp.credentials

    def _report_uncovered(self, url: str) -> None:
        """Report an uncovered host once, as a warning if the URL looks like ThingSpace's."""
        try:
            parts = urlsplit(url)
            host, path = ascii(parts.hostname or "")[1:-1], parts.path  # no log holds surrogates
        except ValueError:  # requests will say what is wrong with it
            return
        if host in self._reported or self.environment.covers(url) or len(self._reported) > _MOST_REPORTED:
            return
        self._reported |= {host}
        looks_ours = path.startswith(("/api/ts/", "/api/m2m/")) or host.endswith(".verizon.com")
        covered = ", ".join(self.environment.origins)
        self._settings.events.publish(
            "host_not_covered",
            level=logging.WARNING if looks_ours else logging.DEBUG,
            reason=f"{host}; covered are {covered}",
        )


def _annotations(kind: type) -> Mapping[str, Any]:
    """The attributes that a class declares by annotation."""
    if sys.version_info >= (3, 14):  # pragma: no cover - without the future import they are lazy there
        from annotationlib import Format, get_annotations

        return get_annotations(kind, format=Format.FORWARDREF)
    return cast("Mapping[str, Any]", vars(kind).get("__annotations__", {}))


def _frameless(read: Callable[[], dict[str, Any]]) -> Secret[dict[str, Any]]:
    """What `read` finds; what it raises comes without its frames, which hold secrets."""
    try:
        return Secret(read())
    except (ImportError, OSError, ValueError) as wrong:
        wrong.__context__ = None
        raise wrong.with_traceback(None) from None


def _of_profile(name: str) -> dict[str, Any]:
    """The arguments that a profile gives."""
    from ._profiles import load  # it may open the keyring

    kept: dict[str, Any] = load(name)
    base_url = kept.pop("base_url", None)
    return {**kept, "environment": Environment.at(base_url)} if base_url else kept


def _read(kind: Any, given: Secret[Any], clock: Clock) -> Any:
    """A token from any form that ``from_dict`` reads."""
    return None if given.reveal() is None else kind.from_dict(given.reveal(), now=clock.wall())
