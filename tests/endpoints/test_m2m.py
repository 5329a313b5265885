"""ThingSpace's M2M session: one login, one logout, and an account that is never locked."""

import json
from unittest.mock import Mock

import pytest
import requests
from urllib3.exceptions import MaxRetryError, NewConnectionError

from requests_thingspace import Environment, LoginError, LoginRefusedError, OAuthToken, SessionToken
from requests_thingspace._endpoints.exchange import Transport

from .. import hostile as do
from ..catalogue import CLIENT_ID, CLIENT_SECRET, EXPIRED, PASSWORD, SECRETS, USERNAME, error_of, told_by
from ..clocks import FakeClock
from .clients import Client, Manager, login_of

LOGOUT_PATH = "/api/m2m/v1/session/logout"
FIRST, SECOND = f"{do.MARKER}-first", f"{do.MARKER}-second"
SESSION = SessionToken(do.GOOD_SESSION_TOKEN)
WELL = do.json_answer(200, do.GOOD_LOGIN_DOCUMENT)
REFUSAL = {"errorCode": "UnifiedWebService.REQUEST_FAILED.Login", "errorMessage": "wrong"}


def give(server, bearer):
    """Let the token endpoint give a bearer."""
    server.script(do.TOKEN_PATH, do.json_answer(200, {**do.GOOD_TOKEN_DOCUMENT, "access_token": bearer}))


@pytest.fixture
def bearers(server):
    """The manager of the OAuth token; it holds the first one, and the endpoint has the second."""
    give(server, SECOND)
    credentials = Client(CLIENT_ID, CLIENT_SECRET, Environment.at(server.origin))
    return Manager(credentials.fetch, OAuthToken(FIRST))


@pytest.fixture
def new_login(server, bearers):
    environment = Environment.at(server.origin)
    return lambda password=PASSWORD, **more: login_of(USERNAME, password, environment, bearers, **more)


@pytest.fixture
def login(new_login):
    return new_login()


@pytest.mark.parametrize("password", [PASSWORD, 'quote"\\', "pässwörd-€", "a\r\nb"])
def test_the_login_is_as_documented(password, server, route, new_login):
    """The bearer, and any password whole as JSON ("Start Connectivity Management Session" page)."""
    server.script(do.LOGIN_PATH, WELL)
    assert new_login(password).fetch(route) == SESSION
    (request,) = server.requests
    assert request.method == "POST"
    assert json.loads(request.body) == {"username": USERNAME, "password": password}
    assert request.headers["Authorization"] == f"Bearer {FIRST}"
    assert request.headers["Content-Type"] == request.headers["Accept"] == "application/json"
    assert "VZ-M2M-Token" not in request.headers


@pytest.mark.parametrize("answer", [WELL, do.answer(204, framing="none"), do.json_answer(400, EXPIRED)])
def test_the_logout_is_as_documented(answer, server, route, login):
    """Both tokens and no body ("End Connectivity Management Session" page); over already is fine, too."""
    server.script(LOGOUT_PATH, answer)
    login.logout(SESSION, route)
    (request,) = server.requests
    assert (request.method, request.body) == ("POST", b"")
    assert request.headers["Authorization"] == f"Bearer {FIRST}"
    assert request.headers["VZ-M2M-Token"] == do.GOOD_SESSION_TOKEN


@pytest.mark.parametrize(("other", "last"), [(SECOND, WELL), (SECOND, None), (FIRST, None)])
def test_a_rejected_bearer_is_replaced_once(other, last, server, route, login):
    """A 401 speaks of the bearer, not of the user, who was never looked at: nothing is remembered."""
    give(server, other)
    server.script(do.LOGIN_PATH, do.json_fault(401), last or do.json_fault(401))
    if last is WELL:
        assert login.fetch(route) == SESSION
    else:
        error = error_of(lambda: login.fetch(route))
        assert (type(error), error.code) == (LoginError, "900901")
    bearers = [r.headers["Authorization"] for r in server.requests if r.path == do.LOGIN_PATH]
    assert bearers == [f"Bearer {bearer}" for bearer in dict.fromkeys([FIRST, other])]
    assert login.refusals == {}


REFUSALS = [do.json_answer(status, REFUSAL) for status in (200, 400, 401, 403, 429)]
REFUSALS += [do.json_answer(403, {"message": "an answer that is documented nowhere"})]
REFUSALS += [do.json_answer(400, {"error": "unauthorized"}), do.json_answer(400, EXPIRED)]


@pytest.mark.parametrize("refusal", REFUSALS)
def test_a_refused_login_is_remembered(refusal, server, route, login):
    """No second attempt, and every later caller gets the same error, each an object of its own."""
    server.script(do.LOGIN_PATH, refusal, WELL)
    first, second = (error_of(lambda: login.fetch(route)) for _ in range(2))
    assert type(first) is type(second) is LoginRefusedError
    assert server.count(do.LOGIN_PATH) == 1
    assert second is not first
    assert (str(second), vars(second)) == (str(first), vars(first))
    assert (first.retryable, "auth.reset()" in str(first)) == (False, True)


