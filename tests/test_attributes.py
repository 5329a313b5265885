"""The seed's row "accessing and setting credentials": each attribute read, set, and refused."""

import copy
from pathlib import Path

import pytest

from requests_thingspace import (
    PRODUCTION,
    FileTokenCache,
    OAuthToken,
    SessionToken,
    ThingspaceAuth,
    TokenRequestError,
)


def give(*_):
    """A token provider, a callback, and a source of secrets."""
    return "the-given"


READ_AND_SET = [
    ("client_id", ["another-id"], ["", None, 5, "a:b"]),
    ("client_secret", ["the-other", Path("/a/file"), give], ["", None, 5, b"the-other"]),
    ("token", [OAuthToken("a"), None], ["text", 5, {}]),
    ("session_token", [SessionToken("a"), None], [5, {}, "cr\r\nlf"]),
    ("clock_skew", [0, 12.5], [None, -1, "60", True, float("nan")]),
    ("token_provider", [give, None], ["text", 5]),
    ("on_token_update", [give, None], ["text", 5]),
    ("username", ["another", None], ["", 5]),
    ("password", ["the-other", Path("/a/file"), give], ["", 5, b"the-other"]),
]
SETTINGS = [(name, value) for name, values, _ in READ_AND_SET for value in values]
REFUSALS = [(name, value) for name, _, values in READ_AND_SET for value in values]
GIVEN = {
    "client_id": "id",
    "client_secret": "the-client-secret",
    "username": "user",
    "password": "the-password",
    "token": OAuthToken("t"),
    "session_token": SessionToken("s"),
    "clock_skew": 30.0,
    "token_provider": lambda *_: None,
    "on_token_update": lambda *_: None,
}
READ_ONLY = {"environment": PRODUCTION, "scopes": ("read", "write"), "timeout": 5.0, "cache": None}


def ident(case):
    """How a case of these tables is called."""
    return f"{case[0]}-{case[1]!a}".replace(repr(give), "function")


@pytest.mark.parametrize("name", GIVEN)
def test_what_was_given_is_read(name):
    """Secrets read back as what was given; tokens as values; nothing is fetched for it."""
    assert getattr(ThingspaceAuth(**GIVEN), name) is GIVEN[name]


@pytest.mark.parametrize(
    ("name", "absent"), [(name, None) for name in GIVEN if not name.startswith("client_")]
)
def test_what_was_not_given_is_absent(name, absent):
    """No token is fetched by looking; the clock skew has its default."""
    absent = 60.0 if name == "clock_skew" else absent
    assert getattr(ThingspaceAuth("id", "the-client-secret"), name) == absent


@pytest.mark.parametrize(("name", "value"), SETTINGS, ids=map(ident, SETTINGS))
def test_what_is_set_is_read(name, value):
    """Of the kinds that the constructor takes."""
    auth = ThingspaceAuth(**GIVEN)
    setattr(auth, name, value)
    assert getattr(auth, name) == value
    assert "the-other" not in f"{auth!r} {vars(auth)!r}"


@pytest.mark.parametrize(("name", "value"), REFUSALS, ids=map(ident, REFUSALS))
def test_what_cannot_be_used_is_refused_and_changes_nothing(name, value):
    """By its name, as by the constructor."""
    auth = ThingspaceAuth(**GIVEN)
    with pytest.raises((ValueError, TypeError)) as caught:
        setattr(auth, name, value)
    assert name in str(caught.value) or name in ("token", "session_token")
    assert getattr(auth, name) is GIVEN[name]


@pytest.mark.parametrize("name", READ_ONLY)
def test_the_rest_is_read_only(name):
    """What an auth is for does not change under its requests."""
    auth = ThingspaceAuth("id", "the-client-secret", scopes="read write", timeout=5.0)
    assert getattr(auth, name) == READ_ONLY[name]
    with pytest.raises(AttributeError, match=name):
        setattr(auth, name, READ_ONLY[name])


