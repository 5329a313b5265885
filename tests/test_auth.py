"""Face one by itself: its arguments, its environment, and what a user asks of it directly."""

import copy
import logging
import pickle
import time

import pytest
import requests

from requests_thingspace import (
    PRODUCTION,
    Clock,
    Environment,
    InvalidTokenError,
    LoginError,
    OAuthToken,
    SessionToken,
    ThingspaceAuth,
    TokenRequestError,
)

COVERED = "https://thingspace.verizon.com/api/m2m/v1/accounts/1"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"client_id": ""}, "client_id must be a non-empty string"),
        ({"client_id": None}, "client_id must be a non-empty string"),
        ({"client_secret": 7}, "client_secret must be a non-empty string"),
        ({"client_id": "a:b"}, "colon"),
        ({"username": "user"}, "give both or neither"),
        ({"password": "the-password"}, "give both or neither"),
        ({"username": "", "password": "the-password"}, "username must be a non-empty string"),
        ({"clock_skew": -1}, "clock_skew must be at least 0 seconds"),
        ({"clock_skew": "60"}, "clock_skew must be a finite number of seconds"),
        ({"clock_skew": True}, "clock_skew must be a finite number of seconds"),
        ({"timeout": None}, "timeout must be a finite number of seconds"),
        ({"timeout": float("inf")}, "timeout must be a finite number of seconds"),
        ({"timeout": 0}, "timeout must be at least"),
        ({"cache": "a cache", "token_provider": print}, "exclude each other"),
        ({"token": "a bare string"}, "a str is no token"),
        ({"session_token": "cr\r\nlf"}, "sessionToken is not"),
    ],
    ids=str,
)
def test_bad_arguments_are_refused_with_a_text_that_helps(arguments, message):
    """At once, not at the first request, and without showing a secret."""
    given = {"client_id": "id", "client_secret": "the-client-secret", **arguments}
    with pytest.raises(ValueError, match=message) as caught:
        ThingspaceAuth(**given)
    assert "the-" not in str(caught.value)


def test_a_preset_token_is_read_in_any_form():
    """An OAuthToken, a dict, or an object of Verizon's SDK."""
    for token in (
        OAuthToken("abc"),
        {"access_token": "abc"},
        type("OauthToken", (), {"access_token": "abc"}),
    ):
        assert ThingspaceAuth("id", "secret", token=token).get_token() == OAuthToken("abc")


def test_scopes_are_a_text_or_a_collection(sandbox, auth):
    """Both mean the same; what was granted is on the token."""
    granted = ("ts.application.ro", "ts.mec.fullaccess")
    for scopes in (" ".join(granted), granted, list(granted)):
        assert auth(scopes=scopes).get_token().scope == granted


def test_a_request_elsewhere_is_returned_as_it_came():
    """Not a header, not a hook."""
    request = requests.Request("GET", "https://example.com/").prepare()
    before = (dict(request.headers), dict(request.hooks))
    assert ThingspaceAuth("id", "secret")(request) is request
    assert (dict(request.headers), dict(request.hooks)) == before


@pytest.mark.parametrize("session_token", ["guid", None])
def test_a_request_is_stamped_and_watched_once(session_token):
    """Also when it passes through the auth twice; a hook of the user's stays."""
    auth = ThingspaceAuth("id", "secret", token=OAuthToken("abc"), session_token=session_token)
    request = requests.Request("GET", COVERED, hooks={"response": print}).prepare()
    auth(request)
    auth(request)
    assert request.headers["Authorization"] == "Bearer abc"
    assert request.headers.get("VZ-M2M-Token") == session_token
    assert len(request.hooks["response"]) == 2


def test_a_request_without_a_url_is_left_alone():
    """A half-made PreparedRequest is not ours to judge."""
    request = requests.PreparedRequest()
    assert ThingspaceAuth("id", "secret")(request) is request


