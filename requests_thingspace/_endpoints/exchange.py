"""One bounded, truthful HTTP exchange with ThingSpace's auth endpoints.

No redirect is followed, at most 1 MiB is read, and the whole exchange, every retry and a server that
drips its headers included, ends within the timeout. A failure tells what happened, and neither what was
sent nor what came back: a server can say a secret in a status line, a header or a chunk size, and
http.client and urllib3 quote it.
"""

from __future__ import annotations

import logging
import math
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import Any, NamedTuple

import requests
from requests.exceptions import ChunkedEncodingError
from urllib3.connection import CertificateError  # type: ignore[attr-defined]  # its home has moved
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

from .._errors import ThingspaceError
from .._settings import Settings
from .._values import Secret, one_line
from .answers import Answer, retry_after
from .worker import Call

LARGEST_BODY = 2**20  # bytes of an answer after decompression; a token answer has a few hundred
_PIECE = 1024  # bytes of a read: even at deflate's best ratio one piece inflates to 1 MiB at most
_CODINGS = ("", "identity", "gzip", "deflate")  # a piece of any other, or of two, may inflate to gigabytes
_RETRIED_STATUSES = frozenset((429, 502, 503, 504))
_SHOWN_HEADERS = ("Content-Type", "Date", "Retry-After")

LONGEST_WAIT = 60.0  # seconds to wait for an answer that must be heard though its caller has gone

_HEADERS = {
    "Accept": "application/json",
    "Accept-Encoding": "identity",
    "User-Agent": requests.utils.default_user_agent(),
}

quiet: ContextVar[bool] = ContextVar("thingspace_quiet", default=False)
"""Whether other libraries' loggers, which quote what passes through them, are silent in this context."""


class Transport(NamedTuple):
    """The way to an auth endpoint: a Session's adapters and settings, or those of the triggering request.

    The Session is read, never changed: its cookies, headers, hooks and auth stay out of it.
    """

    session: requests.Session | None = None
    settings: Mapping[str, Any] | None = None  # proxies, verify and cert, in place of the session's own
    send: Callable[..., requests.Response] | None = None  # an adapter's, in place of the session's

    @contextmanager
    def response(self, request: requests.PreparedRequest, timeout: float) -> Iterator[requests.Response]:
        """Send `request` once, and give its response, whose body is not yet read."""
        with _IsolatedSession(self.session) as isolated:  # urllib3 1.26 does not close what it leaves behind
            session, url = isolated if self.session is None else self.session, str(request.url)
            found: Any = self.settings or session.merge_environment_settings(url, {}, True, None, None)
            settings = {"verify": found.get("verify", True), "cert": found.get("cert")}
            # plain http goes to loopback only, and never through a proxy, which would see the secrets
            settings["proxies"] = {} if url.startswith("http:") else found.get("proxies")
            send = self.send or isolated.send
            with send(request, stream=True, timeout=timeout, **settings) as response:
                yield response


class _IsolatedSession(requests.Session):
    """Sends by the adapters of another Session if there is one, and keeps cookies to itself.

    What replaces or watches ``Session.send`` (requests-mock, tracing) sees token calls too.
    """

    def __init__(self, of: requests.Session | None) -> None:
        super().__init__()
        if of is not None:
            self.get_adapter = of.get_adapter  # type: ignore[method-assign]

    def get_redirect_target(self, resp: requests.Response) -> None:
        """None, ever: ``send`` would read the body of a redirect, however large it is."""


class Failure(NamedTuple):
    """An attempt that brought no answer."""

    error: requests.RequestException
    was_sent: bool  # the request may have left
    is_broken: bool  # the connection failed in a way that may pass