@pytest.mark.parametrize(
    "name", ["tokn", "clientId", "client_secrets", "oauth_token", "tokens", "on_event_", "x"]
)
def test_a_misspelled_attribute_is_refused(name):
    """Never silently kept and ignored."""
    auth = ThingspaceAuth(**GIVEN)
    with pytest.raises(AttributeError, match=name):
        setattr(auth, name, "x")
    with pytest.raises(AttributeError):
        getattr(auth, name)


@pytest.mark.parametrize("name", [*GIVEN, *READ_ONLY])
def test_nothing_can_be_deleted(name):
    """``None`` is how a token goes."""
    with pytest.raises(AttributeError):
        delattr(ThingspaceAuth(**GIVEN), name)


def test_names_that_a_subclass_declares_are_its_own():
    """As attributes of its class, or in its annotations."""

    class Labelled(ThingspaceAuth):
        """With a label for its users."""

        label = None

    auth = Labelled(**GIVEN)
    auth.label = "fleet"
    assert auth.label == "fleet"
    with pytest.raises(AttributeError):
        auth.lable = "fleet"


# What setting does


@pytest.fixture
def watched(sandbox, connect, account):
    """A Session and its auth; what it was told stands in `told`."""
    told = []
    session = connect(on_token_update=told.append)
    auth = session.auth or session.get_adapter(account).auth
    session.get(account)
    return session, auth, told


def test_a_set_token_counts_from_the_next_request(sandbox, watched, account):
    """It is not announced, and what it replaces is not revoked."""
    session, auth, told = watched
    first = auth.token
    sandbox.revoke_tokens()
    auth.token = second = sandbox.auth().get_token().to_dict()
    answer = session.get(account)
    assert answer.request.headers["Authorization"] == f"Bearer {second['access_token']}"
    assert (told, sandbox.answers["api", 401]) == ([first], 0)
    sandbox.revoke_tokens()
    auth.token = None
    assert auth.token is None
    assert session.get(account).status_code == 200
    assert told == [first, auth.token]


def test_a_set_session_token_counts_from_the_next_request(sandbox, watched, account):
    """And when it dies, there is a login for it."""
    session, auth, _ = watched
    auth.session_token = other = sandbox.auth(token=auth.token).get_session_token()
    assert session.get(account).request.headers["VZ-M2M-Token"] == other.session_token
    auth.session_token = None
    assert auth.session_token is None
    assert session.get(account).status_code == 200
    assert sandbox.calls["login"] == 3


def test_another_id_drops_both_tokens(sandbox, watched):
    """They were another client's."""
    _, auth, _ = watched
    auth.client_id = "another-client"
    assert (auth.token, auth.session_token) == (None, None)
    with pytest.raises(TokenRequestError):
        auth.get_token()


def test_another_secret_keeps_the_token_and_clears_failures(sandbox, auth, watched):
    """The corrected secret is tried at once, within the cool-down of the wrong one."""
    _, held, _ = watched
    before = held.token
    held.client_secret = "the-client-secret-but-wrong"
    assert held.token is before
    held.token = None
    with pytest.raises(TokenRequestError):
        held.get_token()
    held.client_secret = sandbox.client_secret
    assert held.get_token()
    assert sandbox.calls["token"] == 3


def test_another_user_needs_a_password(sandbox, watched, account):
    """Its session is dropped at once; ``None`` ends the M2M session for good."""
    session, auth, _ = watched
    auth.username = "another"
    assert auth.session_token is None
    with pytest.raises(ValueError, match="password"):
        auth.get_session_token()
    auth.username = sandbox.username
    auth.password = sandbox.password
    assert session.get(account).status_code == 200
    auth.username = None
    assert auth.password is None
    assert "VZ-M2M-Token" not in session.get(account).request.headers
    assert sandbox.calls["login"] == 2