class TestFromEnv:
    """`ThingspaceAuth.from_env`."""

    @pytest.fixture(autouse=True)
    def environment(self, monkeypatch):
        """An environment with the two that are needed."""
        for name in ("USERNAME", "PASSWORD", "BASE_URL", "CLOCK_SKEW"):
            monkeypatch.delenv(f"THINGSPACE_{name}", raising=False)
        monkeypatch.setenv("THINGSPACE_CLIENT_ID", "id")
        monkeypatch.setenv("THINGSPACE_CLIENT_SECRET", "the-client-secret")
        return monkeypatch

    def test_two_variables_are_enough(self):
        """The production environment, the bearer alone."""
        auth = ThingspaceAuth.from_env()
        assert auth.environment == PRODUCTION
        assert auth.tokens.sessions is None

    def test_all_variables_are_read(self, environment):
        """Six of them."""
        environment.setenv("THINGSPACE_USERNAME", "user")
        environment.setenv("THINGSPACE_PASSWORD", "the-password")
        environment.setenv("THINGSPACE_BASE_URL", "https://localhost:8443/")
        environment.setenv("THINGSPACE_CLOCK_SKEW", "12.5")
        auth = ThingspaceAuth.from_env()
        assert auth.environment == Environment.at("https://localhost:8443")
        assert auth.tokens.sessions is not None
        assert auth.tokens.oauth.clock_skew == 12.5

    def test_arguments_win(self, environment):
        """Over the environment, and in place of it."""
        environment.delenv("THINGSPACE_CLIENT_ID")
        assert "'other'" in repr(ThingspaceAuth.from_env(client_id="other"))

    @pytest.mark.parametrize("empty", [True, False])
    def test_a_missing_variable_is_named(self, environment, empty):
        """An empty one counts as missing."""
        environment.delenv("THINGSPACE_CLIENT_ID")
        environment.setenv("THINGSPACE_CLIENT_SECRET", "" if empty else "x")
        with pytest.raises(ValueError, match="THINGSPACE_CLIENT_ID") as caught:
            ThingspaceAuth.from_env()
        assert ("THINGSPACE_CLIENT_SECRET" in str(caught.value)) == empty

    def test_an_unreadable_clock_skew_is_named(self, environment):
        """With what it holds."""
        environment.setenv("THINGSPACE_CLOCK_SKEW", "a minute")
        with pytest.raises(ValueError, match="THINGSPACE_CLOCK_SKEW is no number of seconds: 'a minute'"):
            ThingspaceAuth.from_env()


def test_get_token_and_get_session_token_give_the_current_ones(sandbox, auth):
    """For scripts that build their headers themselves."""
    one = auth()
    headers = {
        "Authorization": f"Bearer {one.get_token().access_token}",
        "VZ-M2M-Token": one.get_session_token().session_token,
    }
    url = f"{sandbox.origin}/api/m2m/v1/accounts/{sandbox.account}"
    assert requests.get(url, headers=headers, verify=sandbox.ca_file).status_code == 200
    assert one.get_token() is one.get_token()
    assert (sandbox.calls["token"], sandbox.calls["login"]) == (1, 1)


def test_without_credentials_there_is_no_session_token(auth):
    """And the error says what to give."""
    with pytest.raises(ValueError, match="username= and password="):
        auth(username=None, password=None).get_session_token()


def test_revoke_ends_the_token_everywhere(sandbox, auth):
    """The next call fetches another; without a token there is nothing to do."""
    one = auth()
    one.revoke()
    assert sandbox.calls["revoke"] == 0
    first = one.get_token()
    one.revoke()
    assert sandbox.answers["revoke", 200] == 1
    assert one.get_token() != first


def test_a_failing_revoke_says_so(sandbox, auth):
    """The token is kept."""
    one = auth()
    first = one.get_token()
    sandbox.fail_next("revoke", status=400, body={"error": "invalid_request"})
    with pytest.raises(TokenRequestError, match=r"revoke endpoint .* invalid_request"):
        one.revoke()
    assert one.get_token() == first


def test_logout_ends_the_session(sandbox, auth):
    """The next request logs in again; without a session there is nothing to do."""
    one = auth()
    one.logout()
    first = one.get_session_token()
    one.logout()
    one.logout()
    assert sandbox.calls["logout"] == 1
    assert one.get_session_token() != first


def test_logout_without_a_login_of_its_own(sandbox, auth):
    """A session token that was given can be ended as well."""
    preset = auth().get_session_token()
    one = auth(username=None, password=None, session_token=preset)
    one.logout()
    assert sandbox.answers["logout", 200] == 1
    with pytest.raises(LoginError, match="no credentials to log in with"):
        one.get_session_token()


