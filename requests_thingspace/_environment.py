"""Where ThingSpace is, and which URLs may see a token.

A token goes to the exact origins of one environment and nowhere else; a URL that can be read in two
ways is not covered.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from ._values import Value

_ORIGIN = re.compile(r"(https?)://([a-z0-9.-]+|\[[0-9a-f:.]+\])(?::([0-9]{1,5}))?", re.ASCII | re.IGNORECASE)
_LOOPBACK = r"http://(localhost|127\.\d{1,3}\.\d{1,3}\.\d{1,3}|\[::1\])(:\d+)?"
_DEFAULT_PORT = {"https": 443, "http": 80}

SESSION_HEADER = "VZ-M2M-Token"  # of the M2M session token ("Start Connectivity Management Session" page)
IMP_SESSION_HEADER = "SessionToken"  # its name on the imp. hosts (Verizon's SDK 2.0.0)


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

    Raises:
        ValueError: an origin or URL is malformed, or neither https nor http on loopback.
    """

    __match_args__ = ("origins", "token_url", "revoke_url", "login_url", "logout_url", "imp_origins")
    __slots__ = (*__match_args__, "_endpoint_paths", "_endpoints", "_headers", "_home", "_home_header")

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
        self.origins = _checked_origins("origins", origins)
        self.imp_origins = _checked_origins("imp_origins", imp_origins)
        if not self.origins:
            raise ValueError("origins must name at least one origin.")
        if not {*self.imp_origins} <= {*self.origins}:
            raise ValueError("imp_origins must be some of origins.")
        for url in (token_url, revoke_url, login_url, logout_url):
            if _origin_of(url) is None or _ORIGIN.fullmatch(url):
                raise ValueError(f"{url!r} is not the URL of an endpoint: give https://host/path.")
            _checked_origin(str(_origin_of(url)))
        self.token_url, self.revoke_url = token_url, revoke_url
        self.login_url, self.logout_url = login_url, logout_url
        self._headers = {
            one: IMP_SESSION_HEADER if one in self.imp_origins else SESSION_HEADER for one in self.origins
        }
        self._endpoint_paths = tuple([_path_of(url) for url in (token_url, revoke_url, login_url)])
        home = self.origins[0]  # most requests go there
        self._home, self._home_header = f"{home}/", self._headers[home]
        self._endpoints = tuple([home + path for path in ("//", *self._endpoint_paths)])

    def __repr__(self) -> str:
        """Its origins."""
        return f"Environment({', '.join(self.origins)})"

    @classmethod
    def at(cls, origin: str) -> Environment:
        """The environment of a ThingSpace that lives on one origin, such as a test server.

        Args:
            origin: ``https://host[:port]``, or ``http://`` with a loopback host.

        Raises:
            ValueError: `origin` has a path, is malformed, or is plain http to another machine.
        """
        origin = _checked_origin(origin)
        return cls((origin,), *_endpoints_of(origin))

    def covers(self, url: str) -> bool:
        """Whether the origin of `url` is one of this environment's."""
        return _origin_of(url) in self._headers

    def session_header_for(self, url: str) -> str | None:
        """The header in which `url` expects the session token; ``None`` if no token goes there.

        Requests to the token, revoke and login endpoints have headers of their own, on every origin: Verizon
        documents ``https://5gedge.verizon.com/api/ts/v1/oauth2/token`` too.
        """
        if url.startswith(self._home) and not url.startswith(self._endpoints):
            return self._home_header  # at once, since most requests go there
        header = self._headers.get(_origin_of(url) or "")
        return None if _path_of(url) in self._endpoint_paths else header


def _origin_of(url: Any) -> str | None:
    """The origin of `url` in lower case and without a default port; ``None`` if it is ambiguous, or no text.

    Everything between ``://`` and the first ``/``, ``?`` or ``#`` must be a plain host and port:
    no userinfo, no backslash, no percent, no white space, no non-ASCII, no trailing dot.
    """
    found = _ORIGIN.match(url) if isinstance(url, str) else None
    if found is None or url[found.end() : found.end() + 1] not in {"", "/", "?", "#"}:
        return None
    scheme, host, port = found[1].lower(), found[2].lower(), found[3]
    if host.endswith(".") or (port and not 0 < int(port) < 65536):
        return None
    if port is None or int(port) == _DEFAULT_PORT[scheme]:
        return f"{scheme}://{host}"
    return f"{scheme}://{host}:{int(port)}"


def _path_of(url: str) -> str:
    """The path of `url`, without query and fragment; requests sends one slash where it begins with more."""
    found = _ORIGIN.match(url)
    path = url[found.end() if found else 0 :].partition("?")[0].partition("#")[0]
    return f"/{path.lstrip('/')}"


def _checked_origins(name: str, origins: Iterable[str]) -> tuple[str, ...]:
    """`origins`, normalised."""
    if isinstance(origins, str) or not isinstance(origins, Iterable):
        raise ValueError(f"{name} must be a collection of origins, not {origins!r}.")  # noqa: TRY004
    return tuple(_checked_origin(origin) for origin in origins)


def _checked_origin(origin: str) -> str:
    """`origin`, normalised, or a ValueError that says what is wrong with it."""
    plain = _origin_of(origin)
    if plain is None or _ORIGIN.fullmatch(origin.rstrip("/")) is None:
        raise ValueError(f"{origin!r} is not an origin: give https://host or https://host:port.")
    if plain.startswith("http:") and re.fullmatch(_LOOPBACK, plain) is None:
        raise ValueError(f"{origin!r} is plain http: tokens are sent over https only, except to loopback.")
    return plain


def _endpoints_of(origin: str) -> tuple[str, str, str, str]:
    """The token, revoke, login and logout URLs of a ThingSpace."""
    oauth, session = f"{origin}/api/ts/v1/oauth2", f"{origin}/api/m2m/v1/session"
    return f"{oauth}/token", f"{oauth}/revoke", f"{session}/login", f"{session}/logout"


def _of_verizon(api: str, imp: str, edge: str) -> Environment:
    """An environment of Verizon's, whose endpoints are on its API host."""
    api, imp, edge = (f"https://{host}.verizon.com" for host in (api, imp, edge))
    return Environment((api, imp, edge), *_endpoints_of(api), imp_origins=(imp,))


PRODUCTION = _of_verizon("thingspace", "imp.thingspace", "5gedge")
"""ThingSpace itself (the hosts of Verizon's SDK 2.0.0, ``verizon/configuration.py``)."""

STAGING = _of_verizon("staging.thingspace", "imp-staging.thingspace", "staging.5gedge")
"""Verizon's staging ThingSpace, which has credentials of its own."""
