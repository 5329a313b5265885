"""The faults of the catalogue where a call is made, and some as the user of a Session meets them."""

import time
import tracemalloc

import pytest
import requests

from requests_thingspace import Environment, OAuthToken, ThingspaceAuth
from requests_thingspace._tokens import LONGEST_LIFE

from .. import hostile
from ..catalogue import CLIENT_ID, CLIENT_SECRET, PASSWORD, SECRETS, USERNAME, told_by
from .clients import Client, Manager, login_of

pytestmark = pytest.mark.slow

API_PATH = "/api/m2m/v1/accounts/1"
GOOD = {
    hostile.TOKEN_PATH: hostile.json_answer(200, hostile.GOOD_TOKEN_DOCUMENT),
    hostile.LOGIN_PATH: hostile.json_answer(200, hostile.GOOD_LOGIN_DOCUMENT),
    API_PATH: hostile.json_answer(200, {"accountName": "1"}),
}
GOOD_TOKENS = {hostile.TOKEN_PATH: hostile.GOOD_TOKEN, hostile.LOGIN_PATH: hostile.GOOD_SESSION_TOKEN}
FAULTS = [*hostile.TOKEN_FAULTS, *hostile.LOGIN_FAULTS]
# An exchange is the same for both, but for what is tried again: of the login its own fields, and a third.
CALLS = [*hostile.TOKEN_FAULTS, *hostile.LOGIN_FAULTS[:-17:3], *hostile.LOGIN_FAULTS[-17:]]
# What a server does to the connection after its answer hits the API call that comes next on it.
ROWS = [row for row in FAULTS if not row.title.startswith("answers, then resets")]
FLOODS = ("bomb", "for ever", "MiB", "kB", "5,000", "100,000", "endless", "2**63", "160 bits")
LARGEST_GROWTH = 30_000_000  # bytes
SLACK = 3.0  # seconds that a busy machine may take beside the exchange


@pytest.fixture
def well(server):
    for path, behaviour in GOOD.items():
        server.script(path, behaviour)
    return server


def auth_of(fault, server, session, timeout):
    """An auth whose next call is the one that the fault will hit."""
    login = {"username": USERNAME, "password": PASSWORD, "token": hostile.GOOD_TOKEN_DOCUMENT}
    arguments = {"environment": Environment.at(server.origin), "timeout": timeout, "session": session}
    return ThingspaceAuth(
        CLIENT_ID, CLIENT_SECRET, **arguments, **(login if fault.endpoint == "login" else {})
    )


def patience(fault):
    """Seconds: plenty for a token; otherwise less than the first pause, so that nothing is tried again."""
    return 5.0 if fault.expectation == "token" else 0.2


def outcome_of(call, fault, server, timeout):
    """What `call` gives and raises under the fault, which is lawful whoever made it, and fills no memory."""
    server.script(fault.path, *fault.behaviours)
    before, started, result, error = server.count(fault.path), time.monotonic(), None, None
    if any(words in fault.name for words in FLOODS):
        tracemalloc.start()
    try:
        result = call()
    except requests.RequestException as caught:
        error = caught
    grown = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert time.monotonic() - started < timeout + SLACK
    assert server.count(fault.path) - before <= fault.max_calls
    assert not server.strays, "a redirect was followed"
    assert grown < LARGEST_GROWTH
    assert (error is None) == (fault.expectation == "token"), error
    told = told_by(error) if error else ""
    assert not [secret for secret in SECRETS if secret in told], told
    return result, error


def caller(fault, server, route, timeout):
    """A function that makes the call that the fault hits, for a client without a past."""
    environment = Environment.at(server.origin)
    client = Client(CLIENT_ID, CLIENT_SECRET, environment, timeout=timeout)
    if fault.endpoint == "token":
        return lambda: client.fetch(route)
    bearers = Manager(client.fetch, OAuthToken(hostile.GOOD_TOKEN))
    login = login_of(USERNAME, PASSWORD, environment, bearers, timeout=timeout)
    return lambda: login.fetch(route)


@pytest.mark.parametrize("fault", CALLS, ids=str)
def test_a_call_under_each_fault(fault, well, route):
    """A token where the laws say so, else a RequestException: in time, in few calls, without a secret."""
    timeout = patience(fault)
    token, error = outcome_of(caller(fault, well, route, timeout), fault, well, timeout)
    if error is None and fault.endpoint == "token":
        life = token.expires_at and token.expires_at - time.time()
        expiry = "none" if life is None else "capped" if life > LONGEST_LIFE - 60 else "known"
        assert expiry == fault.expiry

    route.session.close()  # an idle connection that the server has closed may cost a login
    well.script(fault.path, GOOD[fault.path])
    assert caller(fault, well, route, 5.0)().value == GOOD_TOKENS[fault.path]


@pytest.mark.parametrize("fault", ROWS[::24], ids=str)
def test_an_api_call_under_a_fault(fault, well, session, attach):
    """The API's answer where there is a token, else a RequestException and no call; then all is well.

    The faces see a token or an error, and which fault it came of makes no difference to them.
    """
    timeout, url = patience(fault), well.origin + API_PATH
    auth = auth_of(fault, well, session, timeout)
    attach(session, auth)
    answer, error = outcome_of(lambda: session.get(url, timeout=5.0), fault, well, timeout)
    assert well.count(API_PATH) == (1 if error is None else 0)
    assert error or answer.status_code == 200

    auth.reset()
    session.close()
    well.script(fault.path, GOOD[fault.path])
    attach(session, auth_of(fault, well, session, 5.0))
    assert session.get(url, timeout=5.0).status_code == 200
