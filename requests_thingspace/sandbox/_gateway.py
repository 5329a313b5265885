"""Who may see what: the gateway looks for the resource, then at the bearer, then at the session token.

The three origins differ in their resources, and in the name of the session token's header: ``SessionToken``
on ``imp.``, ``VZ-M2M-Token`` elsewhere (Verizon's SDK 2.0.0). The OAuth endpoints are on ``5gedge.`` as well
(5G Edge, "Getting Started"), and what each resource needs is what its Verizon page says.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from enum import Enum
from typing import NamedTuple

from . import _grants, _resources
from ._messages import CLOUD_CONNECTOR_REFUSAL, Answer, Place, RefusedError, Request, gateway_fault
from ._state import Call, State

Needs = Enum("Needs", "NOTHING BEARER SESSION")  # what a request must bring


class Route(NamedTuple):
    pattern: str  # a regular expression for method and path
    needs: Needs
    respond: Callable[[Request, State], Answer]
    places: tuple[Place, ...] = (Place.MAIN,)
    endpoint: str = "api"
    lenient: bool = False  # only a lenient sandbox has it


_NOTHING, _BEARER, _SESSION = Needs
_MAIN, _IMP, _EDGE = ((place,) for place in Place)
_ALL = tuple(Place)
_ROUTES = (
    Route("POST /api/ts/v1/oauth2/token", _NOTHING, _grants.token, _MAIN + _EDGE, "token"),
    Route("POST /api/ts/v1/oauth2/revoke", _NOTHING, _grants.revoke, _MAIN + _EDGE, "revoke"),
    Route("POST /api/m2m/v1/session/login", _BEARER, _grants.login, endpoint="login"),
    Route("POST /api/m2m/v1/session/logout", _BEARER, _grants.logout, endpoint="logout"),
    Route("GET /api/m2m/v1/accounts/[^/]+", _SESSION, _resources.account),
    Route("POST /api/m2m/v1/devices/actions/list", _SESSION, _resources.devices),
    Route("POST /api/cc/v1/targets/actions/query", _SESSION, _resources.targets),
    Route("GET /api/mec/eds/serviceendpoints", _BEARER, _resources.service_endpoints, _EDGE),
    Route("POST /api/v2/clients/registration", _SESSION, _resources.registration, _IMP),
    Route(".* /sandbox/echo", _BEARER, _resources.echo, _ALL),
    Route(".* /sandbox/redirect", _BEARER, _resources.redirect, _ALL),
    Route(".* /sandbox/bytes", _BEARER, _resources.download, _ALL),
    Route(".* /sandbox/status/[^/]*", _BEARER, _resources.status, _ALL),
    Route(".* /api/.*", _SESSION, _resources.plausible, _MAIN + _IMP, lenient=True),
    Route(".* /api/.*", _BEARER, _resources.plausible, _EDGE, lenient=True),
    Route("(?s).*", _NOTHING, _resources.nowhere, _ALL),
)


def respond(state: State, place: Place, request: Request) -> Answer:
    """Answer one request, and count it."""
    asked, started = f"{request.method} {request.path}", time.monotonic()
    here = (route for route in _ROUTES if place in route.places and (state.lenient or not route.lenient))
    route = next(route for route in here if re.fullmatch(route.pattern, asked))
    answer = state.receive(route.endpoint)
    if answer is None:
        try:
            with state.changed:
                if route.needs is not Needs.NOTHING:
                    _let_in(state, place, route.needs, request)
                answer = route.respond(request, state)
        except RefusedError as refused:
            answer = refused.answer
    if answer.status:
        seconds = time.monotonic() - started
        state.report(Call(route.endpoint, request.method, request.path, answer.status, seconds))
    return answer


def _let_in(state: State, place: Place, needs: Needs, request: Request) -> None:
    """Check the tokens that this request brings."""
    scheme, _, access_token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        raise gateway_fault("900902")
    if _grants.seconds_left(access_token.strip(), state) <= 0:
        raise gateway_fault("900901", request.path)
    if needs is Needs.SESSION and state.m2m_sessions:
        name = "SessionToken" if place is Place.IMP else "VZ-M2M-Token"
        try:
            _grants.use_session(request.headers.get(name, ""), state)
        except RefusedError:
            if request.path.startswith("/api/cc/"):
                raise RefusedError(CLOUD_CONNECTOR_REFUSAL, 401) from None
            raise
