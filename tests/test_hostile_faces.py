"""Every fault of the catalogue, as the user of a Session meets it, through both faces."""

import pytest
import requests

from requests_thingspace import Environment, ThingspaceAuth

from .catalogue import (
    CLIENT_ID,
    CLIENT_SECRET,
    PASSWORD,
    SECRETS,
    USERNAME,
    hostile_server,
    outcome_of,
    require_lawful,
    session_of,
)
from .clocks import Hands
from .hostile import (
    GOOD_LOGIN_DOCUMENT,
    GOOD_TOKEN_DOCUMENT,
    LOGIN_FAULTS,
    LOGIN_PATH,
    TOKEN_FAULTS,
    TOKEN_PATH,
    json_answer,
)

pytestmark = pytest.mark.slow

API_PATH = "/api/m2m/v1/accounts/1"
GOOD = {
    TOKEN_PATH: json_answer(200, GOOD_TOKEN_DOCUMENT),
    LOGIN_PATH: json_answer(200, GOOD_LOGIN_DOCUMENT),
    API_PATH: json_answer(200, {"accountName": "1"}),
}
SHORT = 0.12  # seconds: less than the first pause, so that what is broken is tried once
# What a server does to the connection after its answer hits the API call that comes next on it.
ROWS = [row for row in [*TOKEN_FAULTS, *LOGIN_FAULTS] if not row.title.startswith("answers, then resets")]


@pytest.fixture
def server(log_without_secrets):
    """A hostile server whose other endpoints are well, in a test whose log must not hold what travels."""
    log_without_secrets |= SECRETS
    with hostile_server() as running:
        for path, behaviour in GOOD.items():
            running.script(path, behaviour)
        yield running


@pytest.fixture
def session(server):
    """A Session that trusts the server."""
    with session_of(server) as session:
        yield session


def auth_of(fault, server, session, timeout):
    """An auth whose next call is the one that the fault will hit."""
    login = {"username": USERNAME, "password": PASSWORD, "token": GOOD_TOKEN_DOCUMENT}
    arguments = login if fault.endpoint == "login" else {}
    environment = Environment.at(server.origin)
    return ThingspaceAuth(
        CLIENT_ID, CLIENT_SECRET, environment=environment, timeout=timeout, session=session, **arguments
    )


@pytest.mark.parametrize("fault", ROWS, ids=str)
def test_an_api_call_under_each_fault(fault, server, session, attach, request):
    """The API's answer where there is a token, else a RequestException and no call; then all is well."""
    timeout = 5.0 if fault.expectation == "token" else SHORT
    auth = auth_of(fault, server, session, timeout)
    attach(session, auth)
    face = request.node.callspec.params["attach"]

    outcome = outcome_of(lambda: session.get(server.origin + API_PATH, timeout=5.0), server, fault, face)
    require_lawful(outcome, fault, server, timeout)
    assert server.count(API_PATH) == (1 if outcome.error is None else 0)
    if outcome.error is None:
        assert outcome.result.status_code == 200

    auth.reset()
    session.close()
    for path, behaviour in GOOD.items():
        server.script(path, behaviour)
    attach(session, auth_of(fault, server, session, 5.0))
    assert session.get(server.origin + API_PATH, timeout=5.0).status_code == 200


def test_the_next_call_heals(server, session, attach):
    """Without a reset: after the cool-down the very same auth goes on as if nothing had been."""
    hands = Hands()
    auth = ThingspaceAuth(
        CLIENT_ID,
        CLIENT_SECRET,
        environment=Environment.at(server.origin),
        session=session,
        clock=hands.clock,
    )
    attach(session, auth)
    server.script(TOKEN_PATH, json_answer(500, {}))
    for _ in range(2):
        with pytest.raises(requests.RequestException):
            session.get(server.origin + API_PATH)
    assert server.count(TOKEN_PATH) == 1
    server.script(TOKEN_PATH, GOOD[TOKEN_PATH])
    hands.advance(3)
    assert session.get(server.origin + API_PATH).status_code == 200
