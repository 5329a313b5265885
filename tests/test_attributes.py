"""The seed's row "accessing and setting credentials": each attribute read, set, and refused."""

from pathlib import Path

import pytest

from requests_thingspace import PRODUCTION, FileTokenCache, OAuthToken, SessionToken, ThingspaceAuth

from .catalogue import error_of
from .test_settings import GIVEN as TEXTS_AND_TOKENS


def give(*_):
    return "the-given"


READ_AND_SET = {
    "client_id": ["another-id"],
    "client_secret": ["the-other", Path("/a/file"), give],
    "token": [OAuthToken("t0ken"), None],
    "session_token": [SessionToken("t0ken"), None],
    "clock_skew": [0, 12.5],
    "token_provider": [give, None],
    "on_token_update": [give, None],
    "username": ["another", None],
    "password": ["the-other", Path("/a/file"), give],
}
GIVEN = {**TEXTS_AND_TOKENS, "clock_skew": 30.0, "token_provider": print, "on_token_update": print}
READ_ONLY = {"environment": PRODUCTION, "scopes": ("read", "write"), "timeout": 5.0, "cache": None}
MISSPELLED = dict.fromkeys(["tokn", "clientId", "oauth_token", "on_event_", "x"])


def test_what_was_given_or_set_is_read_and_what_was_not_is_absent():
    """Secrets read back as what was given, tokens as values; nothing is fetched for it, and none is shown."""
    auth = ThingspaceAuth("id", "the-client-secret")
    assert [getattr(auth, name) for name in GIVEN][2:] == [None] * 4 + [60.0, None, None]
    auth = ThingspaceAuth(**GIVEN)
    assert {name: getattr(auth, name) for name in GIVEN} == GIVEN
    for name, values in READ_AND_SET.items():
        for value in values:
            auth = ThingspaceAuth(**GIVEN)
            setattr(auth, name, value)
            assert getattr(auth, name) == value
            assert repr(auth) == f"<ThingspaceAuth {auth.client_id!r} at https://thingspace.verizon.com>"
            assert not [secret for secret in ("the-", "t0ken") if secret in f"{vars(auth)!r}"]


def test_the_rest_is_read_only_and_a_misspelled_attribute_refused():
    """What an auth is for does not change under its requests; what a subclass declares is its own."""

    class Labelled(ThingspaceAuth):
        label = None
        site: str

    for scopes in ("read write", ["read", "write"]):
        auth = Labelled("id", "the-client-secret", scopes=scopes, timeout=5.0)
        assert {name: getattr(auth, name) for name in READ_ONLY} == READ_ONLY
    for name, value in {**READ_ONLY, **MISSPELLED}.items():
        with pytest.raises(AttributeError, match=name):
            setattr(auth, name, value)
    auth.label, auth.site = "fleet", "north"
    assert (auth.label, auth.site) == ("fleet", "north")


def test_a_set_token_counts_from_the_next_request(sandbox, warm, account):
    """It is not announced, and what it replaces is not revoked."""
    told = []
    session, auth = warm(on_token_update=told.append)
    first = auth.token
    sandbox.revoke_tokens()
    auth.token = second = sandbox.auth().get_token().to_dict()
    answer = session.get(account)
    assert answer.request.headers["Authorization"] == f"Bearer {second['access_token']}"
    assert (told, sandbox.answers["api", 401]) == ([first], 0)
    sandbox.advance(3550)  # it is due, and ThingSpace gives it once more
    assert session.get(account).status_code == 200
    assert (told, auth.token.access_token) == ([first], second["access_token"])
    sandbox.revoke_tokens()
    auth.token = None
    assert auth.token is None
    assert session.get(account).status_code == 200
    assert told == [first, auth.token]


@pytest.mark.parametrize("given", [{}, {"username": None, "password": None, "session_token": "given"}])
def test_a_set_session_token_counts_from_the_next_request(sandbox, warm, account, given):
    """When it is dropped there is a login, or without a user no header of a session."""
    session, auth = warm(**given)
    auth.session_token = other = sandbox.auth(token=auth.token).get_session_token()
    auth.username, auth.client_secret = auth.username, auth.client_secret  # which changes nothing
    assert session.get(account).request.headers["VZ-M2M-Token"] == other.session_token
    auth.session_token = None
    assert auth.session_token is None
    assert ("VZ-M2M-Token" in session.get(account).request.headers) == (not given)
    assert sandbox.calls["login"] == (1 if given else 3)