TROUBLES = [do.html_answer(status) for status in (403, 404, 503)]
TROUBLES += [do.json_answer(200, document) for document in ({}, {"sessionToken": None})]
TROUBLES += [do.json_answer(500, REFUSAL), do.json_answer(400, {}), do.json_fault(403), do.xml_fault(403)]
TROUBLES += [do.json_fault(400, "900906"), do.json_fault(429), do.answer(400), do.answer(200, b"no JSON")]
TROUBLES += [do.redirect(302, "another host"), do.reset(), do.reset(WELL, "body")]


@pytest.mark.parametrize("trouble", TROUBLES)
def test_what_is_not_a_refusal_is_not_remembered(trouble, server, route, new_login):
    """The network, the gateway and a failing server say nothing of the credentials."""
    server.script(do.LOGIN_PATH, trouble, WELL)
    hands = FakeClock()
    login = new_login(clock=hands.clock)
    assert not isinstance(error_of(lambda: login.fetch(route)), LoginRefusedError)
    assert server.count(do.LOGIN_PATH) == 1
    hands.advance(2)  # as long as the cool-down
    assert login.fetch(route) == SESSION


def test_logins_that_stay_unanswered_are_spaced_out(server, route, new_login):
    """Doubling up to five minutes; an answer, whatever it says, ends that."""
    server.script(do.LOGIN_PATH, *[do.reset()] * 9, do.html_answer(503), do.reset())
    hands = FakeClock()
    login = new_login(clock=hands.clock)
    for sent, pause in enumerate((2, 4, 8, 16, 32, 64, 128, 256, 300), 1):
        with pytest.raises(requests.ConnectionError):
            login.fetch(route)
        hands.advance(pause - 0.1)
        with pytest.raises(LoginError, match="had no answer"):
            login.fetch(route)
        assert server.count(do.LOGIN_PATH) == sent
        hands.advance(0.1)
    for expected in (LoginError, requests.ConnectionError):
        with pytest.raises(expected):
            login.fetch(route)
    with pytest.raises(LoginError, match=r"1 logins in a row had no answer: the next is sent in 2 s"):
        login.fetch(route)


def test_what_is_no_exception_ends_a_login_once(new_login):
    """An adapter below that exits: the next login waits a little, and the auth lives on."""
    hands = FakeClock()
    login, way = new_login(clock=hands.clock), Transport(settings={}, send=Mock(side_effect=SystemExit))
    for expected in (SystemExit, LoginError, SystemExit):
        if expected is SystemExit:
            hands.advance(2)
        with pytest.raises(expected):
            login.fetch(way)


def test_a_login_that_was_never_sent_does_not_count(new_login):
    """Without a connection it is tried three times, and the next caller need not wait."""
    reason = MaxRetryError(None, "/", NewConnectionError(None, "refused"))
    login, send = new_login(), Mock(side_effect=requests.ConnectionError(reason))
    for times in (3, 6):
        with pytest.raises(requests.ConnectionError):
            login.fetch(Transport(settings={}, send=send))
        assert send.call_count == times


@pytest.mark.parametrize("trouble", [do.json_answer(400, REFUSAL), do.json_fault(401), do.html_answer(503)])
def test_a_refused_logout_is_an_error_and_is_not_remembered(trouble, server, route, login):
    """It says nothing of the user's credentials; a rejected bearer is replaced once."""
    server.script(LOGOUT_PATH, trouble)
    with pytest.raises(LoginError, match="logout"):
        login.logout(SESSION, route)
    assert server.count(LOGOUT_PATH) <= 2
    assert login.refusals == {}


def test_an_echo_of_the_credentials_stays_here(server, route, login):
    """Neither the second bearer, which was sent last, nor a token that was to be ended is in a message."""
    server.script(do.LOGIN_PATH, do.json_fault(401), do.echo("body"))
    assert do.MARKER not in told_by(error_of(lambda: login.fetch(route)))
    assert server.count(do.LOGIN_PATH) == 2
    for place in ("body", "reason", "status line", "chunk size", "location"):
        server.script(LOGOUT_PATH, do.echo(place, 401))
        told = told_by(error_of(lambda: login.logout(SESSION, route)))
        assert not [secret for secret in SECRETS if secret in told]


def test_the_fingerprint_knows_the_credentials_without_holding_them(bearers):
    """Another user, password, place or key is another fingerprint; none of them can be read in it."""
    here, there = Environment.at("https://localhost"), Environment.at("https://localhost:8443")

    def fingerprint(username=USERNAME, password=PASSWORD, environment=here, key="key"):
        return login_of(username, password, environment, bearers, key=key).fingerprint()

    split = {"username": USERNAME + PASSWORD[:1], "password": PASSWORD[1:]}
    others = ({"username": "other"}, {"password": "other"}, {"environment": there}, {"key": "other"}, split)
    assert len({fingerprint(), *[fingerprint(**other) for other in others]}) == 6
    assert fingerprint() == fingerprint()
    assert not any(secret in fingerprint() for secret in (USERNAME, PASSWORD, "key"))
