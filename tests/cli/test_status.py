"""``thingspace status`` says what is in use, and asks neither a network nor a keyring for it."""

import hashlib
import json
import os
import socket
import sys
import time

import platformdirs
import pytest

from requests_thingspace import FileTokenCache

from .conftest import NO_CREDENTIALS


@pytest.fixture
def status(call, sandbox):
    """A function that gives the exit status, the JSON and the lines, and proves that nothing was sent."""

    def status():
        before = sandbox.calls
        code, out, _ = call("status", "--json")
        lines = call("status")[1]
        assert sandbox.calls == before
        return code, json.loads(out), lines

    return status


def until(condition):
    deadline = time.time() + 10
    while not condition():
        assert time.time() < deadline


def fingerprint(text):
    return hashlib.sha256(text.strip().encode()).hexdigest()[:8]


def test_both_tokens_are_shown_by_their_fingerprints(status, call, sandbox, monkeypatch):
    """With what is left of the bearer, who fetched it and when; a cache need not know any of that."""
    bearer, session = call("token")[1], call("token", "--session")[1]
    code, found, lines = status()
    names = "cache client_id next origin profile refused session sources token username"
    assert (code, sorted(found)) == (0, names.split())
    assert found["client_id"] == sandbox.client_id
    assert found["token"]["fingerprint"] == fingerprint(bearer)
    assert found["session"]["fingerprint"] == fingerprint(session)
    assert (found["refused"], found["next"], found["cache"]["state"]) == (None, None, "works")
    assert set(found["sources"].values()) == set(NO_CREDENTIALS)
    assert 3500 < found["token"]["seconds_left"] <= 3600
    assert "expires in 1 h 0 min" in lines or "expires in 59 min" in lines
    assert "next" not in lines
    me = f"{socket.gethostname()}, process {os.getpid()}"
    assert time.time() - 60 < found["token"]["since"] < time.time()
    assert (found["token"]["by"], found["token"]["fetches_this_hour"]) == (me, 1)
    assert f", fetched by {me}, token calls this hour: 1" in lines
    monkeypatch.setattr(FileTokenCache, "describe", lambda *_: {})
    _, found, lines = status()
    assert set(found["token"]) == {"fingerprint", "expires_at", "seconds_left"}
    assert "fetched by" not in lines


def test_the_next_step_is_told(status, call, monkeypatch):
    """To fetch a token, or before that to log in; a secret may be in a keyring, which is not asked."""
    code, _, lines = status()
    assert code == 1
    assert "token      none is stored" in lines
    assert lines.endswith("next       fetch a token with: thingspace token\n")
    call("token")
    for name in ("CLIENT_SECRET", "USERNAME", "PASSWORD"):
        monkeypatch.delenv(f"THINGSPACE_{name}")
    code, found, lines = status()
    assert (code, found["username"], found["session"]) == (0, None, None)
    assert "secret     from the keyring, or a prompt" in lines
    monkeypatch.delenv("THINGSPACE_CLIENT_ID")
    code, found, _ = status()
    assert (code, found["client_id"]) == (1, None)
    assert found["next"] == "keep your credentials with: thingspace login"


def test_an_expired_token_is_as_good_as_none(status, call, sandbox):
    """One without an expiry is usable, and nothing is said of what is left."""
    sandbox.fail_next("token", status=200, body={"access_token": "a-token", "expires_in": 1})
    call("token")
    until(lambda: status()[0] == 1)
    assert status()[1]["token"] is None
    sandbox.fail_next("token", status=200, body={"access_token": "another"})
    until(lambda: call("token")[1] == "another\n")
    code, found, _ = status()
    assert (code, found["token"]["fingerprint"]) == (0, fingerprint("another"))
    assert "seconds_left" not in found["token"]


def test_a_refused_login_is_remembered_and_told(status, call, monkeypatch, sandbox):
    """Further calls do not use up the five attempts, until a logout; an accepted login ends it."""
    monkeypatch.setenv("THINGSPACE_PASSWORD", "a-mistake")
    for _ in range(3):
        code, out, err = call("token", "--session")
        assert (code, out, err.count("\n")) == (1, "", 1)
        assert "five failed logins lock the account" in err
    _, found, lines = status()
    refusal = "ThingSpace refused the login: HTTP 400 UnifiedWebService.REQUEST_FAILED.LoginFailed"
    assert (found["refused"], sandbox.calls["login"]) == (refusal, 1)
    assert found["next"].startswith("correct the credentials")
    assert f"refused    {refusal}\n" in lines
    assert "A refused login was remembered, and is forgotten." in call("logout")[1]
    call("token", "--session")
    assert sandbox.calls["login"] == 2
    monkeypatch.setenv("THINGSPACE_PASSWORD", sandbox.password)
    call("token", "--session")
    assert status()[1]["refused"] is None


def test_a_refused_key_is_told_while_it_is_remembered(status, call, monkeypatch):
    """That is two seconds; nothing keeps anyone from trying a corrected one at once."""
    monkeypatch.setenv("THINGSPACE_CLIENT_SECRET", "a-mistake")
    call("token")
    assert status()[1]["refused"] == "ThingSpace refused the token request: HTTP 401 invalid_client"
    until(lambda: status()[1]["refused"] is None)


def test_a_cache_in_trouble_is_told(status, call, tmp_path):
    """Each call then fetches a token of its own, and says so on one line."""
    call("token")
    (path,) = tmp_path.glob("**/tokens.json")
    path.write_text("no JSON")
    code, found, _ = status()
    assert (code, found["token"]) == (1, None)
    assert found["cache"]["state"].startswith("does not work: ")
    assert "fix the token cache" in found["next"]
    code, _, err = call("token")
    assert (code, err.count("\n"), err[:12]) == (0, 1, "thingspace: ")


def test_it_is_quick(execute):
    """It imports nothing that only a token call, a lock, a keyring or a server needs."""
    slow = ("oauthlib", "requests_oauthlib", "keyring", "trustme", "asyncio")
    slow += ("requests_thingspace._profiles",)  # the variables say all
    script = (
        f"import sys; sys.path[:0] = {sys.path!r}; "
        "from requests_thingspace.cli import main; main(['status']); "
        f"print([name for name in {slow!r} if name in sys.modules])"
    )
    assert execute(sys.executable, "-S", "-c", script).out.splitlines()[-1] == "[]"


def test_without_a_home_nothing_is_kept(call, monkeypatch):
    """As for a container's user whom no passwd knows: tokens are fetched, and what is missing is told."""

    def homeless(*_, **__):
        raise RuntimeError("could not determine the home directory for '~/.config'")

    for name in ("user_config_path", "user_state_path"):
        monkeypatch.setattr(platformdirs, name, homeless)
    code, out, _ = call("status")
    assert (code, "that takes a HOME" in out) == (1, True)
    assert call("token")[0] == 0
    assert "could not determine the home directory" in call("token", "--profile", "x").line
