"""ThingSpace's M2M session: one login, one logout, and an account that is never locked."""

import json
import pickle

import pytest
import requests

from requests_thingspace import (
    Environment,
    InvalidTokenError,
    LoginError,
    LoginRefusedError,
    OAuthToken,
    SessionToken,
)
from requests_thingspace._endpoints.exchange import Transport
from requests_thingspace._values import Secret

from ..catalogue import CLIENT_ID, CLIENT_SECRET, PASSWORD, SECRETS, USERNAME, told_by
from ..clocks import FakeClock
from ..hostile import (
    GOOD_LOGIN_DOCUMENT,
    GOOD_SESSION_TOKEN,
    GOOD_TOKEN_DOCUMENT,
    LOGIN_PATH,
    MARKER,
    TOKEN_PATH,
    answer,
    echo,
    hang,
    html_answer,
    json_answer,
    json_fault,
    redirect,
    reset,
    xml_fault,
)
from .clients import Client, login_of, manager_of

LOGOUT_PATH = "/api/m2m/v1/session/logout"
FIRST, SECOND = f"{MARKER}-first", f"{MARKER}-second"
WELL = json_answer(200, GOOD_LOGIN_DOCUMENT)
REFUSAL = {"errorCode": "UnifiedWebService.REQUEST_FAILED.Login", "errorMessage": "wrong"}


@pytest.fixture
def server(server):
    """The server, which gives a token."""
    server.script(TOKEN_PATH, json_answer(200, {**GOOD_TOKEN_DOCUMENT, "access_token": SECOND}))
    return server


@pytest.fixture
def bearers(server):
    """The manager of the OAuth token; it holds one, and the endpoint has another."""
    credentials = Client(CLIENT_ID, CLIENT_SECRET, Environment.at(server.origin))
    return manager_of(credentials.fetch, OAuthToken(FIRST))


@pytest.fixture
def login(server, bearers):
    """The login of the user."""
    return login_of(USERNAME, PASSWORD, Environment.at(server.origin), bearers, timeout=5.0)


# With a real ThingSpace


def test_login_and_logout_on_the_sandbox(sandbox):
    """Each login gives a session; a logout ends it, and a session that is over already is fine."""
    route = Transport(settings={"verify": sandbox.ca_file})
    credentials = Client(sandbox.client_id, sandbox.client_secret, sandbox.environment)
    bearers = manager_of(credentials.fetch)
    login = login_of(sandbox.username, sandbox.password, sandbox.environment, bearers)
    token = login.fetch(route)
    login.logout(token, route)
    assert login.logout(token, route) == 400
    assert (sandbox.calls["login"], sandbox.calls["logout"]) == (1, 2)


# What is sent


def test_the_login_is_as_documented(server, route, login):
    """The bearer, and the credentials as JSON ("Start Connectivity Management Session" page)."""
    server.script(LOGIN_PATH, WELL)
    assert login.fetch(route) == SessionToken(GOOD_SESSION_TOKEN)
    (request,) = server.requests
    assert request.method == "POST"
    assert json.loads(request.body) == {"username": USERNAME, "password": PASSWORD}
    assert request.headers["Authorization"] == f"Bearer {FIRST}"
    assert request.headers["Content-Type"] == request.headers["Accept"] == "application/json"
    assert "VZ-M2M-Token" not in request.headers


def test_the_logout_is_as_documented(server, route, login):
    """Both tokens and no body ("End Connectivity Management Session" page)."""
    server.script(LOGOUT_PATH, WELL)
    login.logout(SessionToken(GOOD_SESSION_TOKEN), route)
    (request,) = server.requests
    assert (request.method, request.body) == ("POST", b"")
    assert request.headers["Authorization"] == f"Bearer {FIRST}"
    assert request.headers["VZ-M2M-Token"] == GOOD_SESSION_TOKEN


@pytest.mark.parametrize("password", ['quote"\\', "pässwörd-€", "a\r\nb"])
def test_any_password_is_sent_whole(password, server, route, bearers):
    """JSON takes care of it."""
    server.script(LOGIN_PATH, WELL)
    login_of(USERNAME, password, Environment.at(server.origin), bearers).fetch(route)
    (request,) = server.requests
    assert json.loads(request.body)["password"] == password


# The bearer


def test_a_rejected_bearer_is_replaced_once(server, route, login):
    """A 401 speaks of the bearer, not of the user: nothing is remembered."""
    server.script(LOGIN_PATH, json_fault(401), WELL)
    assert login.fetch(route) == SessionToken(GOOD_SESSION_TOKEN)
    sent = [r.headers["Authorization"] for r in server.requests if r.path == LOGIN_PATH]
    assert sent == [f"Bearer {FIRST}", f"Bearer {SECOND}"]


def test_a_bearer_that_stays_rejected_is_an_error(server, route, login):
    """Two calls, and nothing is remembered: the credentials of the user were never looked at."""
    server.script(LOGIN_PATH, json_fault(401))
    with pytest.raises(LoginError, match="900901") as caught:
        login.fetch(route)
    assert type(caught.value) is LoginError
    assert server.count(LOGIN_PATH) == 2
    assert login.refusals == {}


