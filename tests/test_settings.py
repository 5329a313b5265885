"""What is given wrongly is refused at once, by name, and without showing a secret."""

from functools import partial
from pathlib import Path

import pytest
import requests

import requests_thingspace
from requests_thingspace import (
    PRODUCTION,
    Environment,
    FileTokenCache,
    OAuthToken,
    RedisTokenCache,
    SessionToken,
    ThingspaceAuth,
    ThingspaceError,
    mount,
)
from requests_thingspace._settings import arguments_from, layered

from .secrets_in import chain

LONE = "the-\ud800"  # a text that cannot be encoded, such as `os.environ` gives for bytes that are no UTF-8
WRONG = {
    "client_id": [None, 5, "", b"id", LONE, "a:b", Path("id")],
    "client_secret": [None, 5, "", b"the-secret", LONE, ["the-secret"]],
    "username": [5, "", b"user", LONE],
    "password": [5, "", b"the-password", LONE],
    "scopes": [5, [5], [None], [LONE], [b"read"]],
    "token": [5, "text", {}, {"access_token": LONE}],
    "session_token": [5, {}, LONE, "cr\r\nlf"],
    "clock_skew": [None, "60", -1, True, float("nan"), float("inf"), 10**400],
    "timeout": [None, "30", 0, -1, True, float("nan"), float("inf"), 10**400, 1e10],
    "token_provider": ["x", 5, [print]],
    "on_token_update": ["x", 5],
    "on_event": ["x", 5],
    "cache": ["/a/path", 5, Path("/a/path"), FileTokenCache, {}],
    "environment": ["staging", None, "https://thingspace.verizon.com", Environment],
    "session": ["x", requests.Session, 5],
    "clock": ["x", 5, None],
}
CALLED = {"token": "access_token|token", "session_token": "session_?[tT]oken", "scopes": "scopes?"}


USER = {"username": "user", "password": "the-password"}
GIVEN = {"client_id": "id", "client_secret": "the-client-secret", **USER}
GIVEN |= {"token": OAuthToken("t"), "session_token": SessionToken("s")}
WRONGLY_GIVEN = (ValueError, TypeError, AttributeError)


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_argument_is_refused_by_name(name):
    """When the auth is made, not at the first request; as an attribute it changes nothing."""
    auth = ThingspaceAuth(**GIVEN)
    before, called = getattr(auth, name, None), CALLED.get(name, name)
    for value in WRONG[name]:
        with pytest.raises(WRONGLY_GIVEN, match=called) as argument:
            ThingspaceAuth(**{**GIVEN, name: value})
        with pytest.raises(WRONGLY_GIVEN, match=called) as attribute:
            setattr(auth, name, value)
        for error in (argument.value, attribute.value):
            assert "the-" not in f"{error!r} {error.__cause__!r}"
        assert getattr(auth, name, None) is before


def test_a_refusal_says_what_to_give():
    """Also of two arguments that do not go together."""
    refusals = {
        "contains a colon": {"client_id": "a:b"},
        "username and password .* give both or neither": {"username": "user"},
        "give both or neither": {"password": "the-password"},
        "exclude each other": {"cache": print, "token_provider": print},
        "clock_skew must be at least 0 seconds": {"clock_skew": -1},
        "timeout must be a finite number of seconds": {"timeout": float("inf")},
        "a str is not a token": {"token": "a bare string"},
    }
    for message, arguments in refusals.items():
        with pytest.raises(ValueError, match=message):
            ThingspaceAuth(**{"client_id": "id", "client_secret": "the-client-secret", **arguments})


def test_the_caches_are_listed():
    """`dir()` and tab completion know them, though only who asks for one pays for its import."""
    assert set(requests_thingspace.__all__) <= set(dir(requests_thingspace))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: mount(None, ThingspaceAuth(**GIVEN)), "session must be a requests.Session, not a NoneType"),
        (lambda: FileTokenCache(lock_timeout="5"), "lock_timeout must be a finite number of seconds"),
        (lambda: RedisTokenCache("redis://localhost", lease=0), "lease must be at least 0.1 seconds"),
        (lambda: RedisTokenCache(None), "client_or_url must be a client of redis-py or a URL, not a None"),
    ],
)
def test_a_wrong_argument_is_refused_elsewhere_too(call, message):
    """By a cache and by `mount`; an unset variable is the usual cause."""
    with pytest.raises((ValueError, TypeError), match=message):
        call()


def test_a_mounted_auth_revokes_and_logs_out_by_its_sessions_settings(sandbox, auth, plain, account):
    """It was given no `session=`: the verify of the Session that it is mounted on counts."""
    mine = auth(session=None)
    assert mount(plain, mine).get(account).status_code == 200
    mine.logout()
    mine.revoke()
    assert (sandbox.answers["logout", 200], sandbox.answers["revoke", 200]) == (1, 1)


MISSING = {
    "CLIENT_ID": r"^(?!.*CLIENT_SECRET).*THINGSPACE_CLIENT_ID .*from_profile\(\)",
    "CLIENT_SECRET": r"^(?!.*CLIENT_ID).*THINGSPACE_CLIENT_SECRET .*from_profile\(\)",
    **dict.fromkeys(["USERNAME", "PASSWORD"], "THINGSPACE_USERNAME and THINGSPACE_PASSWORD"),
}


