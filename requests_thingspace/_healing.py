"""Judge the response to a stamped request, and replay the request if another token helps.

The law here: a request is sent again at most once for each of the two tokens, with its body whole or
not at all, and a download that the caller streams is not read to look for an error.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable
from typing import Any

import requests
from requests.exceptions import UnrewindableBodyError
from requests.utils import rewind_body

from ._answers import is_session_error
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
    # Replays. What a cache gave may be dead as well; what ThingSpace gave is the last that is tried. A token
    # that a redirect has lost is put back first, which proves nothing about it and does not count.
    bearers, sessions = 0, 0
    while True:
        about_session = with_session and not streamed and _is_about_session(response)
        replay = False
        try:
            if response.status_code == 401 and not about_session:
                if bearers == 2 or (bearers and tokens.bearer_is_fresh(request)):
                    tokens.vouch_for_bearer(request)
                else:
                    lost = not tokens.is_bearer_on(request)
                    replay = tokens.restamp_bearer(request, route)
                    bearers += replay and not lost
                about_session = with_session and not replay and tokens.session_was_idle()
            if about_session and (sessions == 2 or (sessions and tokens.session_is_fresh(request))):
                tokens.vouch_for_session(request)
            elif about_session:
                lost = not tokens.is_session_on(request)
                replay = tokens.restamp_session(request, route)
                sessions += replay and not lost
        except BaseException:
            response.close()
            raise
        if not replay or not _rewound(request):
            return response
        _release(response, streamed)
        response = resend()


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
