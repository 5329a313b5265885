"""Who may see what: the gateway looks for the resource, then at the bearer, then at the session token.

One `Gateway` is the WSGI application of one origin.
"""

from __future__ import annotations

import errno
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from ._answers import (
    Answer,
    cloud_connector_refusal,
    m2m_error,
    missing_credentials,
    no_such_resource,
    reason,
    wrong_bearer,
)
from ._calls import Call
from ._requests import Request, read_request
from ._routes import Needs, Place, Platform, Route, routes
from ._sessions import M2MError

_NO_BODY = (204, 205, 304)


class Gateway:
    """The WSGI application (PEP 3333) of one origin."""

    def __init__(self, platform: Platform, place: Place) -> None:
        """Serve `place`."""
        self._platform = platform
        self._place = place
        self._routes = routes(platform)

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., object]) -> Iterable[bytes]:
        """Answer one request, and count it.

        Raises:
            ConnectionResetError: a fault drops the connection; cheroot closes it without a word.
        """
        request, started = read_request(environ), time.monotonic()
        route = next((route for route in self._routes if route.leads(self._place, request)), None)
        endpoint = route.endpoint if route else "api"
        arrived_in = self._platform.calls.receive(endpoint)
        fault = self._platform.faults.meet(endpoint)
        if fault is None:
            answer = self._answer(route, request)
        elif fault.answer is not None:
            answer = fault.answer
        else:
            raise ConnectionResetError(errno.ECONNRESET, "The sandbox was told to drop this connection.")
        seconds = time.monotonic() - started
        call = Call(endpoint, request.method, request.path, answer.status, seconds)
        self._platform.calls.answer(call, arrived_in)
        return _send(answer, request.method, start_response)

    def _answer(self, route: Route | None, request: Request) -> Answer:
        if route is None:
            return no_such_resource(request.path)
        try:
            return self._refusal(route.needs, request) or route.respond(request)
        except M2MError as refused:
            return m2m_error(refused.code, refused.message)

    def _refusal(self, needs: Needs, request: Request) -> Answer | None:
        """Why this request is not let in; ``None`` if it is."""
        if needs is Needs.NOTHING:
            return None
        scheme, _, access_token = request.authorization.partition(" ")
        if scheme.lower() != "bearer":
            return missing_credentials("Bearer")
        if not self._platform.ledger.accepts(access_token.strip()):
            return wrong_bearer(request.path)
        if needs is Needs.BEARER or not self._platform.m2m_sessions:
            return None
        try:
            self._platform.contact.use(request.headers.get(self._place.value[0]))
        except M2MError:
            if needs is not Needs.CLOUD_CONNECTOR:
                raise
            return cloud_connector_refusal()
        return None


def _send(answer: Answer, method: str, start_response: Callable[..., object]) -> Iterable[bytes]:
    """Hand the answer to the server; a body that is shorter than its headers say ends in a broken line."""
    headers, body = dict(answer.headers), answer.body
    declared = next((name for name in headers if name.lower() == "content-length"), None)
    if isinstance(body, bytes) and declared is None and answer.status not in _NO_BODY:
        headers["Content-Length"] = str(len(body))
    start_response(f"{answer.status} {reason(answer.status)}", list(headers.items()))
    if method == "HEAD" or answer.status in _NO_BODY:
        return ()
    if not isinstance(body, bytes):
        return body
    return _cut_off(body) if declared and headers[declared] != str(len(body)) else (body,)


def _cut_off(body: bytes) -> Iterator[bytes]:
    yield body
    raise ConnectionResetError(errno.ECONNRESET, "The answer is shorter than it promised.")
