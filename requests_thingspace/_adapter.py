"""Face two: an HTTPAdapter that does what the auth does, through the transport door.

The law here: it behaves as :class:`ThingspaceAuth` does, but stamps a copy, so that the request which
the Session goes on with, to follow a redirect for example, never held a token.
"""

from __future__ import annotations

from functools import partial
from typing import Any, TypeVar

import requests
from requests.adapters import HTTPAdapter

from ._auth import ThingspaceAuth
from ._healing import REFUSALS, Judge, heal
from ._wire import Route

S = TypeVar("S", bound=requests.Session)


class ThingspaceAdapter(HTTPAdapter):
    """Verizon ThingSpace authentication as a transport adapter.

    Unlike an auth it sees every request of its origins, those after a redirect too, and the proxies,
    verify and cert of each, so that token calls take the same way. It leaves alone what is not
    covered by the environment of `auth`, and a request that a ThingspaceAuth has stamped already.

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
            TypeError: `auth` is no ThingspaceAuth.
        """
        if not isinstance(auth, ThingspaceAuth):
            raise TypeError(f"auth must be a ThingspaceAuth, not a {type(auth).__name__}.")
        super().__init__(**http_adapter_arguments)
        self.auth = auth
        if 401 in (self.max_retries.status_forcelist or ()):
            # a 401 is healed here; sent again as it is, with the token so far, it only comes back
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
        """Send `request`, stamped and healed if it is covered."""
        settings = {"timeout": timeout, "verify": verify, "cert": cert, "proxies": proxies}
        if not self.auth.environment.wants_token(request.url or "") or _is_stamped(request):
            return super().send(request, stream=stream, **settings)
        tokens, send = self.auth.tokens, super().send
        route = Route(tokens.session, settings, send if tokens.session is None else None)
        stamped = _copy(request)
        stamped.headers["Authorization"] = tokens.oauth.get(route).authorization
        with_session = tokens.sessions is not None and tokens.stamp_session(stamped, route)
        response = send(stamped, stream=stream, **settings)
        if response.status_code in REFUSALS:
            resend = partial(send, stamped, stream=stream, **settings)
            return heal(response, resend, tokens, route, with_session=with_session, streamed=stream)
        if with_session and response.status_code < 400:
            tokens.session_was_used()
        return response


def mount(session: S, auth: ThingspaceAuth, **http_adapter_arguments: Any) -> S:
    """Mount a ThingspaceAdapter on every origin of the auth's environment.

    Args:
        session: any Session; what is mounted on other URLs stays.
        auth: whose tokens.
        http_adapter_arguments: those of :class:`requests.adapters.HTTPAdapter`.

    Returns:
        The same `session`.
    """
    adapter = ThingspaceAdapter(auth, **http_adapter_arguments)
    for origin in auth.environment.origins:
        session.mount(f"{origin}/", adapter)
        if origin.count(":") == 1:  # the same origin, spelled with its port
            session.mount(f"{origin}:443/", adapter)
    return session


def _is_stamped(request: requests.PreparedRequest) -> bool:
    """Whether a ThingspaceAuth has stamped `request` and will judge its response."""
    hooks = request.hooks.get("response")
    return bool(hooks) and any(isinstance(hook, Judge) for hook in hooks)


def _copy(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """A copy with headers of its own; ``PreparedRequest.copy`` copies the cookie jar too."""
    twin = requests.PreparedRequest.__new__(type(request))
    twin.__dict__.update(request.__dict__)
    twin.headers = request.headers.copy()
    return twin