def test_another_skew_judges_the_token_that_is_held(sandbox, auth):
    """From the next request on."""
    asked = []

    def provide(last, manager):
        asked.append(last)
        return manager.fetch_token()

    mine = auth(token_provider=provide)
    mine.get_token()
    sandbox.advance(3400)
    mine.get_token()
    assert len(asked) == 1
    mine.clock_skew = 300
    mine.get_token()
    assert len(asked) == 2


def test_another_provider_and_callback_are_asked_and_told_from_then_on(auth):
    """None brings back what an auth does by itself."""
    mine, told = auth(), []
    mine.token_provider = lambda *_: OAuthToken("of the provider".replace(" ", "-"))
    mine.on_token_update = told.append
    assert mine.get_token().access_token == "of-the-provider"
    mine.token_provider = None
    mine.token = None
    assert mine.get_token().access_token != "of-the-provider"
    assert len(told) == 2


def test_a_provider_beside_a_cache_is_refused(auth, tmp_path):
    """A cache is a provider; and a token that is dropped here is still in it."""
    mine = auth(cache=FileTokenCache(tmp_path / "tokens.json"))
    with pytest.raises(ValueError, match="cache"):
        mine.token_provider = give
    mine.token_provider = None
    first = mine.get_token()
    mine.token = None
    assert mine.get_token() == first


def test_an_auth_of_the_bearer_alone_takes_them_too():
    """Without a user there is no session that would have to hear of it, and none in a copy."""
    auth = ThingspaceAuth("id", "the-client-secret")
    auth.client_secret, auth.clock_skew, auth.session_token = give, 10, None
    auth.logout()
    auth.reset()
    twin = copy.copy(auth)
    assert (twin.client_secret, twin.clock_skew, twin.session_token, twin.username) == (give, 10, None, None)


CHANGES = {
    "client_id": lambda auth, sandbox: sandbox.client_id,
    "client_secret": lambda auth, sandbox: lambda: sandbox.client_secret,
    "token": lambda auth, sandbox: auth.get_token(),
    "no token": lambda auth, sandbox: None,
    "session_token": lambda auth, sandbox: auth.get_session_token(),
    "no session_token": lambda auth, sandbox: None,
    "clock_skew": lambda auth, sandbox: 4000 if auth.clock_skew < 100 else 60,
    "token_provider": lambda auth, sandbox: lambda _, manager: manager.fetch_token(),
    "on_token_update": lambda auth, sandbox: print,
    "password": lambda auth, sandbox: sandbox.password,
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_session_under_load_does_not_notice(sandbox, connect, account, under_load, change):
    """Eight threads, each attribute set thirty times: no failed call."""
    session = connect()
    auth = session.auth or session.get_adapter(account).auth
    session.get(account)

    def happening():
        for _ in range(30):
            setattr(auth, change.split()[-1], CHANGES[change](auth, sandbox))
            session.get(account)

    assert under_load(lambda: session.get(account), happening) == {200}
    assert sandbox.answers["api", 401] == sandbox.answers["api", 400] == 0


def test_a_session_token_may_be_set_on_an_auth_without_a_user(sandbox, auth):
    """It is used as one that was given at the start; what is set again as it was changes nothing."""
    one = auth(username=None, password=None)
    one.session_token = given = sandbox.auth().get_session_token()
    one.username = one.password = None
    assert one.get_session_token() == given
    assert one.cache_keys["session"] != one.cache_keys["bearer"]


def test_a_session_token_without_a_username_can_be_dropped(sandbox, connect, account):
    """Afterwards there is no M2M session, and no header of one."""
    session = connect(username=None, password=None, session_token="given")
    auth = session.auth or session.get_adapter(account).auth
    assert session.get(account).request.headers["VZ-M2M-Token"] == "given"
    auth.session_token = None
    assert "VZ-M2M-Token" not in session.get(account).request.headers
    assert auth.session_token is None