class Exchange(NamedTuple):
    """How an endpoint is talked to.

    If it is `repeatable`, 429, 502, 503, 504 and broken connections are tried again, though the request
    may have arrived. Otherwise only a connection that could not be made is.
    """

    transport: Transport
    settings: Settings
    error: type[ThingspaceError]  # for what requests has no class for
    secrets: tuple[Secret[str], ...]  # what no message may show, besides what a request is signed with
    repeatable: bool = False
    pauses: tuple[float, ...] = (0.25, 0.75)  # seconds before each further attempt

    def call(self, url: str, signed: Secret[str], sent: Secret[Any], keep: Any = None) -> Answer:
        """Send a request until there is an answer, within the timeout in all.

        `signed` is its ``Authorization``, and `sent` what else requests' Request takes, such as
        ``{"json": document}``. `keep` is given each attempt before it begins, which then goes on without
        this caller, for :data:`LONGEST_WAIT` at most.
        """
        exchange = self._replace(secrets=(*self.secrets, Secret(signed.reveal().partition(" ")[2])))
        request = requests.Request("POST", url, **sent.reveal()).prepare()
        request.headers.update(_HEADERS, Authorization=signed.reveal())
        deadline = time.monotonic() + self.settings.timeout
        for pause in (*self.pauses, math.inf):  # pragma: no branch - the last one never fits
            outcome = exchange._attempt(request, deadline, keep)
            if isinstance(outcome, Failure):
                again, wait = not outcome.was_sent or (self.repeatable and outcome.is_broken), pause
            else:
                again = self.repeatable and outcome.status in _RETRIED_STATUSES
                wait = max(pause, outcome.retry_after or 0.0)
            if not again or time.monotonic() + wait >= deadline:
                break
            time.sleep(wait)
        if isinstance(outcome, Failure):
            raise outcome.error
        return outcome

    def _attempt(self, request: requests.PreparedRequest, deadline: float, keep: Any) -> Answer | Failure:
        """One attempt, given up at `deadline` (monotonic seconds) or left to go on."""
        left = max(deadline - time.monotonic(), 0.001)
        call = Call(lambda: self._send(request, max(left, LONGEST_WAIT) if keep else left))
        try:
            if keep:
                keep(call)
            call.start()
            if call.wait(left):
                return call.result()
        finally:
            if not keep:
                call.end()
        return self._failed(requests.Timeout(), request)

    def _send(self, request: requests.PreparedRequest, seconds: float) -> Answer | Failure:
        """Send `request` once, in the thread that calls this; only its reads are bounded by `seconds`."""
        quiet.set(True)
        sent_at, deadline = self.settings.clock.wall(), time.monotonic() + seconds
        try:
            with self.transport.response(request, seconds) as response:
                body = Secret(_bounded_body(response, deadline))
                wait = retry_after(response.headers.get("Retry-After"), self.settings.clock.wall())
                shown = {name: response.headers[name] for name in _SHOWN_HEADERS if name in response.headers}
                return Answer(response.status_code, body, sent_at, wait, shown, self.secrets)
        except Exception as failure:  # noqa: BLE001 - an adapter of any kind may be in use
            return self._failed(failure, request)

    def _failed(self, failure: Exception, request: requests.PreparedRequest) -> Failure:
        """`failure` made anew as requests' own class or :attr:`error`.

        The old one holds the request, its frames, and exceptions that quote what the server said.
        """
        reason = getattr(next(iter(failure.args), None), "reason", None)
        was_sent = not isinstance(reason, (NewConnectionError, ConnectTimeoutError))
        is_broken = _is_broken(failure)
        kind = next((k for k in type(failure).__mro__ if k.__module__ == requests.exceptions.__name__), None)
        if isinstance(failure, requests.Timeout):
            words = f"{request.url} gave no complete answer within {self.settings.timeout:g} seconds"
        else:
            words = f"the exchange with {request.url} failed: {one_line(_cause(failure), self.secrets)}"
        if kind is None or not issubclass(kind, (requests.ConnectionError, requests.Timeout)):
            return Failure(self.error(words, retryable=is_broken), was_sent, is_broken)
        bare = requests.PreparedRequest()
        bare.method, bare.url = request.method, request.url
        bare.headers = requests.structures.CaseInsensitiveDict()
        return Failure(kind(words, request=bare), was_sent, is_broken)


def _bounded_body(response: requests.Response, deadline: float) -> bytes:
    """The decompressed body, refused beyond :data:`LARGEST_BODY` or `deadline`.

    What is refused before it is read takes its connection with it. After an interim answer, which
    http.client takes for the final one, the next request on it would get the answer to this one.
    """
    if response.status_code < 200:
        raise requests.RequestException(f"HTTP {response.status_code} is not a final answer")
    if response.headers.get("Content-Encoding", "").lower() not in _CODINGS:
        raise requests.RequestException("the answer has a Content-Encoding that was not asked for")
    with suppress(AttributeError):  # an adapter of any kind may be in use
        response.raw.enforce_content_length = True  # urllib3 1.26 takes an answer that was cut off for whole
    body = bytearray()
    for piece in response.iter_content(_PIECE):
        body += piece
        if len(body) > LARGEST_BODY:
            raise requests.RequestException(f"the answer is larger than {LARGEST_BODY} bytes")
        if time.monotonic() > deadline:
            raise requests.Timeout
    return bytes(body)


def _is_broken(failure: Exception) -> bool:
    """Whether the connection failed in a way that may pass; a bad certificate does not."""
    return isinstance(failure, (requests.ConnectionError, ChunkedEncodingError)) and not any(
        isinstance(link, (ssl.SSLCertVerificationError, CertificateError)) for link in _chain(failure)
    )


def _cause(failure: Exception) -> str:
    """What brought `failure` about, in words of the operating system, OpenSSL or requests.

    All three are OSErrors. Of any other exception only the name is sure not to quote the server.
    """
    chain = _chain(failure)
    if isinstance(chain[-1], OSError):
        words = str(chain[-1])
        return words if words.startswith("[Errno ") else f"{type(chain[-1]).__name__}: {words}"
    return ": ".join(type(link).__name__ for link in chain)


def _chain(failure: Exception) -> list[BaseException]:
    """`failure` and all that brought it about; urllib3 keeps some of it in the args alone."""
    chain: list[BaseException] = [failure]
    while True:
        top = chain[-1]
        given = next((arg for arg in top.args if isinstance(arg, BaseException)), None)
        below = top.__cause__ or top.__context__ or given
        if below is None or below in chain:
            return chain
        chain.append(below)


def _may_pass(record: logging.LogRecord) -> bool:
    """Whether a record may be logged.

    urllib3 quotes headers that it cannot parse, and requests-oauthlib reports the stand-ins that it is shown.
    """
    quotes = record.name.startswith("requests_oauthlib") or record.levelno >= logging.WARNING
    return not (quotes and quiet.get())


for _name in ("urllib3.connection", "urllib3.connectionpool", "requests_oauthlib.oauth2_session"):
    logging.getLogger(_name).addFilter(_may_pass)
