"""Face one by itself: what it puts on a request, and what a user asks of it directly."""

import copy

import pytest
import requests

from requests_thingspace import OAuthToken, ThingspaceAuth

from .catalogue import error_of


def test_a_request_elsewhere_is_returned_as_it_came():
    """Not a header, not a hook; neither is a half-made PreparedRequest ours to judge."""
    for request in (requests.Request("GET", "https://example.com/").prepare(), requests.PreparedRequest()):
        before = copy.deepcopy(vars(request))
        assert ThingspaceAuth("id", "secret")(request) is request
        assert vars(request) == before


def test_revoke_ends_the_token_everywhere(sandbox, auth):
    """The next call fetches another; one that fails keeps it; without a token there is nothing to do."""
    one = auth()
    one.revoke()
    assert sandbox.calls["revoke"] == 0
    first = one.get_token()
    sandbox.fail_next("revoke", status=400, body={"error": "invalid_request"})
    assert "refused the revocation: HTTP 400 invalid_request" in str(error_of(one.revoke))
    assert one.get_token() == first
    one.revoke()
    assert one.get_token() != first


def test_logout_ends_the_session(sandbox, auth):
    """The next request logs in again, if it can; without a session there is nothing to do."""
    one = auth()
    one.logout()
    first = one.get_session_token()
    preset = auth(username=None, password=None, session_token=first)
    for _ in range(2):
        one.logout()
    assert sandbox.calls["logout"] == 1
    assert one.get_session_token() != first
    preset.logout()
    assert sandbox.calls["logout"] == 2
    assert "no username to log in with" in str(error_of(preset.get_session_token))
    without = auth(username=None, password=None)
    without.client_secret, without.password = without.client_secret, None  # which change nothing
    without.logout()
    with pytest.raises(ValueError, match="username= and password="):
        without.get_session_token()


def test_reset_takes_new_credentials(sandbox, auth):
    """Whole pairs only; what is not given stays."""
    one, other = auth(password="the-password-but-wrong"), auth(username=None, password=None)
    one.reset(password=sandbox.password)
    with pytest.raises(ValueError, match="give both or neither"):
        other.reset(password=sandbox.password)
    other.reset(username=sandbox.username, password=sandbox.password)
    other.get_session_token()
    other.reset()
    assert other.get_session_token()
    assert one.get_session_token()
    assert sandbox.answers["login", 200] == 3


def test_an_answer_that_cannot_be_sent_again_is_given_back(sandbox, auth):
    """A response of some other library, without a connection to send on."""
    one = auth(token=OAuthToken("abc"), username=None, password=None)
    request = one(requests.Request("GET", f"{sandbox.origin}/x").prepare())
    response = requests.Response()
    response.status_code, response.request = 401, request
    (judge,) = request.hooks["response"]
    assert judge(response) is None
