"""ThingSpace's M2M session: one login, one logout, and an account that is never locked."""

import json
from unittest.mock import Mock

import pytest
import requests
from requests.adapters import BaseAdapter
from urllib3.exceptions import MaxRetryError, NewConnectionError

from requests_thingspace import LoginError, LoginRefusedError, OAuthToken, SessionToken

from .. import hostile as do
from ..catalogue import EXPIRED, PASSWORD, SECRETS, USERNAME, error_of, told_by
from ..clocks import FakeClock

LOGOUT_PATH = "/api/m2m/v1/session/logout"
FIRST, SECOND = f"{do.MARKER}-first", f"{do.MARKER}-second"
SESSION = SessionToken(do.GOOD_SESSION_TOKEN)
WELL = do.json_answer(200, do.GOOD_LOGIN_DOCUMENT)
REFUSAL = {"errorCode": "UnifiedWebService.REQUEST_FAILED.Login", "errorMessage": "wrong"}


@pytest.fixture
def give(server):
    """A function that lets the token endpoint give a bearer, the second one at first."""

    def give(bearer):
        document = {**do.GOOD_TOKEN_DOCUMENT, "access_token": bearer}
        server.script(do.TOKEN_PATH, do.json_answer(200, document))

    give(SECOND)
    return give


@pytest.fixture
def hands():
    return FakeClock()


@pytest.fixture
def new_user(new_auth, give, hands):
    """A function that makes the auth of a user, which holds the first bearer."""
    known = {"username": USERNAME, "password": PASSWORD, "token": OAuthToken(FIRST), "clock": hands.clock}
    return lambda **given: new_auth(**{**known, **given})


@pytest.fixture
def user(new_user):
    return new_user()


def in_place_of_logins(session, auth, outcome):
    """Let the logins of a Session end in this exception, and give the adapter that sends them."""
    adapter = Mock(BaseAdapter)
    adapter.send.side_effect = outcome
    session.mount(auth.environment.login_url, adapter)
    return adapter


@pytest.mark.parametrize("password", [PASSWORD, 'quote"\\', "pässwörd-€", "a\r\nb"])
def test_the_login_is_as_documented(password, server, new_user):
    """The bearer, and any password whole as JSON ("Start Connectivity Management Session" page)."""
    server.script(do.LOGIN_PATH, WELL)
    assert new_user(password=password).get_session_token() == SESSION
    (request,) = server.requests
    assert request.method == "POST"
    assert json.loads(request.body) == {"username": USERNAME, "password": password}
    assert request.headers["Authorization"] == f"Bearer {FIRST}"
    assert request.headers["Content-Type"] == request.headers["Accept"] == "application/json"
    assert "VZ-M2M-Token" not in request.headers


@pytest.mark.parametrize("answer", [WELL, do.answer(204, framing="none"), do.json_answer(400, EXPIRED)])
def test_the_logout_is_as_documented(answer, server, new_user):
    """Both tokens and no body ("End Connectivity Management Session" page); over already is fine, too."""
    server.script(LOGOUT_PATH, answer)
    new_user(session_token=SESSION).logout()
    (request,) = server.requests
    assert (request.method, request.body) == ("POST", b"")
    assert request.headers["Authorization"] == f"Bearer {FIRST}"
    assert request.headers["VZ-M2M-Token"] == do.GOOD_SESSION_TOKEN


@pytest.mark.parametrize(("other", "last"), [(SECOND, WELL), (SECOND, None), (FIRST, None)])
def test_a_rejected_bearer_is_replaced_once(other, last, server, user, give, hands):
    """A 401 speaks of the bearer, not of the user, who was never looked at: nothing is remembered."""
    give(other)
    server.script(do.LOGIN_PATH, do.json_fault(401), last or do.json_fault(401))
    if last is None:
        error = error_of(user.get_session_token)
        assert (type(error), error.code) == (LoginError, "900901")
    else:
        assert user.get_session_token() == SESSION
    bearers = [r.headers["Authorization"] for r in server.requests if r.path == do.LOGIN_PATH]
    assert bearers == [f"Bearer {bearer}" for bearer in dict.fromkeys([FIRST, other])]
    server.script(do.LOGIN_PATH, WELL)
    hands.advance(2)
    assert user.get_session_token() == SESSION


REFUSALS = [do.json_answer(status, REFUSAL) for status in (200, 400, 401, 403, 429)]
REFUSALS += [do.json_answer(403, {"message": "an answer that is documented nowhere"})]
REFUSALS += [do.json_answer(400, {"error": "unauthorized"}), do.json_answer(400, EXPIRED)]


