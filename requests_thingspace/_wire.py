"""One bounded, truthful HTTP exchange with ThingSpace's auth endpoints.

The law here: no redirect is followed, at most 1 MiB is read, and the whole exchange, every retry and
a server that drips its headers included, ends within the timeout.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, Protocol, TypeVar

import requests

from ._answers import Answer, retry_after
from ._errors import ThingspaceError
from ._failures import THREAD, is_broken_connection, presentable, was_not_sent

LARGEST_BODY = 2**20
"""Bytes of an answer after decompression; a token answer has a few hundred."""

_PIECE = 1024  # bytes of a read: even at deflate's best ratio one piece inflates to 1 MiB at most
_CODINGS = ("", "identity", "gzip", "deflate")  # a piece of any other, or of two, may inflate to gigabytes
_RETRIED_STATUSES = frozenset((429, 502, 503, 504))
_PAUSES = (0.25, 0.75)  # seconds before the second and third attempt

T = TypeVar("T")


class Send(Protocol):
    """``HTTPAdapter.send``, and anything that is called like it."""

    def __call__(  # noqa: PLR0917 - the signature is requests' own
        self,
        request: requests.PreparedRequest,
        stream: bool = ...,
        timeout: Any = ...,
        verify: Any = ...,
        cert: Any = ...,
        proxies: Any = ...,
    ) -> requests.Response:
        """Send `request` and give back its response, headers read, body not."""


class Route(NamedTuple):
    """By which way an auth endpoint is reached.

    Attributes:
        session: the Session whose adapters and settings are used; a new one where it is ``None``.
            It is read, never changed: its cookies, headers, hooks and auth stay out of it.
        settings: ``proxies``, ``verify`` and ``cert`` as a face saw them; else the session's own.
        send: the adapter to send with instead of the session's.
    """

    session: requests.Session | None = None
    settings: Mapping[str, Any] | None = None
    send: Send | None = None

    def open(self, request: requests.PreparedRequest, timeout: float) -> requests.Response:
        """Send `request` once and give back its response, whose body is not yet read."""
        session = requests.Session() if self.session is None else self.session
        url = str(request.url)
        settings = self.settings or session.merge_environment_settings(url, {}, True, None, None)
        send: Callable[..., requests.Response] = self.send or _Courier(session).send
        return send(
            request,
            stream=True,
            timeout=timeout,
            verify=settings.get("verify", True),
            cert=settings.get("cert"),
            proxies=settings.get("proxies"),
        )


class _Courier(requests.Session):
    """Sends by the adapters of another Session, and keeps cookies to itself.

    It goes through ``Session.send``, so that what stands in for that method (requests-mock) or watches
    it (tracing) does so for token calls too.
    """

    def __init__(self, of: requests.Session) -> None:
        super().__init__()
        self._adapter_for = of.get_adapter

    def get_adapter(self, url: str | bytes) -> Any:
        """The adapter that the other Session has for `url`."""
        return self._adapter_for(str(url))

    def get_redirect_target(self, resp: requests.Response) -> None:
        """None, ever: ``send`` would read the body of a redirect, however large it is."""


def exchange(
    request: requests.PreparedRequest,
    route: Route,
    timeout: float,
    *,
    repeatable: bool,
    error: type[ThingspaceError],
    secrets: Iterable[str],
    wall: Callable[[], float] = time.time,
    pauses: Iterable[float] = _PAUSES,
) -> Answer:
    """Send `request` until there is an answer, within `timeout` seconds in all.

    Args:
        request: what to send; its body is bytes or text, so that it can be sent again.
        route: the way to send it.
        timeout: seconds for the whole exchange.
        repeatable: whether it may be sent again though it may have arrived: 429, 502, 503, 504 and
            broken connections are then tried again. Otherwise only a connection that could not be
            made is.
        error: the class of errors that requests has no class for.
        secrets: what must not show up in a message.
        wall: the wall clock, Unix time in seconds.
        pauses: seconds to wait before each further attempt.

    Raises:
        requests.ConnectionError, requests.Timeout, requests.exceptions.SSLError: as requests does.
        ThingspaceError: of class `error`, for everything else.
    """
    deadline = time.monotonic() + timeout
    remaining = iter(pauses)
    while True:
        failure: Exception | None = None
        try:
            answer = _attempt(request, route, deadline, wall)
            again = repeatable and answer.status in _RETRIED_STATUSES
        except Exception as caught:  # noqa: BLE001 - an adapter of any kind may be in use
            failure = caught
            again = was_not_sent(failure) or (repeatable and is_broken_connection(failure))
        pause = next(remaining, None) if again else None
        if pause is not None and failure is None:
            pause = max(pause, answer.retry_after or 0.0)
        if pause is None or time.monotonic() + pause >= deadline:
            if failure is None:
                return answer
            raise presentable(failure, request, timeout, error, secrets)
        time.sleep(pause)


def _attempt(
    request: requests.PreparedRequest,
    route: Route,
    deadline: float,
    wall: Callable[[], float],
) -> Answer:
    """One attempt, given up at `deadline` (monotonic seconds) whatever the server does."""
    left = max(deadline - time.monotonic(), 0.001)
    too_late = requests.Timeout()

    def work() -> Answer:
        sent_at = wall()
        response = route.open(request, left)
        try:
            body = _bounded_body(response, deadline, too_late)
            wait = retry_after(response.headers.get("Retry-After"), wall())
            return Answer(response.status_code, body, sent_at, wait)
        finally:
            response.close()

    return within(left, work, too_late)


def within(seconds: float, work: Callable[[], T], too_late: Exception) -> T:
    """What `work` returns or raises, or `too_late` raised when `seconds` have passed.

    The timeouts of requests count from byte to byte, so that a server which drips its headers holds
    a caller for hours, and a name server is not bounded at all. Therefore `work` runs in a thread of
    its own, which is left behind when its time is up.
    """
    outcome: queue.SimpleQueue[tuple[T | None, BaseException | None]] = queue.SimpleQueue()

    def job() -> None:
        try:
            outcome.put((work(), None))
        except BaseException as failure:  # noqa: BLE001 - raised again in the caller
            outcome.put((None, failure))

    from contextvars import copy_context  # only a token call needs it

    run = copy_context().run
    try:
        threading.Thread(target=run, args=(job,), name=THREAD, daemon=True).start()
    except RuntimeError:  # no more threads, as at the end of the interpreter (atexit)
        job()
    try:
        result, failure = outcome.get(timeout=seconds)
    except queue.Empty:
        raise too_late from None
    if failure is not None:
        raise failure
    return result  # type: ignore[return-value]  # None only beside a failure, or if T allows it


def _bounded_body(response: requests.Response, deadline: float, too_late: Exception) -> bytes:
    """The decompressed body, refused beyond :data:`LARGEST_BODY` or `deadline`.

    What is refused before it is read takes its connection with it. After an interim answer, which
    http.client takes for the final one, the next request on it would get the answer to this one.
    """
    if response.status_code < 200:
        raise requests.RequestException(f"HTTP {response.status_code} is no final answer")
    if response.headers.get("Content-Encoding", "").lower() not in _CODINGS:
        raise requests.RequestException("the answer has a Content-Encoding that was not asked for")
    body = bytearray()
    for piece in response.iter_content(_PIECE):
        body += piece
        if len(body) > LARGEST_BODY:
            raise requests.RequestException(f"the answer is larger than {LARGEST_BODY} bytes")
        if time.monotonic() > deadline:
            raise too_late
    return bytes(body)