def test_the_same_bearer_again_is_not_tried_again(server, route, login):
    """Where ThingSpace insists on the token, the 401 is the answer."""
    server.script(TOKEN_PATH, json_answer(200, {**GOOD_TOKEN_DOCUMENT, "access_token": FIRST}))
    server.script(LOGIN_PATH, json_fault(401))
    with pytest.raises(LoginError):
        login.fetch(route)
    assert server.count(LOGIN_PATH) == 1


def test_without_a_bearer_there_is_no_login(server, route, bearers):
    """The failure of the token endpoint is the failure of the login."""
    bearers.forget()
    server.script(TOKEN_PATH, json_fault(401))
    login = login_of(USERNAME, PASSWORD, Environment.at(server.origin), bearers)
    with pytest.raises(requests.RequestException, match="token request"):
        login.fetch(route)
    assert server.count(LOGIN_PATH) == 0


# Refusals


@pytest.mark.parametrize(
    "refusal",
    [
        json_answer(400, REFUSAL),
        json_answer(200, REFUSAL),
        json_answer(401, REFUSAL),
        json_answer(403, REFUSAL),
        json_answer(429, REFUSAL),
        json_answer(400, {"error": "unauthorized", "error_description": "who?"}),
        json_answer(403, {"message": "an answer that is documented nowhere"}),
        json_answer(400, {"errorCode": "UnifiedWebService.REQUEST_FAILED.SessionToken.Expired"}),
    ],
)
def test_a_refused_login_is_remembered(refusal, server, route, login):
    """No second attempt, and every later caller gets the same error, each an object of its own."""
    server.script(LOGIN_PATH, refusal, WELL)
    with pytest.raises(LoginRefusedError, match=r"auth\.reset\(\)") as first:
        login.fetch(route)
    with pytest.raises(LoginRefusedError) as second:
        login.fetch(route)
    assert server.count(LOGIN_PATH) == 1
    assert second.value is not first.value
    assert (str(second.value), vars(second.value)) == (str(first.value), vars(first.value))


def test_a_refusal_carries_what_thingspace_said(server, route, login):
    """Status, code and words of the answer; it will not get better by itself."""
    server.script(LOGIN_PATH, json_answer(400, REFUSAL))
    with pytest.raises(LoginRefusedError) as caught:
        login.fetch(route)
    error = caught.value
    assert (error.status, error.code, error.description) == (400, REFUSAL["errorCode"], "wrong")
    assert error.retryable is False


@pytest.mark.parametrize(
    "trouble",
    [
        json_answer(500, REFUSAL),
        html_answer(502),
        html_answer(503),
        json_fault(400, "900906", "No matching resource"),
        json_fault(403),
        xml_fault(403),
        html_answer(403),
        html_answer(404),
        answer(400),
        json_answer(400, {}),
        json_fault(429, "900800", "Message throttled out"),
        redirect(302, "another host"),
        json_answer(200, {}),
        json_answer(200, {"sessionToken": None}),
        json_answer(200, {"session_token": GOOD_SESSION_TOKEN}),
        answer(200, b"no JSON"),
        reset(),
        reset(WELL, "body"),
    ],
)
def test_what_is_not_a_refusal_is_not_remembered(trouble, server, route, bearers):
    """The network, the gateway and a failing server say nothing of the credentials."""
    server.script(LOGIN_PATH, trouble, WELL)
    hands = FakeClock()
    login = login_of(USERNAME, PASSWORD, Environment.at(server.origin), bearers, clock=hands.clock)
    with pytest.raises(requests.RequestException) as caught:
        login.fetch(route)
    assert not isinstance(caught.value, LoginRefusedError)
    assert server.count(LOGIN_PATH) == 1
    hands.advance(2)  # as long as the cool-down
    assert login.fetch(route) == SessionToken(GOOD_SESSION_TOKEN)


def test_logins_that_stay_unanswered_are_spaced_out(server, route, bearers):
    """Doubling up to five minutes; an answer, whatever it says, ends that."""
    server.script(LOGIN_PATH, *[reset()] * 9, html_answer(503), reset())
    hands = FakeClock()
    login = login_of(USERNAME, PASSWORD, Environment.at(server.origin), bearers, clock=hands.clock)
    for sent, pause in enumerate((2, 4, 8, 16, 32, 64, 128, 256, 300), 1):
        with pytest.raises(requests.ConnectionError):
            login.fetch(route)
        hands.advance(pause - 0.1)
        with pytest.raises(LoginError, match="had no answer"):
            login.fetch(route)
        assert server.count(LOGIN_PATH) == sent
        hands.advance(0.1)
    for expected in (LoginError, requests.ConnectionError):
        with pytest.raises(expected):
            login.fetch(route)
    with pytest.raises(LoginError, match=r"1 logins in a row had no answer: the next is sent in 2 s"):
        login.fetch(route)