def test_a_with_block_logs_out_of_its_own_session_only(sandbox, auth):
    """Not of one that it was given, and not when it never logged in."""
    with auth() as one:
        preset = one.get_session_token()
        with auth(session_token=preset) as other:
            assert other.get_session_token() == preset
        with auth(), auth(username=None, password=None):
            pass
        assert sandbox.calls["logout"] == 0
    assert sandbox.calls["logout"] == 1


def test_a_failing_logout_at_the_end_of_a_block_is_a_warning(sandbox, auth, caplog):
    """It must not hide what the block did."""
    sandbox.fail_next("logout", status=500)
    with caplog.at_level(logging.WARNING), auth() as one:
        one.get_session_token()
    assert "logout failed, the session ends by itself" in caplog.text


def test_reset_takes_new_credentials(sandbox, auth):
    """Whole pairs only; what is not given stays."""
    one = auth(password="the-password-but-wrong")
    one.reset(password=sandbox.password)
    one.get_session_token()
    other = auth(username=None, password=None)
    with pytest.raises(ValueError, match="give both or neither"):
        other.reset(password=sandbox.password)
    other.reset(username=sandbox.username, password=sandbox.password)
    other.get_session_token()
    other.reset()
    other.get_session_token()
    assert sandbox.answers["login", 200] == 3


def test_repr_tells_the_client_and_the_place_and_no_secret():
    """Enough to know which one it is."""
    auth = ThingspaceAuth(
        "id", "the-client-secret", username="u", password="the-password", token=OAuthToken("abc")
    )
    assert repr(auth) == "<ThingspaceAuth 'id' at https://thingspace.verizon.com>"


def test_a_reset_never_leaves_other_threads_without_a_session():
    """What they stamp with is replaced at once, and never missing while the new login is made."""
    seen = []

    def wall():
        if auths:
            seen.append(auths[0].tokens.sessions)
        return time.time()

    auths = []
    auths.append(
        ThingspaceAuth("id", "secret", username="u", password="p", clock=Clock(wall, time.monotonic))
    )
    auths[0].reset(password="another")
    assert seen
    assert None not in seen


def by_pickle(protocol):
    """A copy by pickle, of whatever age its protocol is."""
    return lambda one: pickle.loads(pickle.dumps(one, protocol))


@pytest.mark.parametrize(
    "twin", [copy.copy, copy.deepcopy, *map(by_pickle, range(pickle.HIGHEST_PROTOCOL + 1))]
)
def test_a_copy_has_the_tokens_and_works(sandbox, auth, twin):
    """A pickled auth works after loading."""
    one = ThingspaceAuth(
        sandbox.client_id,
        sandbox.client_secret,
        username=sandbox.username,
        password=sandbox.password,
        environment=sandbox.environment,
        session=_session_of(sandbox),
    )
    tokens = (one.get_token(), one.get_session_token())
    other = twin(one)
    assert (other.get_token(), other.get_session_token()) == tokens
    other.reset()
    assert isinstance(other.get_session_token(), SessionToken)


def test_a_session_may_carry_the_auth_that_uses_it(sandbox, auth):
    """`session=` may be the very one; it is read, and never changed."""
    session = _session_of(sandbox)
    session.auth = auth(session=session)
    session.headers["X-Mine"] = "1"
    before = (dict(session.headers), session.cookies.get_dict(), dict(session.adapters), session.verify)
    assert session.get(f"{sandbox.origin}/sandbox/echo").status_code == 200
    assert (
        dict(session.headers),
        session.cookies.get_dict(),
        dict(session.adapters),
        session.verify,
    ) == before


def test_an_answer_that_cannot_be_sent_again_is_given_back(sandbox, auth):
    """A response of some other library, without a connection to send on."""
    one = auth(token=OAuthToken("abc"), username=None, password=None)
    request = one(requests.Request("GET", f"{sandbox.origin}/x").prepare())
    response = requests.Response()
    response.status_code, response.request = 401, request
    (judge,) = request.hooks["response"]
    assert judge(response) is None


def test_a_token_of_the_wire_that_cannot_be_sent_is_refused(sandbox, auth):
    """Header injection by the token endpoint."""
    sandbox.fail_next("token", status=200, body={"access_token": "a\r\nX-Evil: 1"})
    with pytest.raises(InvalidTokenError, match="visible ASCII") as caught:
        auth().get_token()
    assert "X-Evil" not in str(caught.value)


def _session_of(sandbox):
    """A Session that trusts the sandbox."""
    session = requests.Session()
    session.verify, session.trust_env = sandbox.ca_file, False
    return session
