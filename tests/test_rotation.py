"""Secrets and passwords that change while programs run: no restart, no lost call, no locked account."""

import os
import tempfile
from pathlib import Path

import pytest
import requests

from requests_thingspace import LoginRefusedError, ThingspaceError

NEW = "the-new-client-secret"


@pytest.fixture
def mount(tmp_path):
    """A function that exchanges a file in one step, behind a link, as a kubelet does."""
    fresh, link = tmp_path / "fresh", tmp_path / "link"

    def mount(value):
        folder = Path(tempfile.mkdtemp(dir=tmp_path))
        (folder / "secret").write_text(f"{value}\n")
        fresh.symlink_to(folder)
        os.replace(fresh, link)
        return link / "secret"

    return mount


class Source:
    """A source that counts how often it was asked, and fails while `error` is set."""

    def __init__(self, value):
        self.value, self.error, self.asked = value, None, 0

    def __call__(self):
        self.asked += 1
        if self.error is not None:
            raise self.error
        return self.value


@pytest.fixture
def running(connect, echo):
    """A function that makes a Session whose secret comes from a source, and has made a call."""

    def running(source):
        session = connect(client_secret=source, username=None, password=None)
        session.get(echo)
        return session

    return running


@pytest.mark.parametrize("kind", ["function", "file"])
@pytest.mark.parametrize("when", ["the token dies too", "the token lives", "the token is due"])
def test_an_exchange_under_load_costs_one_token_call(sandbox, running, echo, mount, under_load, kind, when):
    """ThingSpace and the source exchange the secret; no call fails, and nothing is restarted."""
    function = Source(sandbox.client_secret)
    session = running(function if kind == "function" else mount(sandbox.client_secret))

    def happening():
        sandbox.change_secret(NEW)
        function.value = NEW
        mount(NEW)
        if when == "the token dies too":
            sandbox.revoke_tokens()
        if when == "the token is due":
            sandbox.advance(3601)

    assert under_load(lambda: session.get(echo), happening) == {200}
    assert sandbox.answers["token", 200] == (1 if when == "the token lives" else 2)
    assert sandbox.answers["token", 401] == 0


def test_a_source_that_changes_while_the_old_secret_is_refused_loses_no_call(sandbox, running, echo):
    """The answer comes when the source has the new one: it is tried once more at once."""
    answers = [sandbox.client_secret, sandbox.client_secret]
    session = running(lambda: answers.pop() if answers else NEW)
    sandbox.change_secret(NEW)
    sandbox.revoke_tokens()
    assert session.get(echo).status_code == 200
    assert (sandbox.answers["token", 401], sandbox.answers["token", 200]) == (1, 2)


DOWN = [OSError("it is down"), ValueError("the-vault-token is wrong"), requests.ConnectionError("no route")]


@pytest.mark.parametrize("error", DOWN, ids=lambda error: type(error).__name__)
def test_a_source_that_is_down_is_asked_once_per_cool_down(sandbox, running, echo, error):
    """And by nobody while a token lives, which then goes on."""
    source = Source(sandbox.client_secret)
    session = running(source)
    source.error, source.asked = error, 0
    for seconds, asked in [(0, 0), (3570, 1)]:  # due then, and usable for half a minute
        sandbox.advance(seconds)
        assert [session.get(echo).status_code for _ in range(5)] == [200] * 5
        assert source.asked == asked
    sandbox.advance(60)
    for _ in range(5):
        with pytest.raises(requests.RequestException) as caught:
            session.get(echo)
        assert "the-vault-token" not in str(caught.value)
    assert source.asked == 2
    source.error = None
    sandbox.advance(2)
    assert session.get(echo).status_code == 200


@pytest.mark.parametrize("given", ["", None, 5, b"the-bytes", "the-\ud800"], ids=repr)
@pytest.mark.parametrize("name", ["client_secret", "password"])
def test_a_source_that_gives_no_text_is_an_error_that_names_it(auth, name, given):
    """Whatever it gave is not shown."""
    with pytest.raises(ThingspaceError, match=name) as caught:
        auth(**{name: lambda: given}).get_session_token()
    assert "the-" not in str(caught.value)


def test_a_password_that_changes_while_the_old_one_is_refused_is_tried_at_once(sandbox, auth):
    """The source is asked once more after a refusal."""
    given = iter(["the-old-password"])
    mine = auth(password=lambda: next(given, sandbox.password))
    assert mine.get_session_token()
    assert (sandbox.answers["login", 400], sandbox.answers["login", 200]) == (1, 1)


@pytest.mark.parametrize("by", ["source", "attribute"])
def test_five_different_wrong_passwords_are_two_logins(sandbox, connect, account, by):
    """Whoever corrects it wrongly is stopped before ThingSpace locks the account; a reset goes on."""
    source = Source(None)
    session = connect(password=source if by == "source" else "the-first")
    auth = session.auth or session.get_adapter(account).auth
    for number in range(5):
        source.value = f"the-password-but-wrong-{number}"
        if by == "attribute":
            auth.password = source.value
        for _ in range(3):
            with pytest.raises(LoginRefusedError):
                session.get(account)
            sandbox.advance(3)
    assert sandbox.calls["login"] == 2
    assert not sandbox.locked
    source.value = sandbox.password
    auth.reset(password=sandbox.password)
    assert session.get(account).status_code == 200
    assert sandbox.calls["login"] == 3


def test_an_exchanged_password_costs_no_call(sandbox, warm, account, mount, under_load):
    """The session ends and the password is exchanged, under load, in a file."""
    session, _ = warm(password=mount(sandbox.password))

    def happening():
        sandbox.change_password("the-new-password")
        mount("the-new-password")
        sandbox.end_sessions()

    assert under_load(lambda: session.get(account), happening) == {200}
    assert (sandbox.answers["login", 200], sandbox.answers["login", 400]) == (2, 0)