class TestVariables:
    """`THINGSPACE_*`, and the files that they name."""

    @pytest.fixture(autouse=True)
    def variables(self, sandbox, monkeypatch):
        """A function that sets variables, the four of the sandbox at first; None takes one away."""

        def variables(**given):
            for name, value in given.items():
                monkeypatch.setenv(f"THINGSPACE_{name}", str(value))
                if value is None:
                    monkeypatch.delenv(f"THINGSPACE_{name}")

        variables(**{name: getattr(sandbox, name.lower()) for name in MISSING})
        return variables

    @pytest.fixture
    def from_env(self, sandbox, plain):
        return partial(ThingspaceAuth.from_env, environment=sandbox.environment, session=plain)

    @pytest.fixture
    def files(self, sandbox, tmp_path):
        """The four in files, with white space around each."""
        files = {name: tmp_path / name.lower() for name in MISSING}
        for name, path in files.items():
            path.write_text(f"\n {getattr(sandbox, name.lower())} \r\n")
        return files

    def test_all_variables_are_read(self, variables, sandbox):
        """Two are enough, for the bearer alone in production; six there are; arguments win."""
        variables(BASE_URL="https://localhost:8443/", CLOCK_SKEW="12.5")
        auth = ThingspaceAuth.from_env()
        assert (auth.environment, auth.clock_skew) == (Environment.at("https://localhost:8443"), 12.5)
        assert (auth.username, auth.password) == (sandbox.username, sandbox.password)
        variables(USERNAME=None, PASSWORD=None, BASE_URL=None, CLOCK_SKEW=None)
        auth = ThingspaceAuth.from_env(client_id="other", client_secret="the-other-secret")
        assert (auth.client_id, auth.client_secret) == ("other", "the-other-secret")
        assert (auth.environment, auth.username) == (PRODUCTION, None)

    def test_each_may_come_from_a_file(self, variables, from_env, files):
        """White space does not count, nor does an empty variable; secrets stay paths, to be read again."""
        for name in MISSING:
            variables(**{f"{name}_FILE": ""})
        assert from_env().get_session_token()
        variables(**dict.fromkeys(files, ""), **{f"{name}_FILE": path for name, path in files.items()})
        auth = from_env()
        assert auth.get_session_token()
        assert (auth.client_secret, auth.password) == (files["CLIENT_SECRET"], files["PASSWORD"])

    @pytest.mark.parametrize("name", MISSING)
    def test_a_file_that_holds_nothing_of_use_is_named(self, variables, from_env, tmp_path, name):
        """Where it is read: an id and a username at once, a secret and a password when it is needed."""
        path = tmp_path / "file"
        variables(**{name: None, f"{name}_FILE": path})
        for content in (None, b"", b" \n", b"\xff\xfe\x00"):
            if content is not None:
                path.write_bytes(content)
            with pytest.raises((ValueError, ThingspaceError), match=f"THINGSPACE_{name}") as caught:
                from_env().get_session_token()
            # a UnicodeError would hold the bytes
            assert not any(isinstance(one, UnicodeError) for one in chain(caught.value))

    @pytest.mark.parametrize("name", MISSING)
    def test_one_that_is_missing_given_twice_or_no_utf8_is_named(self, variables, from_env, files, name):
        """An id or secret alone, half a login as a pair; `os.environ` gives wrong bytes as surrogates."""
        variables(**{f"{name}_FILE": files[name]})
        with pytest.raises(ValueError, match=rf"THINGSPACE_{name}\b.*THINGSPACE_{name}_FILE") as twice:
            from_env()
        variables(**{name: "the-\udcff", f"{name}_FILE": None})
        with pytest.raises(ValueError, match=f"THINGSPACE_{name}") as no_utf8:
            from_env()
        assert "the-" not in f"{twice.value} {no_utf8.value}"
        variables(**{name: None})
        with pytest.raises(ValueError, match=MISSING[name]):
            from_env()

    def test_a_pair_comes_from_one_source(self, from_env):
        """An id as argument and a secret as variable are of two clients."""
        for pair in (("client_id", "client_secret"), ("username", "password")):
            for given in pair:
                with pytest.raises(ValueError, match=f"^{' and '.join(pair)} go together"):
                    from_env(**{given: "another"})

    @pytest.mark.parametrize("skew", ["a minute", "nan", "-1"])
    def test_a_value_that_cannot_be_read_is_named(self, variables, skew):
        """With the variable that holds it."""
        variables(CLOCK_SKEW=skew)
        with pytest.raises(ValueError, match="THINGSPACE_CLOCK_SKEW"):
            ThingspaceAuth.from_env()
        variables(CLOCK_SKEW=None, BASE_URL="localhost")
        with pytest.raises(ValueError, match="THINGSPACE_BASE_URL"):
            ThingspaceAuth.from_env()


def test_a_profile_brings_its_environment_with_its_key_alone():
    """Another key belongs elsewhere, wherever it comes from."""
    kept = {"client_id": "a", "client_secret": "b", "environment": "theirs"}
    profile = {"THINGSPACE_PROFILE": "p"}
    assert arguments_from(profile, {}, lambda _: dict(kept)) == kept
    other = {"client_id": "x", "client_secret": "y"}
    assert arguments_from(profile, other, lambda _: dict(kept)) == other
    assert layered(other, kept) == other
    assert layered({"username": "u"}, {**kept, "username": "v", "password": "w"}) == {**kept, "username": "u"}


def test_a_profile_that_has_nothing_to_add_is_not_loaded():
    """Loading it may unlock a keyring."""
    whole = {f"THINGSPACE_{name}": "x" for name in ("CLIENT_ID", "CLIENT_SECRET", "USERNAME", "PASSWORD")}
    arguments = arguments_from({**whole, "THINGSPACE_PROFILE": "p"}, {}, lambda _: pytest.fail("loaded"))
    assert set(arguments.values()) == {"x"}
