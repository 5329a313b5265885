"""No frame of ours shows a secret, a token or the password to what prints local variables."""

import base64
import os
import sys
import threading

import pytest
import requests

from requests_thingspace import Environment, FileTokenCache, ThingspaceAuth

from .catalogue import EXPIRED, error_of
from .hostile import ForwardProxy, HostileServer, json_answer, redirect
from .secrets_in import chain, frames, leaks, spellings

UNUSABLE = {"access_token": "the-unusable token", "sessionToken": "the-unusable token"}
FAULTS = {
    "refused": {"status": 401},
    "bad request": {"status": 400, "body": {"error": "invalid_request"}},
    "not json": {"status": 200, "body": "<html>"},
    "not a token": {"status": 200, "body": UNUSABLE},
    "outage": {"status": 500},
    "cut": {"status": None},
    "late": {"status": 200, "delay": 5.0},
    "redirect": {"status": 307, "headers": {"Location": "https://localhost:1/"}},
}


@pytest.fixture
def secrets(sandbox, log_without_secrets):
    """What neither a frame nor the log may show; each token that becomes current comes to it by itself."""
    basic = f"{sandbox.client_id}:{sandbox.client_secret}"
    log_without_secrets |= {base64.b64encode(basic.encode()).decode(), "the-unusable"}
    return log_without_secrets


def assert_no_frame_shows(error, secrets, *, everybodys=True):
    """Neither a frame of ours shows one of these nor, below the calls that we make, one of others."""
    words = {spelling for secret in secrets for spelling in spellings(secret)}
    assert list(frames(error)), "no frame of the package is in the traceback"
    assert [leak for frame in frames(error, everybodys=everybodys) for leak in leaks(frame, words)] == []
    assert not [repr(one) for one in chain(error) for word in words if word in f"{one!r} {one} {vars(one)}"]


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("endpoint", ["token", "login"])
def test_a_failing_call_of_ours_shows_nothing(sandbox, connect, account, secrets, endpoint, fault):
    """In whatever way it fails: not the secret or password, nor the bearer that a login was sent with."""
    session = connect(timeout=0.5)
    sandbox.fail_next(endpoint, times=3, **FAULTS[fault])
    assert_no_frame_shows(error_of(lambda: session.get(account)), secrets)


@pytest.mark.parametrize("endpoint", ["revoke", "logout"])
def test_a_failing_revocation_or_logout_shows_nothing(sandbox, auth, secrets, endpoint):
    """Not the token that was to be ended."""
    for fault in ("refused", "outage", "cut", "late", "redirect"):
        sandbox.reset()
        mine = auth(timeout=0.5)
        secrets |= {mine.get_session_token().session_token, mine.get_token().access_token}
        sandbox.fail_next(endpoint, times=5, **FAULTS[fault])
        assert_no_frame_shows(error_of(getattr(mine, endpoint)), secrets)


@pytest.mark.parametrize("broken", ["token", "login", "api"])
def test_a_failure_within_a_replay_shows_nothing(sandbox, warm, account, secrets, broken):
    """Neither the token that was refused, nor what would have brought another one, nor what is sent again."""
    session, auth = warm(timeout=1.0)
    secrets |= {auth.token.value, auth.session_token.value}
    if broken == "token":
        sandbox.revoke_tokens()
    else:
        sandbox.end_sessions()
    if broken == "api":
        sandbox.fail_next("api", status=400, body=EXPIRED)
    sandbox.fail_next(broken, status=None if broken == "api" else 503, times=3)
    assert_no_frame_shows(error_of(lambda: session.get(account)), secrets, everybodys=False)


def test_a_failing_call_with_a_cache_shows_nothing(sandbox, auth, secrets, tmp_path):
    """A login refused under the cache's lock, a refusal out of the cache, and a token call that fails."""
    cache = {"cache": FileTokenCache(tmp_path / "tokens.json"), "password": "the-password-but-wrong"}
    secrets.add(auth(cache=cache["cache"]).get_token().access_token)
    mine = auth(**cache)
    assert_no_frame_shows(error_of(mine.get_session_token), secrets)
    assert_no_frame_shows(error_of(auth(**cache).get_session_token), secrets)
    assert sandbox.calls["login"] == 1
    sandbox.advance(3600)
    sandbox.fail_next("token", status=400)
    assert_no_frame_shows(error_of(mine.get_token), secrets)


