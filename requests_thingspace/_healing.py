"""Judge the response to a stamped request, and replay the request if another token helps.

The law here: a request is sent again at most once for each of the two tokens, with its body whole or
not at all, and a download that the caller streams is not read to look for an error. No token follows
a redirect to another origin.
"""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

import requests
from requests.exceptions import UnrewindableBodyError
from requests.utils import rewind_body

from ._answers import is_session_error
from ._manager import TokenManager
from ._token_pair import TokenPair
from ._wire import Route

REFUSALS = frozenset((400, 401, 403))
"""The statuses that may speak of a token; any other response goes to the caller as it is."""

_ORIGIN = re.compile(r"https?://[^/?#]*/")
_ONLY_A_PATH = re.compile(r"/(?![/\\])")


def heal(
    response: requests.Response,
    resend: Callable[[], requests.Response],
    tokens: TokenPair,
    route: Route,
    *,
    with_session: bool,
    streamed: bool,
) -> requests.Response:
    """The response to give to the caller: `response`, or that of a replay with another token.

    Args:
        response: a refusal; ``response.request`` is what `resend` sends.
        resend: sends the request again.
        tokens: the client's tokens.
        route: the way that token calls take.
        with_session: whether the session token on the request is ours.
        streamed: whether the caller reads the body, so that it must not be read here.

    Raises:
        requests.RequestException: a token was rejected and another is not to be had.
    """
    request = response.request
    bearer = _Remedy(tokens.oauth, "Authorization", "Bearer ")
    session = None
    if with_session and tokens.sessions is not None and tokens.can_log_in:
        session = _Remedy(tokens.sessions, tokens.environment.session_header(str(request.url)))
    while True:
        about_session = with_session and not streamed and _is_about_session(response)
        replay = False
        try:
            if response.status_code == 401 and not about_session:
                replay = bearer.applies(request, route)
                about_session = with_session and not replay and tokens.session_was_idle()
            if about_session and session is not None:
                replay = session.applies(request, route)
        except BaseException:
            response.close()
            raise
        if not replay or not _rewound(request):
            return response
        _release(response, streamed)
        response = resend()


class _Remedy:
    """Another token of one kind for one request, as long as that may help."""

    def __init__(self, manager: TokenManager[Any], header: str, scheme: str = "") -> None:
        self._manager = manager
        self._header = header
        self._scheme = scheme
        self._replays = 0

    def applies(self, request: requests.PreparedRequest, route: Route) -> bool:
        """Put another token on `request`; ``False`` where there is none, or none that would help.

        What ThingSpace itself gave is the last that is tried; what a cache gave may have died since. A
        token that a redirect has lost is put back first, which proves nothing about it.
        """
        found = str(request.headers.get(self._header, ""))
        value = found.removeprefix(self._scheme) if found and found.startswith(self._scheme) else None
        if self._replays == 2 or (self._replays and self._manager.is_fresh(value)):
            self._manager.vouch_for(value)
            return False
        token = self._manager.replace(value, route)
        if token is None:
            return False
        request.headers[self._header] = f"{self._scheme}{token.value}"
        self._replays += value is not None
        return True


class Judge:
    """Sees to the response of a request that an auth has stamped: the request's response hook."""

    def __init__(self, tokens: TokenPair, *, with_session: bool) -> None:
        """Judge requests that carry the bearer of `tokens`, or both of them."""
        self._tokens = tokens
        self._with_session = with_session

    def __call__(self, response: requests.Response, **settings: Any) -> requests.Response | None:
        """The response to go on with, if another one; `settings` are those it was sent with."""
        status = response.status_code
        if status == 401 or (self._with_session and status in REFUSALS):
            return self._healed(response, settings)
        if self._with_session:
            if status < 400 and not getattr(response, "from_cache", False):
                self._tokens.session_was_used()  # which an answer out of an HTTP cache does not show
            if response.is_redirect and not stays_on_origin(response):
                # requests strips only Authorization from a redirect to another origin
                request = response.request
                request.headers.pop(self._tokens.environment.session_header(request.url or ""), None)
        return None

    def _healed(self, response: requests.Response, settings: Mapping[str, Any]) -> requests.Response | None:
        """Heal a refused request, by the way and with the settings it was sent with."""
        request, tokens = response.request, self._tokens
        connection: Any = getattr(response, "connection", None)  # a mocked response may have none
        if not hasattr(connection, "send") or not tokens.environment.wants_token(request.url or ""):
            return None

        def resend() -> requests.Response:
            started = time.perf_counter()
            again: requests.Response = connection.send(request, **settings)
            again.elapsed = timedelta(seconds=time.perf_counter() - started)
            return again

        streamed = bool(settings.get("stream"))
        route = Route(tokens.session, settings, connection.send if tokens.session is None else None)
        return heal(response, resend, tokens, route, with_session=self._with_session, streamed=streamed)


def stays_on_origin(response: requests.Response) -> bool:
    """Whether a redirect certainly stays on its origin: judged by its text, nothing is guessed."""
    location = response.headers["Location"]
    origin = _ORIGIN.match(str(response.request.url))
    return bool(_ONLY_A_PATH.match(location)) or (origin is not None and location.startswith(origin[0]))


def _is_about_session(response: requests.Response) -> bool:
    """Whether the response says that the session token is the trouble."""
    return response.status_code in REFUSALS and is_session_error(response.content)


def _rewound(request: requests.PreparedRequest) -> bool:
    """Bring the body back to where it was; ``False`` where it cannot be sent whole once more."""
    body: Any = request.body
    if body is None or isinstance(body, (str, bytes, bytearray)):
        return True
    try:
        rewind_body(request)
    except (UnrewindableBodyError, OSError, ValueError):  # ValueError: a file that was closed
        return False
    return True


def _release(response: requests.Response, streamed: bool) -> None:
    """Give the connection of a response that nobody will read back to its pool."""
    with contextlib.suppress(requests.RequestException):
        if not streamed:
            _ = response.content  # read to its end, the connection can be used again
    response.close()
