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

MOST_SENDS = 4  # of one call, per URL
_SESSION_HEADERS = (SESSION_HEADER, IMP_SESSION_HEADER)
_TOKEN_HEADERS = ("Authorization", *_SESSION_HEADERS)


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
    """
    tried: Tried = {}
    try:
        for _ in range(MOST_SENDS - 1):
            credential = stamp.prepare_replay(response, transport, tried, streamed)
            if credential is None:
                break
            _carry_over(response.request, sent)
            if not _is_rewound(sent):
                credential.publish("request_not_replayed", reason="its body cannot be sent again")
                break
            _release(response, streamed)
            response = resend()
            credential.publish("request_replayed", status=response.status_code)
    except BaseException:
        response.close()
        raise
    stamp.note_use(response)
    stamp.drop_tokens(response)
    return response


class Guard:
    """A response hook that lets no token follow a redirect to another origin, and knows nothing else.

    A pickled response or request carries it in place of a :class:`Stamp`, so it holds no secret.
    """

    __slots__ = ("has_our_session", "original_headers")

    def __init__(self, has_our_session: bool = False, original_headers: Any = None) -> None:
        self.has_our_session = has_our_session
        self.original_headers = original_headers  # with which the Session follows redirects, if it has

    def __call__(self, response: requests.Response, **_: Any) -> Any:
        self.drop_tokens(response)

    def drop_tokens(self, response: requests.Response) -> None:
        """Drop both tokens unless the redirect certainly stays on its origin.

        requests strips only ``Authorization``, and not from http to https on one host. If an adapter below
        sends copies, the request that the Session follows the next redirect with is out of reach, so the
        session header does not stay for a redirect on its origin either.
        """
        if not response.is_redirect:
            return
        sent, stays = response.request.headers, stays_on_origin(response)
        original = sent if self.original_headers is None else self.original_headers
        if stays and original is sent:
            self.original_headers = None  # nobody sends copies
            return
        for name in _SESSION_HEADERS if stays else _TOKEN_HEADERS:
            sent.pop(name, None)
            original.pop(name, None)

    def __reduce__(self) -> tuple[Any, ...]:
        """As a guard, so that no pickle holds credentials."""
        return Guard, (self.has_our_session,)


class Stamp(Guard):
    """Marks a request as ours, whatever its headers are by now, and reviews its response."""

    __slots__ = ("credentials", "current")

    def __init__(
        self, credentials: Credentials, current: Callable[[], Credentials], original_headers: Any = None
    ) -> None:
        super().__init__(original_headers is not None, original_headers)
        self.credentials, self.current = credentials, current  # whose tokens are on it; the auth's by now

    def put_on(self, request: requests.PreparedRequest, header: str, transport: Any = None) -> Stamp:
        """Put both tokens on a covered request, the bearer last, since a login may bring a new one.

        The session token goes into `header`, unless the caller has set that. The request's stamp is returned.
        """
        bearer, session, stamp = self.credentials.bearer, self.credentials.session, self
        hooks = (request.hooks or {}).get("response")  # of a new request: an empty list
        if hooks or not isinstance(hooks, list):
            hooks = _unstamped_hooks_of(request)
        if session is not None and header not in request.headers:
            session.put(request, header, session.get(transport))
            stamp = Stamp(self.credentials, self.current, request.headers)
        bearer.put(request, header, bearer.get(transport))
        hooks.insert(0, stamp)  # before a hook that raises for a status
        return stamp

    @staticmethod
    def is_on(request: requests.PreparedRequest) -> bool:
        return any(isinstance(hook, Stamp) for hook in hooks_of(request))

    def __call__(self, response: requests.Response, **send_kwargs: Any) -> requests.Response | None:
        """Review `response`; a replay is sent by the same connection, with the same arguments."""
        request, connection = response.request, getattr(response, "connection", None)
        send: Any = getattr(connection, "send", None)
        if send is None and response.status_code in REFUSALS:
            return None  # a mocked response, which nobody can send again

        def resend() -> requests.Response:
            started = time.perf_counter()
            again: requests.Response = send(request, **send_kwargs)
            again.elapsed = timedelta(seconds=time.perf_counter() - started)
            return again

        transport, streamed = self.credentials.transport(send_kwargs, send), bool(send_kwargs.get("stream"))
        return review(response, resend, self, transport, sent=request, streamed=streamed)

    def prepare_replay(
        self, response: requests.Response, transport: Transport, tried: Tried, streamed: bool
    ) -> Credential[Any] | None:
        """Stamp a refused request with another token; the credential that was to blame, if any."""
        request, status, ours = response.request, response.status_code, self.has_our_session
        if status not in REFUSALS:
            return None
        credentials = self.current()
        session_header = credentials.settings.environment.session_header_for(str(request.url))
        if session_header is None or not credentials.same_client_as(self.credentials):
            return None
        about_session = ours and not streamed and _is_about_session(response)
        blamed = credentials.blamed(status, about_session=about_session, with_session=ours)
        if not blamed:
            return None
        session = credentials.session if ours else None
        has_lost = session is not None and session.put_back(request, session_header, transport)
        if credentials.bearer.put_back(request, session_header, transport) or has_lost:
            return blamed[0]  # that the request was refused proves nothing about the tokens
        for credential in blamed:
            if credential.restamp(request, session_header, transport, tried):
                return credential
        reason = "the refused token is the newest that there is, or something else signed the request"
        blamed[0].publish("request_not_replayed", status=status, reason=reason)
        return None

    def note_use(self, response: requests.Response) -> None:
        """An accepted call prolongs the session; an answer out of an HTTP cache is not one."""
        session = self.credentials.session if self.has_our_session else None
        if session is not None and response.status_code < 400 and not getattr(response, "from_cache", False):
            session.note_use()


def hooks_of(request: requests.PreparedRequest) -> list[Any]:
    """The response hooks of a request, as a list that may be changed."""
    hooks = request.hooks.get("response") if isinstance(request.hooks, dict) else None
    if not isinstance(hooks, list):  # somebody has taken them away, or put one in place of a list
        hooks = [hooks] if callable(hooks) else list(hooks or ())
        request.hooks = {**(request.hooks or {}), "response": hooks}
    return hooks


def _unstamped_hooks_of(request: requests.PreparedRequest) -> list[Any]:
    """The response hooks of a request without what an earlier pass through an auth has left."""
    hooks = hooks_of(request)
    for hook in list(hooks):
        if isinstance(hook, Guard):
            hooks.remove(hook)
            if hook.has_our_session:
                for name in _SESSION_HEADERS:  # else it would be taken for the caller's
                    request.headers.pop(name, None)
    return hooks


def _carry_over(copied: requests.PreparedRequest, sent: requests.PreparedRequest) -> None:
    """Copy the new tokens to the request that is sent again, if an adapter below sends copies."""
    for name in _TOKEN_HEADERS:
        if copied is not sent and name in copied.headers:
            sent.headers[name] = copied.headers[name]


def stays_on_origin(response: requests.Response) -> bool:
    """Whether a redirect certainly stays on its origin: judged by its text, nothing is guessed."""
    location = response.headers["Location"]
    origin = re.match(r"https?://[^/?#]*/", str(response.request.url))
    is_relative = location.startswith("/") and not location.startswith("//")
    is_same = is_relative or (origin is not None and location.startswith(origin[0]))
    return is_same and not re.search(r"[\\\s]", location)


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
