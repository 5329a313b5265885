"""The life of a token as frozen values: one event for each thing that happens, one line for each event."""

import hashlib
import logging
import pickle

import pytest

from requests_thingspace import Event, FileTokenCache, LoginRefusedError, OAuthToken, TokenRequestError

from .hostile import HostileServer, json_answer
from .threads import in_threads

FIELDS = ("name", "credential", "at", "duration", "status", "code", "token", "expires_at", "reason", "error")


def fingerprint(value):
    """The first 8 hexadecimal digits of its SHA-256."""
    return hashlib.sha256(value.encode()).hexdigest()[:8]


class Listener(list):
    """Keeps the events."""

    __call__ = list.append

    def take(self):
        """What has happened since the last time, as pairs of name and credential."""
        found = [(event.name, event.credential) for event in self]
        self.clear()
        return found


@pytest.fixture
def heard():
    """What `on_event` heard."""
    return Listener()


@pytest.fixture
def lines(caplog):
    """The records of our own logger so far, at DEBUG."""
    caplog.set_level(logging.DEBUG)
    return lambda: [record for record in caplog.records if record.name == "requests_thingspace"]


FETCHED = ("token_fetched", "bearer")
LOGGED_IN = ("session_started", "session")


def test_a_day_gives_exactly_these_events(sandbox, connect, account, heard, lines):
    """From the first call to a callback that fails, each in its place and nothing beside them."""
    told, day = [], []
    session = connect(on_event=lambda event: (heard(event), day.append(event)), on_token_update=told.append)
    auth = session.auth or session.get_adapter(account).auth

    session.get(account)
    assert heard.take() == [FETCHED, LOGGED_IN]
    for _ in range(20):
        session.get(account)
    assert heard.take() == []

    sandbox.revoke_tokens()
    session.get(account)
    assert heard.take() == [("token_rejected", "bearer"), FETCHED, ("request_replayed", "bearer")]

    sandbox.revoke_tokens()
    assert session.post(f"{sandbox.origin}/sandbox/echo", data=iter([b"once"])).status_code == 401
    assert heard.take() == [("token_rejected", "bearer"), FETCHED, ("request_not_replayed", "bearer")]

    sandbox.end_sessions()
    session.get(account)
    assert heard.take() == [("session_rejected", "session"), LOGGED_IN, ("request_replayed", "session")]

    auth.revoke()
    auth.logout()
    assert heard.take() == [("token_revoked", "bearer"), FETCHED, ("session_ended", "session")]

    sandbox.advance(3600)
    sandbox.fail_next("token", status=503, times=3)
    for _ in range(3):
        with pytest.raises(TokenRequestError):
            auth.get_token()
    assert heard.take() == [("renewal_failed", "bearer")]
    sandbox.advance(3)
    auth.get_token()
    assert heard.take() == [FETCHED]

    auth.on_token_update = lambda token: {}[token]
    sandbox.revoke_tokens()
    auth.token = None
    auth.get_token()
    assert [name for name, _ in heard.take()] == ["token_fetched", "callback_failed"]

    assert [event.name for event in day if event.status == 503] == ["renewal_failed"]
    assert len(lines()) == len(day)
    for record, event in zip(lines(), day):
        assert event.token is None or event.token in record.getMessage()


def test_no_event_and_no_line_shows_a_secret(sandbox, connect, heard, log_without_secrets):
    """Not even what ThingSpace says back of what it was sent; the fixture looks at the log."""
    session, account = connect(on_event=heard), f"{sandbox.origin}/api/m2m/v1/accounts/{sandbox.account}"
    auth = session.auth or session.get_adapter(account).auth
    secrets = {sandbox.client_secret, sandbox.password}
    for end in (sandbox.revoke_tokens, sandbox.end_sessions, auth.revoke, auth.logout):
        session.get(account)
        secrets |= {auth.token.access_token, auth.session_token.session_token}
        end()
    said = f"{sandbox.password} {auth.token.access_token}"
    sandbox.fail_next("login", status=400, body={"errorCode": "X", "errorMessage": said})
    with pytest.raises(LoginRefusedError):
        session.get(account)
    said = f"{sandbox.client_id} {sandbox.client_secret}"
    sandbox.fail_next("token", status=400, body={"error": "x", "error_description": said})
    auth.token = None
    with pytest.raises(TokenRequestError):
        auth.get_token()
    log_without_secrets |= secrets
    shown = "".join(f"{event!r} {event} {[getattr(event, field) for field in FIELDS]}" for event in heard)
    assert [event.name for event in heard[-2:]] == ["login_refused", "renewal_failed"]
    assert not [secret for secret in secrets if secret in shown]
    assert {type(event) for event in heard} == {Event}


