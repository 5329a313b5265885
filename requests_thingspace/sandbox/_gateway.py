"""Who may see what: the gateway looks for the resource, then at the bearer, then at the session token.

The three origins differ in their resources, and in the name of the session token's header: ``SessionToken``
on ``imp.``, ``VZ-M2M-Token`` elsewhere (Verizon's SDK 2.0.0). The OAuth endpoints are on ``5gedge.`` as well
(5G Edge, "Getting Started"), and what each resource needs is what its Verizon page says.
"""

from __future__ import annotations

import errno
import re
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum
from functools import cached_property, partial
from typing import Any

from . import _resources
from ._answers import cloud_connector_refusal, missing_credentials, no_such_resource, wrong_bearer
from ._calls import Call, Calls
from ._http import Answer, Request, read_request
from ._oauth import OAuth
from ._sessions import Contact, M2MError

Place = Enum("Place", "MAIN IMP EDGE")  # the three origins
# What a request must bring; CLOUD_CONNECTOR is a session whose refusal comes in other words.
Needs = Enum("Needs", "NOTHING BEARER SESSION CLOUD_CONNECTOR")


@dataclass(frozen=True)
class Route:
    """A resource."""

    method: str  # *: any
    path: str  # a regular expression
    needs: Needs
    respond: Callable[[Request], Answer]
    places: tuple[Place, ...] = (Place.MAIN,)
    endpoint: str = "api"

    def leads(self, place: Place, request: Request) -> bool:
        """Whether this resource is meant."""
        right_method = self.method in ("*", request.method)
        return place in self.places and right_method and bool(re.fullmatch(self.path, request.path))


@dataclass(frozen=True)
class Platform:
    """What the three origins share; `serve` is their WSGI application.

    Without `m2m_sessions` a bearer is all that a resource needs. A `lenient` platform has every account, and
    a plausible answer for every path under ``/api/``.
    """

    oauth: OAuth
    contact: Contact
    calls: Calls
    m2m_sessions: bool
    lenient: bool

    @cached_property
    def _routes(self) -> tuple[Route, ...]:
        nothing, bearer, session, cloud_connector = Needs
        main, imp, edge = ((place,) for place in Place)
        account = partial(_resources.account, lenient=self.lenient)
        devices = partial(_resources.devices, lenient=self.lenient)
        known = (
            Route("POST", "/api/ts/v1/oauth2/token", nothing, self.oauth.token, main + edge, "token"),
            Route("POST", "/api/ts/v1/oauth2/revoke", nothing, self.oauth.revoke, main + edge, "revoke"),
            Route("POST", "/api/m2m/v1/session/login", bearer, self.contact.login, main, "login"),
            Route("POST", "/api/m2m/v1/session/logout", bearer, self.contact.logout, main, "logout"),
            Route("GET", "/api/m2m/v1/accounts/[^/]+", session, account),
            Route("POST", "/api/m2m/v1/devices/actions/list", session, devices),
            Route("POST", "/api/cc/v1/targets/actions/query", cloud_connector, _resources.targets),
            Route("GET", "/api/mec/eds/serviceendpoints", bearer, _resources.service_endpoints, edge),
            Route("POST", "/api/v2/clients/registration", session, _resources.registration, imp),
            Route("*", "/sandbox/echo", bearer, _resources.echo, tuple(Place)),
            Route("*", "/sandbox/redirect", bearer, _resources.redirect, tuple(Place)),
            Route("*", "/sandbox/bytes", bearer, _resources.download, tuple(Place)),
            Route("*", "/sandbox/status/[^/]*", bearer, _resources.status, tuple(Place)),
        )
        anything = (
            Route("*", "/api/.*", session, _resources.plausible, main + imp),
            Route("*", "/api/.*", bearer, _resources.plausible, edge),
        )
        return known + anything if self.lenient else known

    def serve(
        self, place: Place, environ: dict[str, Any], start_response: Callable[..., object]
    ) -> Iterable[bytes]:
        """Answer one request, and count it.

        Raises:
            ConnectionResetError: a fault drops the connection; cheroot closes it without a word.
        """
        request, started = read_request(environ), time.monotonic()
        route = next((route for route in self._routes if route.leads(place, request)), None)
        endpoint = route.endpoint if route else "api"
        fault = self.calls.receive(endpoint)
        answer = fault.answer if fault else self._answer(place, route, request)
        if answer is None:
            raise ConnectionResetError(errno.ECONNRESET, "The sandbox was told to drop this connection.")
        seconds = time.monotonic() - started
        self.calls.answer(Call(endpoint, request.method, request.path, answer.status, seconds))
        return answer.send(request.method, start_response)

    def _answer(self, place: Place, route: Route | None, request: Request) -> Answer:
        if route is None:
            return no_such_resource(request.path)
        try:
            return self._refusal(place, route.needs, request) or route.respond(request)
        except M2MError as refused:
            return cloud_connector_refusal() if route.needs is Needs.CLOUD_CONNECTOR else refused.answer

    def _refusal(self, place: Place, needs: Needs, request: Request) -> Answer | None:
        """Why this request is not let in, or an `M2MError` that says so; ``None`` if it is."""
        if needs is Needs.NOTHING:
            return None
        scheme, _, access_token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            return missing_credentials("Bearer")
        if not self.oauth.accepts(access_token.strip()):
            return wrong_bearer(request.path)
        if needs is not Needs.BEARER and self.m2m_sessions:
            self.contact.use(request.headers.get("sessiontoken" if place is Place.IMP else "vz-m2m-token"))
        return None