def test_a_timeout_is_not_remembered(server, route, bearers):
    """Nor is the login sent again, since it may have arrived."""
    server.script(LOGIN_PATH, hang(), WELL)
    login = login_of(USERNAME, PASSWORD, Environment.at(server.origin), bearers, timeout=0.3)
    with pytest.raises(requests.Timeout):
        login.fetch(route)
    assert server.count(LOGIN_PATH) == 1
    assert login.refusals == {}


def test_an_unusable_session_token_is_refused(server, route, login):
    """The header must not be broken out of, and the message does not show it."""
    server.script(LOGIN_PATH, json_answer(200, {"sessionToken": f"{GOOD_SESSION_TOKEN}\r\nX-Injected: yes"}))
    with pytest.raises(InvalidTokenError, match="sessionToken") as caught:
        login.fetch(route)
    assert MARKER not in told_by(caught.value)


# The logout


@pytest.mark.parametrize("status", [200, 204])
def test_any_success_ends_the_session(status, server, route, login):
    """Its body is nobody's business."""
    server.script(LOGOUT_PATH, answer(status, framing="none" if status == 204 else "length"))
    login.logout(SessionToken(GOOD_SESSION_TOKEN), route)
    assert server.count(LOGOUT_PATH) == 1


@pytest.mark.parametrize("trouble", [json_answer(400, REFUSAL), json_fault(401), html_answer(503)])
def test_a_refused_logout_is_an_error_and_is_not_remembered(trouble, server, route, login):
    """It says nothing of the user's credentials; a rejected bearer is replaced once."""
    server.script(LOGOUT_PATH, trouble)
    with pytest.raises(LoginError, match="logout"):
        login.logout(SessionToken(GOOD_SESSION_TOKEN), route)
    assert server.count(LOGOUT_PATH) <= 2
    assert login.refusals == {}


# What nobody may see


@pytest.mark.parametrize("place", ["body", "reason", "status line", "chunk size", "location"])
@pytest.mark.parametrize("status", [400, 401])
def test_an_echo_of_the_credentials_stays_here(place, status, server, route, login):
    """Neither the password nor a token gets into a message; the log is watched too."""
    server.script(LOGIN_PATH, echo(place, status))
    server.script(LOGOUT_PATH, echo(place, status))
    for call in (login.fetch, lambda route: login.logout(SessionToken(GOOD_SESSION_TOKEN), route)):
        with pytest.raises(requests.RequestException) as caught:
            call(route)
        assert not [secret for secret in SECRETS if secret in told_by(caught.value)]


def test_an_echo_of_the_second_bearer_stays_here(server, route, login):
    """It is the one that was sent last."""
    server.script(LOGIN_PATH, json_fault(401), echo("body"))
    with pytest.raises(LoginError) as caught:
        login.fetch(route)
    assert server.count(LOGIN_PATH) == 2
    assert SECOND not in told_by(caught.value)


def test_the_refusal_travels(server, route, login):
    """A worker process can hand it to its parent."""
    server.script(LOGIN_PATH, json_answer(400, REFUSAL))
    with pytest.raises(LoginRefusedError) as caught:
        login.fetch(route)
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


def test_the_fingerprint_knows_the_credentials_without_holding_them(bearers):
    """Another user, password, place or key is another fingerprint; none of them can be read in it."""
    here, there = Environment.at("https://localhost"), Environment.at("https://localhost:8443")

    def fingerprint(username=USERNAME, password=PASSWORD, environment=here, key="key"):
        return login_of(username, password, environment, bearers, key=key).fingerprint()

    others = [
        fingerprint(username="other"),
        fingerprint(password="other"),
        fingerprint(environment=there),
        fingerprint(key="other"),
        fingerprint(username=USERNAME + PASSWORD, password=""),
    ]
    assert fingerprint() == fingerprint()
    assert len({fingerprint(), *others}) == 6
    assert not any(secret in fingerprint() for secret in (USERNAME, PASSWORD, "key"))


def test_a_password_that_changes_while_it_is_refused_is_tried_at_once(server, route, bearers):
    """The source is asked once more after a refusal."""
    server.script(LOGIN_PATH, json_answer(400, REFUSAL), WELL)
    login = login_of(USERNAME, PASSWORD, Environment.at(server.origin), bearers)
    given = iter([PASSWORD])
    login.password = lambda: Secret(next(given, "the-new-password"))
    assert login.fetch(route) == SessionToken(GOOD_SESSION_TOKEN)
    assert server.count(LOGIN_PATH) == 2


def test_what_is_no_exception_ends_a_login_once(bearers):
    """An adapter below that exits: the next login waits a little, and the auth lives on."""
    fake = FakeClock()
    login = login_of(USERNAME, PASSWORD, Environment.at("https://localhost"), bearers, clock=fake.clock)

    def send(request, **_):
        raise SystemExit

    with pytest.raises(SystemExit):
        login.fetch(Transport(settings={}, send=send))
    with pytest.raises(LoginError, match="had no answer"):
        login.fetch(Transport(settings={}, send=send))
    fake.advance(2)
    with pytest.raises(SystemExit):
        login.fetch(Transport(settings={}, send=send))