REFUSED = [("token", UNUSABLE), ("token", "the-unusable"), ("session_token", "the-unusable token")]
REFUSED += [("client_secret", "the-unusable\ud800"), ("password", "the-unusable\ud800")]
WAYS = {
    "argument": lambda given, wrong: ThingspaceAuth(**{**given, **wrong}),
    "credentials": lambda given, wrong: ThingspaceAuth.from_credentials({**given, **wrong}),
    "override": lambda given, wrong: ThingspaceAuth.from_credentials(given, **wrong),
    "profile": lambda _, wrong: ThingspaceAuth.from_profile("none", **wrong),
    "attribute": lambda given, wrong: setattr(ThingspaceAuth(**given), *wrong.popitem()),
    "misspelled": lambda given, wrong: setattr(ThingspaceAuth(**given), "secrte", wrong.popitem()[1]),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_secret_that_is_refused_shows_nothing(way):
    """What was given wrongly stands in no frame of ours."""
    given = {"client_id": "id", "client_secret": "s", "username": "user", "password": "p"}
    for name, unusable in REFUSED:
        with pytest.raises((ValueError, TypeError, AttributeError)) as caught:
            WAYS[way](given, {name: unusable})
        assert_no_frame_shows(caught.value, {"the-unusable"})


def test_a_failing_provider_sees_nothing_above_it(sandbox, auth, secrets):
    """Frames of ours stand between the caller and a provider, a source of secrets, and a callback."""

    def provide(_, manager):
        secrets.add(manager.fetch_token().access_token)
        raise requests.ConnectionError

    assert_no_frame_shows(error_of(auth(token_provider=provide).get_token), secrets, everybodys=False)


def test_a_frame_that_a_listener_sees_shows_nothing(auth, secrets):
    """The whole stack, while a token is fetched, a login made and both replaced."""
    found = []

    def look(event):
        frame = sys._getframe(1)
        while frame is not None:
            found.extend(leaks(frame, secrets) if "requests_thingspace" in frame.f_code.co_filename else [])
            frame = frame.f_back

    mine = auth(on_event=look)
    secrets.add(mine.get_session_token().session_token)
    mine.revoke()
    mine.logout()
    mine.get_session_token()
    assert found == []


def test_nothing_is_said_where_no_thread_can_be_started(sandbox, auth, secrets):
    """The call is made or fails, and neither its frames nor the log show anything of it."""
    mine = auth(timeout=2.0)
    mine.get_token()
    sandbox.fail_next("login", status=None, times=2)
    sandbox.fail_next("token", status=None, times=5)
    size = threading.stack_size(1 << 46)
    try:
        with pytest.raises(RuntimeError):
            threading.Thread(target=print).start()
        for ask in (mine.get_session_token, auth(timeout=2.0).get_token):
            assert_no_frame_shows(error_of(ask), secrets)
    finally:
        threading.stack_size(size)


@pytest.mark.parametrize("given", [True, False])
def test_secrets_to_loopback_http_never_pass_a_proxy(attach, monkeypatch, given):
    """Token call and login of a ThingSpace on this machine go straight to it, whatever HTTP_PROXY says."""
    tokens = json_answer(200, {"access_token": "abc", "expires_in": 900, "sessionToken": "def"})
    with ForwardProxy() as proxy, HostileServer(tls=False) as server, requests.Session() as session:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.bare_url)
        environment = Environment.at(server.origin)
        for name in ("token_url", "revoke_url", "login_url", "logout_url"):
            server.script(getattr(environment, name).removeprefix(server.origin), tokens)
        server.script("/api/x", redirect(302, "/api/y"))
        server.script("/api/y", json_answer(200, {}))
        more = {"username": "user", "password": "the-password", "session": session if given else None}
        auth = ThingspaceAuth("id", "the-client-secret", environment=environment, **more)
        assert attach(session, auth).get(f"{server.origin}/api/x").status_code == 200
        auth.logout()
        auth.revoke()
        by_proxy = {seen.target.partition(server.origin)[2] for seen in proxy.requests}
        assert by_proxy <= ({"/api/x", "/api/y"} if session.auth else set())
        assert server.count("/api/m2m/v1/session/login") == 1
    assert "OAUTHLIB_INSECURE_TRANSPORT" not in os.environ  # without which oauthlib refuses plain http
