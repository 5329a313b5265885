"""Authentication as a transport adapter.

It does what :class:`ThingspaceAuth` does, but stamps a copy, so that the request which the Session goes
on with, to follow a redirect for example, never held a token.
"""

from __future__ import annotations

import weakref
from functools import partial
from typing import Any, TypeVar

import requests
from requests.adapters import HTTPAdapter

from ._auth import ThingspaceAuth
from ._endpoints.exchange import Transport, quiet
from ._replay import Stamp, hooks_of, review

S = TypeVar("S", bound=requests.Session)


class ThingspaceAdapter(HTTPAdapter):
    """Verizon ThingSpace authentication as a transport adapter.

    Unlike an auth it sees every request of its origins, those after a redirect too, and the proxies,
    verify and cert of each, so that token calls go the same way. It leaves alone what the environment of
    `auth` does not cover, and a request that a ThingspaceAuth has stamped already.

    Attributes:
        auth: the ThingspaceAuth whose tokens it stamps.
    """

    __attrs__ = [*HTTPAdapter.__attrs__, "auth"]  # noqa: RUF012 - as HTTPAdapter declares it

    def __init__(self, auth: ThingspaceAuth, **http_adapter_arguments: Any) -> None:
        """Stamp requests with the tokens of `auth`.

        Args:
            auth: whose tokens.
            http_adapter_arguments: those of :class:`requests.adapters.HTTPAdapter`.

        Raises:
            TypeError: `auth` is not a ThingspaceAuth.
        """
        if not isinstance(auth, ThingspaceAuth):
            raise TypeError(f"auth must be a ThingspaceAuth, not a {type(auth).__name__}.")
        super().__init__(**http_adapter_arguments)
        self.auth = auth
        if 401 in (self.max_retries.status_forcelist or ()):
            # a 401 is reviewed here; sent again as it is, with the same token, it only comes back
            others = frozenset(self.max_retries.status_forcelist) - {401}
            self.max_retries = self.max_retries.new(status_forcelist=others)

    def send(  # noqa: PLR0917 - the signature is requests' own
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        verify: Any = True,
        cert: Any = None,
        proxies: Any = None,
    ) -> requests.Response:
        """Send `request`, stamped and reviewed if it is covered."""
        settings = {"timeout": timeout, "verify": verify, "cert": cert, "proxies": proxies}
        header = self.auth.environment.session_header_for(request.url or "")
        if header is None or quiet.get() or Stamp.is_on(request):  # quiet: a call of our own
            return super().send(request, stream=stream, **settings)
        if str(request.url).startswith("http:"):
            settings["proxies"] = {}  # plain http goes to loopback only: no proxy may see a token
        transport = self.auth._credentials.transport(settings, super().send)
        stamped, stamp = self.stamped(request, header, transport)
        resend = partial(super().send, stamped, stream=stream, **settings)
        return review(resend(), resend, stamp, transport, sent=stamped, streamed=stream)

    def stamped(
        self, request: requests.PreparedRequest, header: str, transport: Transport
    ) -> tuple[requests.PreparedRequest, Stamp]:
        """A stamped copy of `request`, with headers and hooks of its own; `header` is for a session token."""
        twin = requests.PreparedRequest.__new__(type(request))  # its own copy() copies the cookie jar too
        twin.__dict__.update(request.__dict__)
        twin.headers = request.headers.copy()
        twin.hooks = {"response": list(hooks_of(request))}
        return twin, self.auth._stamp.put_on(twin, header, transport)


def mount(session: S, auth: ThingspaceAuth, **http_adapter_arguments: Any) -> S:
    """Mount a :class:`ThingspaceAdapter` on every origin of the environment of `auth`.

    Args:
        session: any Session; what is mounted on other URLs stays.
        auth: whose tokens.
        http_adapter_arguments: those of :class:`requests.adapters.HTTPAdapter`.

    Returns:
        The same `session`.

    Raises:
        TypeError: `session` is not a Session, or `auth` not a ThingspaceAuth.
    """
    if not isinstance(session, requests.Session):
        raise TypeError(f"session must be a requests.Session, not a {type(session).__name__}.")
    adapter = ThingspaceAdapter(auth, **http_adapter_arguments)
    auth._mounted_on = weakref.ref(session)
    for origin in auth.environment.origins:
        session.mount(f"{origin}/", adapter)
        if origin.count(":") == 1:  # the same origin, spelled with its port
            session.mount(f"{origin}:{443 if origin.startswith('https') else 80}/", adapter)
    return session
