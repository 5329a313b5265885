"""Where ThingSpace is, and which URLs may see a token.

The law here: a token goes to the exact origins of one environment and nowhere else; a URL that can
be read in two ways is not covered.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from ._values import Value

_ORIGIN = re.compile(r"(https?)://([a-z0-9.-]+|\[[0-9a-f:.]+\])(?::([0-9]{1,5}))?", re.ASCII | re.IGNORECASE)
_PATH_END = re.compile(r"[?#]")
_AUTHORITY_END = re.compile(r"[/?#]|\Z")
_LOOPBACK = re.compile(r"http://(localhost|127\.\d{1,3}\.\d{1,3}\.\d{1,3}|\[::1\])(:\d+)?")
_DEFAULT_PORT = {"https": 443, "http": 80}


class Environment(Value):
    """One ThingSpace: its API origins and the URLs of its OAuth and M2M endpoints.

    Attributes:
        origins: the origins that may see tokens, such as ``"https://thingspace.verizon.com"``.
        token_url: the OAuth 2 token endpoint.
        revoke_url: the OAuth 2 revoke endpoint.
        login_url: the M2M session login.
        logout_url: the M2M session logout.
        imp_origins: those of `origins` on which the session token's header is called
            ``SessionToken`` instead of ``VZ-M2M-Token``.
        prefixes: how a prepared URL of one of `origins` begins.
        own_endpoints: how the URLs of the token, revoke and login endpoints begin.

    Raises:
        ValueError: an origin or URL is malformed, or neither https nor http on loopback.
    """

    __match_args__ = ("origins", "token_url", "revoke_url", "login_url", "logout_url", "imp_origins")
    __slots__ = (*__match_args__, "_imp_prefixes", "own_endpoints", "prefixes")

    origins: tuple[str, ...]
    token_url: str
    revoke_url: str
    login_url: str
    logout_url: str
    imp_origins: tuple[str, ...]
    prefixes: tuple[str, ...]
    own_endpoints: tuple[str, ...]
    _imp_prefixes: tuple[str, ...]

    def __init__(  # noqa: PLR0917 - the signature is promised
        self,
        origins: Iterable[str],
        token_url: str,
        revoke_url: str,
        login_url: str,
        logout_url: str,
        imp_origins: Iterable[str] = (),
    ) -> None:
        """Check every URL once, so that no request has to."""
        origins = _checked_origins("origins", origins)
        imp_origins = _checked_origins("imp_origins", imp_origins)
        for url in (token_url, revoke_url, login_url, logout_url):
            if _origin_of(url) is None:
                raise ValueError(f"{url!r} is no URL of an endpoint: give https://host/path.")
            _checked_origin(str(_origin_of(url)))
        self._set(
            origins=origins,
            token_url=token_url,
            revoke_url=revoke_url,
            login_url=login_url,
            logout_url=logout_url,
            imp_origins=imp_origins,
            prefixes=tuple(f"{origin}/" for origin in origins),
            _imp_prefixes=tuple(f"{origin}/" for origin in imp_origins),
            own_endpoints=tuple(_plain(url) for url in (token_url, revoke_url, login_url)),
        )

    def __repr__(self) -> str:
        """Its origins, by which it is known."""
        return f"Environment({', '.join(self.origins)})"

    @classmethod
    def at(cls, origin: str) -> Environment:
        """The environment of a ThingSpace that lives on one origin, such as a test server.

        Args:
            origin: ``https://host[:port]``, or ``http://`` with a loopback host.

        Raises:
            ValueError: `origin` has a path, is malformed, or is plain http to another machine.
        """
        origin = _checked_origin(origin.rstrip("/"))
        return cls(
            origins=(origin,),
            token_url=f"{origin}/api/ts/v1/oauth2/token",
            revoke_url=f"{origin}/api/ts/v1/oauth2/revoke",
            login_url=f"{origin}/api/m2m/v1/session/login",
            logout_url=f"{origin}/api/m2m/v1/session/logout",
        )

    def covers(self, url: str) -> bool:
        """Whether the origin of `url` is one of this environment's, so that it may see tokens."""
        # A prepared URL is lower case and has a path, so that the prefix settles nearly all.
        return url.startswith(self.prefixes) or _origin_of(url) in self.origins

    def is_endpoint(self, url: str) -> bool:
        """Whether `url` is the token, revoke or login endpoint, which bring their own headers."""
        if not url.startswith(self.prefixes):
            url = _plain(url)
        if not url.startswith(self.own_endpoints):
            return False
        return _PATH_END.split(url, maxsplit=1)[0] in self.own_endpoints

    def wants_token(self, url: str) -> bool:
        """Whether a request to `url` is to be stamped with tokens."""
        return self.covers(url) and not self.is_endpoint(url)

    def session_header(self, url: str) -> str:
        """The name of the header in which `url` expects the session token."""
        if url.startswith(self.prefixes):
            is_imp = url.startswith(self._imp_prefixes)
        else:
            is_imp = _origin_of(url) in self.imp_origins
        return "SessionToken" if is_imp else "VZ-M2M-Token"


