"""Where everything is, and what a request must bring to see it.

The origins differ in their resources, and in the name of the session token's header: ``SessionToken`` on
``imp.``, ``VZ-M2M-Token`` elsewhere (Verizon's SDK 2.0.0). The OAuth endpoints are on ``5gedge.`` as well
(5G Edge, "Getting Started"), and what each resource needs is what its Verizon page says.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from functools import partial

from . import _aids, _resources
from ._answers import Answer, json_answer
from ._calls import Calls
from ._faults import Faults
from ._oauth import OAuthEndpoints, TokenLedger
from ._requests import Request
from ._sessions import Contact, M2MError


class Place(Enum):
    """The three origins; the value is the header of the session token, in lower case, and a name."""

    MAIN = ("vz-m2m-token", "main")
    IMP = ("sessiontoken", "imp")
    EDGE = ("vz-m2m-token", "5gedge")


class Needs(Enum):
    """What a request must bring; ``CLOUD_CONNECTOR`` is a session whose refusal comes in other words."""

    NOTHING = 0
    BEARER = 1
    SESSION = 2
    CLOUD_CONNECTOR = 3


@dataclass(frozen=True)
class Platform:
    """What the three origins share. Without `m2m_sessions` a bearer is all that a resource needs."""

    ledger: TokenLedger
    oauth: OAuthEndpoints
    contact: Contact
    faults: Faults
    calls: Calls
    m2m_sessions: bool


@dataclass(frozen=True)
class Route:
    """A resource: its method (``*``: any), its path, what it needs, and where it is."""

    method: str
    path: str
    needs: Needs
    respond: Callable[[Request], Answer]
    endpoint: str = "api"
    places: tuple[Place, ...] = (Place.MAIN,)

    def leads(self, place: Place, request: Request) -> bool:
        """Whether this resource is meant."""
        return (
            place in self.places
            and self.method in ("*", request.method)
            and re.fullmatch(self.path, request.path) is not None
        )


def routes(platform: Platform) -> tuple[Route, ...]:
    """All resources of all origins."""
    oauth, contact = platform.oauth, platform.contact
    oauth_places, everywhere = (Place.MAIN, Place.EDGE), tuple(Place)
    return (
        Route("POST", "/api/ts/v1/oauth2/token", Needs.NOTHING, oauth.token, "token", oauth_places),
        Route("POST", "/api/ts/v1/oauth2/revoke", Needs.NOTHING, oauth.revoke, "revoke", oauth_places),
        Route("POST", "/api/m2m/v1/session/login", Needs.BEARER, partial(_login, contact), "login"),
        Route("POST", "/api/m2m/v1/session/logout", Needs.BEARER, partial(_logout, contact), "logout"),
        Route("GET", "/api/m2m/v1/accounts/[^/]+", Needs.SESSION, _account),
        Route("POST", "/api/m2m/v1/devices/actions/list", Needs.SESSION, _devices),
        Route("POST", "/api/cc/v1/targets/actions/query", Needs.CLOUD_CONNECTOR, _targets),
        Route("GET", "/api/mec/eds/serviceendpoints", Needs.BEARER, _endpoints, places=(Place.EDGE,)),
        Route("POST", "/api/v2/clients/registration", Needs.SESSION, _registration, places=(Place.IMP,)),
        Route("*", "/sandbox/echo", Needs.BEARER, _aids.echo, places=everywhere),
        Route("*", "/sandbox/redirect", Needs.BEARER, _aids.redirect, places=everywhere),
        Route("*", "/sandbox/bytes", Needs.BEARER, _aids.download, places=everywhere),
        Route("*", "/sandbox/status/[^/]*", Needs.BEARER, _aids.status, places=everywhere),
    )


def _login(contact: Contact, request: Request) -> Answer:
    given = request.json()
    given = given if isinstance(given, dict) else {}
    username, password = given.get("username"), given.get("password")
    if not isinstance(username, str) or not isinstance(password, str):
        raise M2MError(_resources.INPUT_INVALID, "The body holds username and password, both strings.")
    return json_answer({"sessionToken": contact.login(username, password)})


def _logout(contact: Contact, request: Request) -> Answer:
    session_token = request.headers.get(Place.MAIN.value[0])
    contact.logout(session_token)
    return json_answer({"sessionToken": session_token})


def _account(request: Request) -> Answer:
    return json_answer(_resources.account(request.path.rpartition("/")[2]))


def _devices(request: Request) -> Answer:
    status, found = _resources.devices(request.json() if request.length else {})
    return json_answer(found, status)


def _targets(_request: Request) -> Answer:
    return json_answer(_resources.targets())


def _endpoints(_request: Request) -> Answer:
    return json_answer(_resources.service_endpoints())


def _registration(request: Request) -> Answer:
    return json_answer(_resources.registration(request.json()))
