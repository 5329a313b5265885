"""The life of a token as frozen values: one event for each thing that happens, one line for each event."""

import hashlib
import logging
import pickle
import threading

import pytest

from requests_thingspace import Event, FileTokenCache, LoginRefusedError, OAuthToken

from .catalogue import error_of

FIELDS = ("name", "credential", "at", "duration", "status", "code", "token", "expires_at", "reason", "error")


def fingerprint(value):
    return hashlib.sha256(value.encode()).hexdigest()[:8]


class Listener(list):
    """The events since the last time that they were taken; and all of them."""

    def __init__(self):
        self.all, self.threads = [], set()

    def __call__(self, event):
        for events in (self, self.all):
            events.append(event)
        self.threads.add(threading.get_ident())

    def take(self):
        """What has happened since the last time, as pairs of name and credential."""
        found = [(event.name, event.credential) for event in self]
        self.clear()
        return found


@pytest.fixture
def heard(log_without_secrets):
    """A listener; nothing that it hears holds what the log must not show either (ask for it first)."""
    heard = Listener()
    yield heard
    shown = "".join(f"{event!r} {event} {[getattr(event, field) for field in FIELDS]}" for event in heard.all)
    assert not [secret for secret in log_without_secrets if secret in shown]
    assert {type(event) for event in heard.all} == {Event}


@pytest.fixture
def lines(caplog):
    """The records of our own logger so far, at DEBUG."""
    caplog.set_level(logging.DEBUG)
    return lambda: [record for record in caplog.records if record.name == "requests_thingspace"]


FETCHED = ("token_fetched", "bearer")
LOGGED_IN = ("session_started", "session")


def test_a_day_gives_exactly_these_events(heard, sandbox, warm, account, echo, lines, log_without_secrets):
    """In the thread of the caller, each in its place, and one line in the log for each."""
    session, auth = warm(on_event=heard)
    assert heard.take() == [FETCHED, LOGGED_IN]
    for _ in range(20):
        session.get(account)
    assert heard.take() == []
    sandbox.revoke_tokens()
    session.get(account)
    assert heard.take() == [("token_rejected", "bearer"), FETCHED, ("request_replayed", "bearer")]
    sandbox.revoke_tokens()
    assert session.post(echo, data=iter([b"once"])).status_code == 401
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
        error_of(auth.get_token)
    assert heard.take() == [("renewal_failed", "bearer")]
    assert [event.name for event in heard.all if event.status == 503] == ["renewal_failed"]
    sandbox.advance(3)
    auth.on_token_update = lambda token: {}[token.access_token]
    log_without_secrets.add(auth.get_token().value)
    assert [name for name, _ in heard.take()] == ["token_fetched", "callback_failed"]
    assert "Traceback" in lines()[-1].getMessage()
    assert heard.threads == {threading.get_ident()}
    assert len(lines()) == len(heard.all)
    for record, event in zip(lines(), heard.all):
        assert event.token is None or event.token in record.getMessage()


def test_an_event_says_what_there_is_to_say(heard, sandbox, warm, account):
    """Times, statuses, and the fingerprint of a token; not what ThingSpace says back of what it was sent."""
    session, auth = warm(on_event=heard)
    fetched, started = heard
    assert (fetched.token, fetched.expires_at) == (fingerprint(auth.token.value), auth.token.expires_at)
    assert "fetched an OAuth token (credential bearer, token" in str(fetched)
    assert started.token == fingerprint(auth.session_token.value)
    for event in heard:
        assert abs(event.at - sandbox.clock.wall()) < 10
        assert 0 <= event.duration < 10
        assert (event.error, event.code) == (None, None)
    heard.clear()
    sandbox.revoke_tokens()
    dead = fingerprint(auth.token.value)
    session.get(account)
    assert (heard[0].token, heard[-1].status) == (dead, 200)
    auth.revoke()
    assert heard[-1].status == 200
    assert heard[-1].duration is not None
    heard.clear()
    auth.session_token = None
    said = f"{sandbox.password} {auth.get_token().value}"
    sandbox.fail_next("login", status=400, body={"errorCode": "X.LoginFailed", "errorMessage": said})
    for _ in range(5):  # those that are not sent any more are no events
        assert isinstance(error_of(lambda: session.get(account)), LoginRefusedError)
    refused = heard[-1]
    assert heard.take() == [FETCHED, ("login_refused", "session")]
    assert (refused.status, refused.code in refused.error) == (400, True)
    assert refused.code == "X.LoginFailed"
    said = f"{sandbox.client_id} {sandbox.client_secret}"
    sandbox.fail_next("token", status=400, body={"error": "x", "error_description": said})
    auth.token = None
    error_of(auth.get_token)
    assert heard.take() == [("renewal_failed", "bearer")]


def test_a_provider_is_heard_of_in_a_frozen_value(heard, auth):
    """Once for each token that it brings; an event is compared, hashed and pickled, and never changes."""
    mine = auth(on_event=heard, token_provider=lambda *_: OAuthToken("of-the-provider"))
    for _ in range(3):
        mine.get_token()
    (event,) = heard
    assert pickle.loads(pickle.dumps(event)) == event
    assert {event: 1}[event] == 1
    for name in FIELDS:
        with pytest.raises(AttributeError):
            setattr(event, name, "x")
    assert heard.take() == [("token_from_provider", "bearer")]


def test_a_cache_that_breaks_and_works_again_is_heard_of(heard, auth, tmp_path, lines):
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


def test_a_listener_that_raises_is_logged_and_costs_nothing(connect, account, lines):
    """Each of its failures is one line with its traceback."""

    def on_event(event):
        raise LookupError(f"no room for {event.name}")

    assert connect(on_event=on_event).get(account).status_code == 200
    failures = [record.getMessage() for record in lines() if "no room for" in record.getMessage()]
    assert len(failures) == 2
