"""What a response says about a token, and sending the request again.

Every response to a stamped request leaves through one exit, :func:`review`. A request is sent again at most
three times, with its body whole or not at all, and a download that the caller streams is not read to
look for an error. No token follows a redirect to another origin.
"""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import requests
from requests.exceptions import UnrewindableBodyError
from requests.utils import rewind_body

from ._credentials import REFUSALS, Credential, Credentials, Tried
from ._endpoints.answers import is_session_error
from ._endpoints.exchange import Transport
from ._environment import IMP_SESSION_HEADER, SESSION_HEADER

MOST_SENDS = 4
"""The most often that one call is sent per URL."""

_ORIGIN = re.compile(r"https?://[^/?#]*/")
_ONLY_A_PATH = re.compile(r"/(?![/\\\s])[^\\\s]*")


def review(
    response: requests.Response,
    resend: Callable[[], requests.Response],
    stamp: Stamp,
    transport: Transport,
    *,
    sent: requests.PreparedRequest,
    streamed: bool,
) -> requests.Response:
    """The response to return: `response`, or that of a replay with another token.

    `sent` is what `resend` sends; an adapter below may have sent a copy. Only the caller reads a body that is
    `streamed`.

    Raises:
        requests.RequestException: a token was rejected and no other could be obtained.
    """
    tried: Tried = {}
    try:
        for _ in range(MOST_SENDS - 1):
            credential = stamp.restamp(response, transport, tried, streamed)
            if credential is None:
                break
            _carry_over(response.request, sent)
            if not _is_rewound(sent):
                credential.manager.publish("request_not_replayed", reason="its body cannot be sent again")
                break
            _release(response, streamed)
            response = resend()
            credential.manager.publish("request_replayed", status=response.status_code)
    except BaseException:
        response.close()
        raise
    stamp.note_use(response)
    stamp.drop_session_header(response)
    return response


class Guard:
    """A response hook that keeps the session header on its origin, and knows nothing else.

    A pickled response or request carries it in place of a :class:`Stamp`, so it holds no secret.

    Attributes:
        has_session: whether the session token on the request is ours.
    """

    __slots__ = ("has_session",)

    def __init__(self, has_session: bool = False) -> None:
        self.has_session = has_session

    def __call__(self, response: requests.Response, **_: Any) -> Any:
        """Clean a redirect."""
        self.drop_session_header(response)

    def drop_session_header(self, response: requests.Response) -> None:
        """Drop the session header unless the redirect certainly stays on its origin.

        requests strips only ``Authorization`` from a redirect to another origin.
        """
        if response.is_redirect and not stays_on_origin(response):
            drop_from(response.request.headers)

    def __reduce__(self) -> tuple[Any, ...]:
        """As a guard, so that no pickle holds credentials."""
        return Guard, (self.has_session,)


