"""Every fault of the catalogue where a call is made, and each eighth as the user of a Session meets it."""

import time
import tracemalloc

import pytest

from requests_thingspace import Environment, OAuthToken, ThingspaceAuth
from requests_thingspace._tokens import LONGEST_LIFE

from ..catalogue import CLIENT_ID, CLIENT_SECRET, PASSWORD, USERNAME, outcome_of, require_lawful
from ..hostile import (
    GOOD_LOGIN_DOCUMENT,
    GOOD_SESSION_TOKEN,
    GOOD_TOKEN,
    GOOD_TOKEN_DOCUMENT,
    LOGIN_FAULTS,
    LOGIN_PATH,
    TOKEN_FAULTS,
    TOKEN_PATH,
    json_answer,
)
from .clients import Client, login_of, manager_of

pytestmark = pytest.mark.slow

API_PATH = "/api/m2m/v1/accounts/1"
GOOD = {
    TOKEN_PATH: json_answer(200, GOOD_TOKEN_DOCUMENT),
    LOGIN_PATH: json_answer(200, GOOD_LOGIN_DOCUMENT),
    API_PATH: json_answer(200, {"accountName": "1"}),
}
WELL = GOOD[TOKEN_PATH]
FLOODS = ("bomb", "for ever", "MiB", "kB", "5,000", "100,000", "endless", "2**63", "160 bits")
LARGEST_GROWTH = 30_000_000  # bytes


def patience(fault):
    """Seconds: little for what waits, enough for one more attempt at what is broken."""
    return 0.3 if fault.waits else 5.0 if fault.expectation == "token" else 1.0


def measured(call, fault, server):
    """The outcome of a call; a flood must not fill the memory."""
    if not any(words in fault.name for words in FLOODS):
        return outcome_of(call, server, fault)
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        outcome = outcome_of(call, server, fault)
        assert tracemalloc.get_traced_memory()[1] - before < LARGEST_GROWTH
    finally:
        tracemalloc.stop()
    return outcome


@pytest.mark.parametrize("fault", TOKEN_FAULTS, ids=str)
def test_a_token_call_under_each_fault(fault, server, route):
    """A token where the laws say so, else a RequestException: in time, in few calls, without a secret."""
    environment, timeout = Environment.at(server.origin), patience(fault)
    credentials = Client(CLIENT_ID, CLIENT_SECRET, environment, timeout=timeout)

    outcome = measured(lambda: credentials.fetch(route), fault, server)
    require_lawful(outcome, fault, server, timeout)
    if outcome.error is None:
        life = outcome.result.expires_at and outcome.result.expires_at - time.time()
        expiry = "none" if life is None else "capped" if life > LONGEST_LIFE - 60 else "known"
        assert expiry == fault.expiry

    server.script(TOKEN_PATH, WELL)
    again = Client(CLIENT_ID, CLIENT_SECRET, environment, timeout=5.0)
    assert again.fetch(route).access_token == GOOD_TOKEN


@pytest.mark.parametrize("fault", LOGIN_FAULTS, ids=str)
def test_a_login_under_each_fault(fault, server, route):
    """The same for a login, of which the server never sees two."""
    environment, timeout = Environment.at(server.origin), patience(fault)
    server.script(TOKEN_PATH, WELL)
    credentials = Client(CLIENT_ID, CLIENT_SECRET, environment)
    bearers = manager_of(credentials.fetch, OAuthToken(GOOD_TOKEN))

    login = login_of(USERNAME, PASSWORD, environment, bearers, timeout=timeout)
    outcome = measured(lambda: login.fetch(route), fault, server)
    require_lawful(outcome, fault, server, timeout)

    route.session.close()  # an idle connection that the server has closed may cost a login
    server.script(fault.path, json_answer(200, {"sessionToken": GOOD_SESSION_TOKEN}))
    again = login_of(USERNAME, PASSWORD, environment, bearers, timeout=5.0)
    assert again.fetch(route).session_token == GOOD_SESSION_TOKEN


# Through the faces: they see a token or an error, and which fault it came of makes no difference to them

SHORT = 0.12  # seconds: less than the first pause, so that what is broken is tried once
# What a server does to the connection after its answer hits the API call that comes next on it.
ROWS = [row for row in [*TOKEN_FAULTS, *LOGIN_FAULTS] if not row.title.startswith("answers, then resets")]


@pytest.fixture
def well(server):
    """The server, whose endpoints are well."""
    for path, behaviour in GOOD.items():
        server.script(path, behaviour)
    return server


def auth_of(fault, server, session, timeout):
    """An auth whose next call is the one that the fault will hit."""
    login = {"username": USERNAME, "password": PASSWORD, "token": GOOD_TOKEN_DOCUMENT}
    arguments = login if fault.endpoint == "login" else {}
    environment = Environment.at(server.origin)
    return ThingspaceAuth(
        CLIENT_ID, CLIENT_SECRET, environment=environment, timeout=timeout, session=session, **arguments
    )


@pytest.mark.parametrize("fault", ROWS[::8], ids=str)
def test_an_api_call_under_a_fault(fault, well, session, attach):
    """The API's answer where there is a token, else a RequestException and no call; then all is well."""
    timeout = 5.0 if fault.expectation == "token" else SHORT
    auth = auth_of(fault, well, session, timeout)
    attach(session, auth)

    outcome = outcome_of(lambda: session.get(well.origin + API_PATH, timeout=5.0), well, fault)
    require_lawful(outcome, fault, well, timeout)
    assert well.count(API_PATH) == (1 if outcome.error is None else 0)
    if outcome.error is None:
        assert outcome.result.status_code == 200

    auth.reset()
    session.close()
    for path, behaviour in GOOD.items():
        well.script(path, behaviour)
    attach(session, auth_of(fault, well, session, 5.0))
    assert session.get(well.origin + API_PATH, timeout=5.0).status_code == 200