def test_another_id_drops_both_tokens_and_another_secret_keeps_them(sandbox, warm):
    """They were another client's; the corrected secret is tried at once, within the cool-down."""
    _, mine = warm()
    before = mine.token
    mine.client_secret = "the-client-secret-but-wrong"
    assert mine.token is before
    mine.client_id = sandbox.client_id
    assert (mine.token, mine.session_token) == (None, None)
    assert error_of(mine.get_token).status == 401
    mine.client_secret = sandbox.client_secret
    assert mine.get_token()
    assert sandbox.calls["token"] == 3


def test_another_user_needs_a_password(sandbox, warm, account):
    """Its session is dropped at once; ``None`` ends the M2M session for good."""
    session, auth = warm()
    auth.username = "another"
    assert auth.session_token is None
    with pytest.raises(ValueError, match="password"):
        auth.get_session_token()
    auth.username, auth.password = sandbox.username, sandbox.password
    assert session.get(account).status_code == 200
    auth.username = None
    assert auth.password is None
    assert "VZ-M2M-Token" not in session.get(account).request.headers
    assert sandbox.calls["login"] == 2


def test_another_skew_provider_and_callback_count_from_then_on(sandbox, auth):
    """The skew judges the token that is held; ``None`` brings back what an auth does by itself."""
    asked, told = [], []

    def provide(last, _):
        asked.append(last)
        return {"access_token": f"of-the-provider-{len(asked)}", "expires_in": 3600}

    mine = auth()
    mine.token_provider, mine.on_token_update = provide, told.append
    first = mine.get_token()
    sandbox.advance(3400)
    assert mine.get_token() is first
    mine.clock_skew = 300
    second = mine.get_token()
    assert asked == [None, first]
    mine.token_provider = mine.token = None
    assert told == [first, second, mine.get_token()]
    assert "of-the-provider" not in mine.token.access_token


def test_a_provider_beside_a_cache_is_refused(auth, tmp_path):
    """A cache is a provider; and a token that is dropped here is still in it."""
    mine = auth(cache=FileTokenCache(tmp_path / "tokens.json"))
    with pytest.raises(ValueError, match="cache"):
        mine.token_provider = give
    mine.token_provider = None
    first = mine.get_token()
    mine.token = None
    assert mine.get_token() == first


CHANGES = {
    "client_id": lambda auth, sandbox: sandbox.client_id,
    "client_secret": lambda auth, sandbox: lambda: sandbox.client_secret,
    "token": lambda auth, sandbox: auth.get_token(),
    "no token": lambda auth, sandbox: None,
    "session_token": lambda auth, sandbox: auth.get_session_token(),
    "no session_token": lambda auth, sandbox: None,
    "clock_skew": lambda auth, sandbox: 4000 if auth.clock_skew < 100 else 60,
    "token_provider": lambda auth, sandbox: lambda _, manager: manager.fetch_token(),
    "on_token_update": lambda auth, sandbox: give,
    "password": lambda auth, sandbox: sandbox.password,
}


def test_a_session_under_load_does_not_notice(sandbox, warm, account, under_load):
    """Eight threads, each attribute set again and again, and resets of the user: no failed call."""
    session, auth = warm()

    def happening():
        for change in [*CHANGES] * 2:
            setattr(auth, change.split()[-1], CHANGES[change](auth, sandbox))
            session.get(account)
        for credentials in ({}, {"username": sandbox.username, "password": sandbox.password}):
            auth.reset(**credentials)
            session.get(account)

    assert under_load(lambda: session.get(account), happening) == {200}
    assert sandbox.answers["api", 401] == sandbox.answers["api", 400] == 0


def test_two_that_are_set_at_once_both_count():
    """One thread sets another attribute while this one's value is looked at."""
    auth = ThingspaceAuth("id", "the-client-secret")

    class Looked(float):
        """A number that sets the secret when it is looked at for the first time."""

        def __abs__(self):
            if auth.client_secret == "the-client-secret":
                auth.client_secret = "the-other"
            return float(self)

    auth.clock_skew = Looked(30.0)
    assert (auth.clock_skew, auth.client_secret) == (30.0, "the-other")