@pytest.mark.parametrize("refusal", REFUSALS)
def test_a_refused_login_is_remembered(refusal, server, user, hands):
    """No second attempt, and every later caller gets the same error, each an object of its own."""
    server.script(do.LOGIN_PATH, refusal, WELL)
    first = error_of(user.get_session_token)
    hands.advance(2)  # as long as the cool-down
    second = error_of(user.get_session_token)
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
def test_what_is_not_a_refusal_is_not_remembered(trouble, server, user, hands):
    """The network, the gateway and a failing server say nothing of the credentials."""
    server.script(do.LOGIN_PATH, trouble, WELL)
    assert not isinstance(error_of(user.get_session_token), LoginRefusedError)
    assert server.count(do.LOGIN_PATH) == 1
    hands.advance(2)
    assert user.get_session_token() == SESSION


def test_logins_that_stay_unanswered_are_spaced_out(server, user, hands):
    """Doubling up to five minutes, whatever is reset; an answer, whatever it says, ends that."""
    server.script(do.LOGIN_PATH, *[do.reset()] * 9, do.html_answer(503), do.reset())

    def log_in():
        user.reset()  # nothing but the memory of unanswered logins is left
        user.get_session_token()

    for sent, pause in enumerate((2, 4, 8, 16, 32, 64, 128, 256, 300), 1):
        with pytest.raises(requests.ConnectionError):
            log_in()
        hands.advance(pause - 0.1)
        with pytest.raises(LoginError, match="had no answer"):
            log_in()
        assert server.count(do.LOGIN_PATH) == sent
        hands.advance(0.1)
    for expected in (LoginError, requests.ConnectionError):
        with pytest.raises(expected):
            log_in()
    with pytest.raises(LoginError, match=r"1 logins in a row had no answer: the next is sent in 2 s"):
        log_in()


def test_what_is_no_exception_ends_a_login_once(session, user, hands):
    """An adapter below that exits: the next login waits a little, and the auth lives on."""
    in_place_of_logins(session, user, SystemExit)
    for expected in (SystemExit, LoginError, SystemExit):
        with pytest.raises(expected):
            user.get_session_token()
        hands.advance(2 if expected is LoginError else 0)


def test_a_login_that_was_never_sent_does_not_count(session, user):
    """Without a connection it is tried three times, and the next caller need not wait."""
    reason = MaxRetryError(None, "/", NewConnectionError(None, "refused"))
    adapter = in_place_of_logins(session, user, requests.ConnectionError(reason))
    for times in (3, 6):
        with pytest.raises(requests.ConnectionError):
            user.get_session_token()
        assert adapter.send.call_count == times
        user.reset()


@pytest.mark.parametrize("trouble", [do.json_answer(400, REFUSAL), do.json_fault(401), do.html_answer(503)])
def test_a_refused_logout_is_an_error_and_is_not_remembered(trouble, server, new_user):
    """It says nothing of the user's credentials; a rejected bearer is replaced once."""
    user = new_user(session_token=SESSION)
    server.script(LOGOUT_PATH, trouble)
    with pytest.raises(LoginError, match="logout"):
        user.logout()
    assert server.count(LOGOUT_PATH) <= 2
    for path in (LOGOUT_PATH, do.LOGIN_PATH):
        server.script(path, WELL)
    user.logout()
    assert user.get_session_token() == SESSION


def test_a_password_that_changes_while_it_is_refused_is_tried_at_once(server, new_user):
    """The source is asked once more after a refusal."""
    server.script(do.LOGIN_PATH, do.json_answer(400, REFUSAL), WELL)
    given = iter([PASSWORD])
    assert new_user(password=lambda: next(given, "the-new-password")).get_session_token() == SESSION
    assert server.count(do.LOGIN_PATH) == 2


def test_an_echo_of_the_credentials_stays_here(server, new_user):
    """Neither the second bearer, which was sent last, nor a token that was to be ended is in a message."""
    server.script(do.LOGIN_PATH, do.json_fault(401), do.echo("body"))
    assert do.MARKER not in told_by(error_of(new_user().get_session_token))
    assert server.count(do.LOGIN_PATH) == 2
    user = new_user(session_token=SESSION)
    for place in ("body", "reason", "status line", "chunk size", "location"):
        server.script(LOGOUT_PATH, do.echo(place, 401))
        told = told_by(error_of(user.logout))
        assert not [secret for secret in SECRETS if secret in told]