def _origin_of(url: str) -> str | None:
    """The origin of `url` in lower case and without a default port; ``None`` if it is doubtful.

    Everything between ``://`` and the first ``/``, ``?`` or ``#`` must be a plain host and port:
    no userinfo, no backslash, no percent, no white space, no non-ASCII, no trailing dot.
    """
    found = _ORIGIN.match(url)
    if found is None or _AUTHORITY_END.match(url, found.end()) is None:
        return None
    scheme, host, port = found[1].lower(), found[2].lower(), found[3]
    if host.endswith(".") or (port and not 0 < int(port) < 65536):
        return None
    if port is None or int(port) == _DEFAULT_PORT[scheme]:
        return f"{scheme}://{host}"
    return f"{scheme}://{host}:{int(port)}"


def _plain(url: str) -> str:
    """`url` with its origin in the one form in which origins are compared, if it has one."""
    found, origin = _ORIGIN.match(url), _origin_of(url)
    return url if found is None or origin is None else origin + url[found.end() :]


def _checked_origins(name: str, origins: Iterable[str]) -> tuple[str, ...]:
    """`origins` in their one form."""
    if isinstance(origins, str):
        raise ValueError(f"{name} is a collection of origins, not one string.")  # noqa: TRY004
    return tuple(_checked_origin(origin) for origin in origins)


def _checked_origin(origin: str) -> str:
    """`origin` in its one form, or a ValueError that says what is wrong with it."""
    plain = _origin_of(origin)
    if plain is None or _ORIGIN.fullmatch(origin) is None:
        raise ValueError(f"{origin!r} is no origin: give https://host or https://host:port.")
    if plain.startswith("http:") and _LOOPBACK.fullmatch(plain) is None:
        raise ValueError(f"{origin!r} is plain http: tokens travel by https, except to loopback.")
    return plain


PRODUCTION = Environment(
    origins=(
        "https://thingspace.verizon.com",
        "https://imp.thingspace.verizon.com",
        "https://5gedge.verizon.com",
    ),
    token_url="https://thingspace.verizon.com/api/ts/v1/oauth2/token",
    revoke_url="https://thingspace.verizon.com/api/ts/v1/oauth2/revoke",
    login_url="https://thingspace.verizon.com/api/m2m/v1/session/login",
    logout_url="https://thingspace.verizon.com/api/m2m/v1/session/logout",
    imp_origins=("https://imp.thingspace.verizon.com",),
)
"""ThingSpace itself (the hosts of Verizon's SDK 2.0.0, ``verizon/configuration.py``)."""

STAGING = Environment(
    origins=(
        "https://staging.thingspace.verizon.com",
        "https://imp-staging.thingspace.verizon.com",
        "https://staging.5gedge.verizon.com",
    ),
    token_url="https://staging.thingspace.verizon.com/api/ts/v1/oauth2/token",
    revoke_url="https://staging.thingspace.verizon.com/api/ts/v1/oauth2/revoke",
    login_url="https://staging.thingspace.verizon.com/api/m2m/v1/session/login",
    logout_url="https://staging.thingspace.verizon.com/api/m2m/v1/session/logout",
    imp_origins=("https://imp-staging.thingspace.verizon.com",),
)
"""Verizon's staging ThingSpace, which has credentials of its own."""