def test_an_event_says_what_there_is_to_say(sandbox, connect, account, heard):
    """Times, statuses, and the fingerprint of a token; what does not apply is None."""
    session = connect(on_event=heard)
    auth = session.auth or session.get_adapter(account).auth
    session.get(account)
    fetched, started = heard
    assert fetched.token == fingerprint(auth.token.access_token)
    assert fetched.expires_at == auth.token.expires_at
    assert started.token == fingerprint(auth.session_token.session_token)
    for event in heard:
        assert abs(event.at - sandbox.clock.wall()) < 10
        assert 0 <= event.duration < 10
        assert (event.error, event.code) == (None, None)
    heard.clear()
    sandbox.revoke_tokens()
    dead = fingerprint(auth.token.access_token)
    session.get(account)
    rejected, _, replayed = heard
    assert (rejected.token, replayed.status) == (dead, 200)
    auth.revoke()
    assert heard[-1].status == 200
    assert heard[-1].duration is not None


def test_an_event_is_a_frozen_value(auth, heard):
    """It can be compared, hashed, and sent to another process, and never changes."""
    auth(on_event=heard).get_token()
    (event,) = heard
    assert pickle.loads(pickle.dumps(event)) == event
    assert {event: 1}[event] == 1
    for name in FIELDS:
        with pytest.raises(AttributeError):
            setattr(event, name, "x")


def test_a_refused_login_is_one_event(sandbox, connect, account, heard):
    """Those that are not sent any more are none."""
    session = connect(on_event=heard, password="the-password-but-wrong")
    for _ in range(5):
        with pytest.raises(LoginRefusedError):
            session.get(account)
    refused = heard[-1]
    assert heard.take() == [FETCHED, ("login_refused", "session")]
    assert refused.status == 400
    assert refused.code.endswith("LoginFailed")
    assert "LoginFailed" in refused.error


def test_a_provider_is_heard_of(auth, heard):
    """Once for each token that it brings."""
    mine = auth(on_event=heard, token_provider=lambda *_: OAuthToken("of-the-provider"))
    for _ in range(3):
        mine.get_token()
    assert heard.take() == [("token_from_provider", "bearer")]


def test_a_cache_that_breaks_and_works_again_is_heard_of(auth, heard, tmp_path, lines):
    """And a token that comes from it; every line comes from an event here too."""
    path = tmp_path / "tokens.json"
    path.mkdir()
    mine = auth(on_event=heard, cache=FileTokenCache(path))
    mine.get_token()
    assert set(heard.take()) == {("cache_broken", "bearer"), FETCHED}
    path.rmdir()
    mine.token = None
    mine.get_token()
    assert set(heard.take()) == {("cache_recovered", "bearer"), FETCHED}
    auth(on_event=heard, cache=FileTokenCache(path)).get_token()
    assert heard.take() == [("token_from_cache", "bearer")]
    assert len(lines()) == 5


def test_a_host_that_is_not_covered_is_heard_of_once(connect, heard):
    """An address that looks like a ThingSpace and gets no token is a riddle without it."""
    session = connect(on_event=heard)
    if session.auth is None:
        pytest.skip("an adapter sees the requests of its own origins alone")
    with HostileServer() as server:
        server.script("/api/m2m/v1/x", json_answer(200, {}))
        for _ in range(3):
            session.get(f"{server.origin}/api/m2m/v1/x", verify=server.ca_file)
    assert [name for name, _ in heard.take()] == ["host_not_covered"]


def test_64_threads_hear_of_one_token_call(connect, echo, heard):
    """Listeners may be called from several threads at once."""
    session = connect(on_event=heard, username=None, password=None)
    in_threads(64, lambda: session.get(echo))
    assert [pair for pair in heard.take() if pair != ("renewal_awaited", "bearer")] == [FETCHED]


def test_a_listener_that_raises_is_logged_and_costs_nothing(connect, account, lines):
    """Each of its failures is one line with its traceback."""

    def on_event(event):
        raise LookupError(f"no room for {event.name}")

    assert connect(on_event=on_event).get(account).status_code == 200
    failures = [record.getMessage() for record in lines() if "no room for" in record.getMessage()]
    assert len(failures) == 2


def test_the_log_at_info_follows_the_life_of_a_token(sandbox, connect, account, caplog):
    """By its fingerprint: fetched, for how long, rejected, replaced, logged in."""
    caplog.set_level(logging.INFO)
    session = connect()
    auth = session.auth or session.get_adapter(account).auth
    session.get(account)
    first = fingerprint(auth.token.access_token)
    sandbox.revoke_tokens()
    session.get(account)
    second = fingerprint(auth.token.access_token)
    told = [record.getMessage() for record in caplog.records if record.levelno >= logging.INFO]
    assert ["fetched" in told[0], "logged in" in told[1], "rejected" in told[2]] == [True] * 3
    assert [first in told[0], first in told[2], second in told[3]] == [True] * 3
    assert "3600 s" in told[0] or "3599 s" in told[0]
    assert len(told) == 5


def test_nothing_untrue_is_said_at_debug(connect, account, caplog):
    """requests-oauthlib speaks of a stand-in that never goes out."""
    caplog.set_level(logging.DEBUG)
    connect().get(account)
    assert not [record for record in caplog.records if record.name.startswith("requests_oauthlib")]
