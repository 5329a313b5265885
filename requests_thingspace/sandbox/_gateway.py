"""Who may see what: the gateway looks for the resource, then at the bearer, then at the session token.

The three origins differ in their resources, and in the name of the session token's header: ``SessionToken``
on ``imp.``, ``VZ-M2M-Token`` elsewhere (Verizon's SDK 2.0.0). The OAuth endpoints are on ``5gedge.`` as well
(5G Edge, "Getting Started"), and what each resource needs is what its Verizon page says.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from functools import cached_property, partial
from typing import NamedTuple

from . import _messages, _resources
from ._calls import Call, Calls
from ._messages import Answer, Place, RefusedError, Request
from ._oauth import OAuth
from ._sessions import Contact

Needs = Enum("Needs", "NOTHING BEARER SESSION")  # what a request must bring


class Route(NamedTuple):
    """A resource."""

    pattern: str  # a regular expression for method and path
    needs: Needs
    respond: Callable[[Request], Answer]
    places: tuple[Place, ...] = (Place.MAIN,)
    endpoint: str = "api"


@dataclass(frozen=True)
class Platform:
    """What the three origins share.

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
        nothing, bearer, session = Needs
        main, imp, edge = ((place,) for place in Place)
        everywhere = tuple(Place)
        account = partial(_resources.account, lenient=self.lenient)
        devices = partial(_resources.devices, lenient=self.lenient)
        known = (
            Route("POST /api/ts/v1/oauth2/token", nothing, self.oauth.token, main + edge, "token"),
            Route("POST /api/ts/v1/oauth2/revoke", nothing, self.oauth.revoke, main + edge, "revoke"),
            Route("POST /api/m2m/v1/session/login", bearer, self.contact.login, main, "login"),
            Route("POST /api/m2m/v1/session/logout", bearer, self.contact.logout, main, "logout"),
            Route("GET /api/m2m/v1/accounts/[^/]+", session, account),
            Route("POST /api/m2m/v1/devices/actions/list", session, devices),
            Route("POST /api/cc/v1/targets/actions/query", session, _resources.targets),
            Route("GET /api/mec/eds/serviceendpoints", bearer, _resources.service_endpoints, edge),
            Route("POST /api/v2/clients/registration", session, _resources.registration, imp),
            Route(".* /sandbox/echo", bearer, _resources.echo, everywhere),
            Route(".* /sandbox/redirect", bearer, _resources.redirect, everywhere),
            Route(".* /sandbox/bytes", bearer, _resources.download, everywhere),
            Route(".* /sandbox/status/[^/]*", bearer, _resources.status, everywhere),
        )
        plausible = (
            Route(".* /api/.*", session, _resources.plausible, main + imp),
            Route(".* /api/.*", bearer, _resources.plausible, edge),
        )
        nowhere = Route("(?s).*", nothing, _messages.no_such_resource, everywhere)
        return (*known, *(plausible if self.lenient else ()), nowhere)

    def respond(self, place: Place, request: Request) -> Answer | None:
        """Answer one request, and count it; ``None`` drops the connection."""
        asked, started = f"{request.method} {request.path}", time.monotonic()
        here = (route for route in self._routes if place in route.places)
        route = next(route for route in here if re.fullmatch(route.pattern, asked))
        fault = self.calls.receive(route.endpoint)
        answer = fault.answer if fault else self._answer(place, route, request)
        if answer is not None:
            seconds = time.monotonic() - started
            self.calls.answer(Call(route.endpoint, request.method, request.path, answer.status, seconds))
        return answer

    def _answer(self, place: Place, route: Route, request: Request) -> Answer:
        try:
            self._let_in(place, route.needs, request)
            return route.respond(request)
        except RefusedError as refused:
            return refused.answer

    def _let_in(self, place: Place, needs: Needs, request: Request) -> None:
        """Check the tokens that this request brings."""
        if needs is Needs.NOTHING:
            return
        scheme, _, access_token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            raise _messages.missing_credentials("Bearer")
        if not self.oauth.accepts(access_token.strip()):
            raise _messages.wrong_bearer(request.path)
        if needs is Needs.SESSION and self.m2m_sessions:
            name = "SessionToken" if place is Place.IMP else "VZ-M2M-Token"
            try:
                self.contact.use(request.headers.get(name, ""))
            except RefusedError:
                if request.path.startswith("/api/cc/"):
                    raise _messages.cloud_connector_refusal() from None
                raise
