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
    TokenManager,
)
from requests_thingspace._client_credentials import ClientCredentials
from requests_thingspace._session_login import SessionLogin
from requests_thingspace._wire import Route

from .catalogue import (
    CLIENT_ID,
    CLIENT_SECRET,
    PASSWORD,
    SECRETS,
    USERNAME,
    hostile_server,
    session_of,
    told_by,
)
from .hostile import (
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

LOGOUT_PATH = "/api/m2m/v1/session/logout"
FIRST, SECOND = f"{MARKER}-first", f"{MARKER}-second"
WELL = json_answer(200, GOOD_LOGIN_DOCUMENT)
REFUSAL = {"errorCode": "UnifiedWebService.REQUEST_FAILED.Login", "errorMessage": "wrong"}


@pytest.fixture
def server(log_without_secrets):
    """A server that does as it is told, in a test whose log must not hold what travels."""
    log_without_secrets |= SECRETS
    with hostile_server() as running:
        running.script(TOKEN_PATH, json_answer(200, {**GOOD_TOKEN_DOCUMENT, "access_token": SECOND}))
        yield running


@pytest.fixture
def route(server):
    """The way to it."""
    with session_of(server) as session:
        yield Route(session)


@pytest.fixture
def bearers(server):
    """The manager of the OAuth token; it holds one, and the endpoint has another."""
    credentials = ClientCredentials(CLIENT_ID, CLIENT_SECRET, Environment.at(server.origin))
    return TokenManager(OAuthToken, credentials.fetch, token=OAuthToken(FIRST))


@pytest.fixture
def login(server, bearers):
    """The login of the user."""
    return SessionLogin(USERNAME, PASSWORD, Environment.at(server.origin), bearers, timeout=5.0)


# With a real ThingSpace


def test_login_and_logout_on_the_sandbox(sandbox):
    """Each login gives a session; a logout ends it, and cannot end it twice."""
    route = Route(settings={"verify": sandbox.ca_file})
    credentials = ClientCredentials(sandbox.client_id, sandbox.client_secret, sandbox.environment)
    bearers = TokenManager(OAuthToken, credentials.fetch)
    login = SessionLogin(sandbox.username, sandbox.password, sandbox.environment, bearers)
    token = login.fetch(route)
    login.logout(token, route)
    with pytest.raises(LoginError, match="M2M logout"):
        login.logout(token, route)
    assert (sandbox.calls["login"], sandbox.calls["logout"]) == (1, 2)


def test_a_wrong_password_is_tried_once_on_the_sandbox(sandbox):
    """Law 22: five failed logins lock the account, and this is where the first one ends it."""
    route = Route(settings={"verify": sandbox.ca_file})
    credentials = ClientCredentials(sandbox.client_id, sandbox.client_secret, sandbox.environment)
    bearers = TokenManager(OAuthToken, credentials.fetch)
    login = SessionLogin(sandbox.username, "a-wrong-password", sandbox.environment, bearers)
    for _ in range(10):
        with pytest.raises(LoginRefusedError, match=r"lock the account.*auth\.reset\(\)"):
            login.fetch(route)
    assert sandbox.calls["login"] == 1


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


@pytest.mark.parametrize("password", ['quote"\\', "pässwörd-€", "\ud800", "a\r\nb"])
def test_any_password_is_sent_whole(password, server, route, bearers):
    """JSON takes care of it."""
    server.script(LOGIN_PATH, WELL)
    SessionLogin(USERNAME, password, Environment.at(server.origin), bearers).fetch(route)
    (request,) = server.requests
    assert json.loads(request.body)["password"] == password


# The bearer


def test_a_rejected_bearer_is_replaced_once(server, route, login):
    """A 401 speaks of the bearer, not of the user: nothing is latched."""
    server.script(LOGIN_PATH, json_fault(401), WELL)
    assert login.fetch(route) == SessionToken(GOOD_SESSION_TOKEN)
    sent = [r.headers["Authorization"] for r in server.requests if r.path == LOGIN_PATH]
    assert sent == [f"Bearer {FIRST}", f"Bearer {SECOND}"]


def test_a_bearer_that_stays_rejected_is_an_error(server, route, login):
    """Two calls, and no latch: the credentials of the user were never looked at."""
    server.script(LOGIN_PATH, json_fault(401))
    with pytest.raises(LoginError, match="900901") as caught:
        login.fetch(route)
    assert type(caught.value) is LoginError
    assert server.count(LOGIN_PATH) == 2
    assert login.refused is None


def test_the_same_bearer_again_is_not_tried_again(server, route, login):
    """Law 9: where ThingSpace insists on the token, the 401 is the answer."""
    server.script(TOKEN_PATH, json_answer(200, {**GOOD_TOKEN_DOCUMENT, "access_token": FIRST}))
    server.script(LOGIN_PATH, json_fault(401))
    with pytest.raises(LoginError):
        login.fetch(route)
    assert server.count(LOGIN_PATH) == 1


def test_without_a_bearer_there_is_no_login(server, route, bearers):
    """The failure of the token endpoint is the failure of the login."""
    bearers.forget()
    server.script(TOKEN_PATH, json_fault(401))
    login = SessionLogin(USERNAME, PASSWORD, Environment.at(server.origin), bearers)
    with pytest.raises(requests.RequestException, match="token endpoint"):
        login.fetch(route)
    assert server.count(LOGIN_PATH) == 0


# The latch


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
def test_a_refused_login_latches(refusal, server, route, login):
    """Law 22: no second attempt, and every later caller gets the same error, each an object of its own."""
    server.script(LOGIN_PATH, refusal, WELL)
    with pytest.raises(LoginRefusedError, match=r"auth\.reset\(\)") as first:
        login.fetch(route)
    with pytest.raises(LoginRefusedError) as second:
        login.fetch(route)
    assert server.count(LOGIN_PATH) == 1
    assert second.value is not login.refused
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
def test_what_is_no_refusal_does_not_latch(trouble, server, route, login):
    """Law 22: the network, the gateway and a failing server say nothing of the credentials."""
    server.script(LOGIN_PATH, trouble, WELL)
    with pytest.raises(requests.RequestException) as caught:
        login.fetch(route)
    assert not isinstance(caught.value, LoginRefusedError)
    assert server.count(LOGIN_PATH) == 1
    assert login.fetch(route) == SessionToken(GOOD_SESSION_TOKEN)


def test_a_timeout_does_not_latch(server, route, bearers):
    """Nor is the login sent again, since it may have arrived."""
    server.script(LOGIN_PATH, hang(), WELL)
    login = SessionLogin(USERNAME, PASSWORD, Environment.at(server.origin), bearers, timeout=0.3)
    with pytest.raises(requests.Timeout):
        login.fetch(route)
    assert server.count(LOGIN_PATH) == 1
    assert login.refused is None


def test_an_unusable_session_token_is_refused(server, route, login):
    """Law 2: the header must not be broken out of, and the message does not show it."""
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
def test_a_refused_logout_is_an_error_and_latches_nothing(trouble, server, route, login):
    """It says nothing of the user's credentials."""
    server.script(LOGOUT_PATH, trouble)
    with pytest.raises(LoginError, match="M2M logout"):
        login.logout(SessionToken(GOOD_SESSION_TOKEN), route)
    assert server.count(LOGOUT_PATH) == 1
    assert login.refused is None


# What nobody may see


@pytest.mark.parametrize("place", ["body", "reason", "status line", "chunk size", "location"])
@pytest.mark.parametrize("status", [400, 401])
def test_an_echo_of_the_credentials_stays_here(place, status, server, route, login):
    """Law 21: neither the password nor a token gets into a message; the log is watched too."""
    server.script(LOGIN_PATH, echo(place, status))
    server.script(LOGOUT_PATH, echo(place, status))
    for call in (login.fetch, lambda route: login.logout(SessionToken(GOOD_SESSION_TOKEN), route)):
        with pytest.raises(requests.RequestException) as caught:
            call(route)
        assert not [secret for secret in SECRETS if secret in told_by(caught.value)]


def test_an_echo_of_the_second_bearer_stays_here(server, route, login):
    """Law 21: it is the one that was sent last."""
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
        return SessionLogin(username, password, environment, bearers).fingerprint(key)

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