class Stamp(Guard):
    """Our response hook on a request: the request is stamped, whatever headers it carries by now.

    Attributes:
        credentials: whose tokens are on it.
        current: gives the auth's current credentials.
        headers: with a session token of ours, those of the request that the Session goes on with; an
            adapter below may send a copy.
    """

    __slots__ = ("credentials", "current", "headers")

    def __init__(self, credentials: Credentials, current: Callable[[], Credentials], headers: Any) -> None:
        self.has_session = headers is not None
        self.credentials, self.current, self.headers = credentials, current, headers

    @staticmethod
    def is_on(request: requests.PreparedRequest) -> bool:
        """Whether `request` is stamped."""
        return any(isinstance(hook, Stamp) for hook in hooks_of(request))

    def __call__(self, response: requests.Response, **settings: Any) -> requests.Response | None:
        """Review `response`; a replay uses the connection and settings of the original."""
        request, connection = response.request, getattr(response, "connection", None)
        send: Any = getattr(connection, "send", None)
        if send is None and response.status_code in REFUSALS:
            return None  # a mocked response, which nobody can send again

        def resend() -> requests.Response:
            started = time.perf_counter()
            again: requests.Response = send(request, **settings)
            again.elapsed = timedelta(seconds=time.perf_counter() - started)
            return again

        transport = self.credentials.transport(settings, send)
        return review(response, resend, self, transport, sent=request, streamed=bool(settings.get("stream")))

    def restamp(
        self, response: requests.Response, transport: Transport, tried: Tried, streamed: bool
    ) -> Credential | None:
        """Stamp a refused request with another token; the credential that was to blame, if any."""
        if response.status_code not in REFUSALS:
            return None
        credentials = self.current()
        name = credentials.settings.environment.session_header_for(str(response.request.url))
        if name is None or not credentials.are_of(self.credentials):
            return None
        about_session = self.has_session and not streamed and _is_about_session(response)
        blamed = credentials.blamed(
            response.status_code, about_session=about_session, with_session=self.has_session
        )
        if blamed and credentials.put_back(response.request, name, transport, with_session=self.has_session):
            return blamed[0]
        for credential in blamed:
            if credential.restamp(response.request, name, transport, tried):
                return credential
        if blamed:
            reason = "ThingSpace stands by its token, or something else has signed it"
            blamed[0].manager.publish("request_not_replayed", status=response.status_code, reason=reason)
        return None

    def note_use(self, response: requests.Response) -> None:
        """An accepted call prolongs the session; an answer out of an HTTP cache is not one."""
        session = self.credentials.session if self.has_session else None
        if session is not None and response.status_code < 400 and not getattr(response, "from_cache", False):
            session.note_use()

    def drop_session_header(self, response: requests.Response) -> None:
        """Drop it from what the Session goes on with, too.

        If an adapter below sends copies, what the Session follows the next redirect with is out of reach.
        So then the header does not stay for a redirect on the same origin either.
        """
        if not response.is_redirect:
            return
        sent, known = response.request.headers, self.headers
        if stays_on_origin(response) and (known is None or known is sent):
            self.headers = None  # nobody sends copies
            return
        drop_from(sent)
        drop_from(sent if known is None else known)


def hooks_of(request: requests.PreparedRequest) -> list[Any]:
    """The response hooks of a request, as a list that may be changed."""
    hooks = request.hooks.get("response") if isinstance(request.hooks, dict) else None
    if not isinstance(hooks, list):  # somebody has taken them away, or put one in place of a list
        hooks = [hooks] if callable(hooks) else list(hooks or ())
        request.hooks = {**(request.hooks or {}), "response": hooks}
    return hooks


def _carry_over(copied: requests.PreparedRequest, sent: requests.PreparedRequest) -> None:
    """Copy the new tokens to the request that is sent again, if an adapter below sends copies."""
    for name in ("Authorization", SESSION_HEADER, IMP_SESSION_HEADER):
        if copied is not sent and name in copied.headers:
            sent.headers[name] = copied.headers[name]


def drop_from(headers: Any) -> None:
    """Take the session header off, under both its names."""
    headers.pop(SESSION_HEADER, None)
    headers.pop(IMP_SESSION_HEADER, None)


def stays_on_origin(response: requests.Response) -> bool:
    """Whether a redirect certainly stays on its origin: judged by its text, nothing is guessed."""
    location = response.headers["Location"]
    if _ONLY_A_PATH.fullmatch(location):
        return True
    origin = _ORIGIN.match(str(response.request.url))
    return origin is not None and location.startswith(origin[0]) and not re.search(r"[\\\s]", location)


def _is_about_session(response: requests.Response) -> bool:
    """Whether the response says that the session token is the trouble; one that cannot be read does not."""
    try:
        return is_session_error(response.content)
    except (requests.RequestException, RuntimeError):  # RuntimeError: it was read as a stream
        return False


def _is_rewound(request: requests.PreparedRequest) -> bool:
    """Bring the body back to where it was; False if it cannot be sent whole once more."""
    body: Any = request.body
    if body is None or isinstance(body, (str, bytes, bytearray)):
        return True
    try:
        rewind_body(request)
    except (UnrewindableBodyError, OSError, ValueError):  # ValueError: a file that was closed
        return False
    return True


def _release(response: requests.Response, streamed: bool) -> None:
    """Return the connection of a response that nobody will read to its pool."""
    with contextlib.suppress(requests.RequestException):
        if not streamed:
            _ = response.content  # read to its end, the connection can be used again
    response.close()
