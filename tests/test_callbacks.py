"""Providers may raise anything, and callbacks hear of each token once, in order, one at a time."""

import logging
from datetime import timedelta
from functools import partial

import pytest
import requests

from requests_thingspace import OAuthToken

from .secrets_in import spellings
from .threads import Gate, in_threads

WAIT = 10  # seconds that a broken test takes to end


class StrangeError(requests.RequestException):
    """An exception that answers no question without raising another."""

    def __str__(self):
        raise LookupError

    __repr__ = __reduce__ = __copy__ = __str__

    @property
    def retry_after(self):
        raise LookupError


def wishing(retry_after):
    """An exception of a provider's own that says when to ask again, in words that nobody expects."""
    error = OSError("it is down")
    error.retry_after = retry_after
    return error


RETRY_AFTER = ["60", timedelta(minutes=1), float("nan"), float("inf"), -1, 10**400, True, None, lambda: 60]
STRANGE = [*[partial(wishing, value) for value in RETRY_AFTER], StrangeError]
STRANGE += [lambda: requests.ConnectionError(StrangeError())]


@pytest.mark.parametrize("makes", STRANGE, ids=range(len(STRANGE)))
def test_a_strange_exception_of_a_provider_harms_nobody(sandbox, connect, echo, makes):
    """A usable token goes on; without one each gets the exception as it is, and later all is well."""
    failing, raised = [True], []

    def provide(_, manager):
        if failing:
            raised.append(makes())
            raise raised[-1]
        return manager.fetch_token()

    session = connect(username=None, password=None, token_provider=provide)
    errors = in_threads(8, lambda: session.get(echo))
    assert {type(error) for error in errors} == {type(raised[0])}
    assert any(error is raised[0] for error in errors)
    failing.clear()
    sandbox.advance(61)
    assert session.get(echo).status_code == 200
    failing.append(True)
    sandbox.advance(3570)
    assert {answer.status_code for answer in in_threads(4, lambda: session.get(echo))} == {200}
    failing.clear()
    sandbox.advance(70)
    assert session.get(echo).status_code == 200


@pytest.mark.parametrize("error", [KeyboardInterrupt, GeneratorExit], ids=lambda kind: kind.__name__)
def test_what_is_no_exception_passes_and_is_not_remembered(connect, echo, error):
    """It concerns the one caller in whose thread it arose."""
    raising = [error]

    def provide(_, manager):
        if raising:
            raise raising.pop()
        return manager.fetch_token()

    session = connect(token_provider=provide)
    with pytest.raises(error):
        session.get(echo)
    assert session.get(echo).status_code == 200


class Listener:
    """Keeps what it is told, and stops at its gate while the test wants it to."""

    def __init__(self, gate=None):
        self.told, self.inside, self.most, self.gate = [], 0, 0, gate

    def __call__(self, token):
        self.inside += 1
        self.most = max(self.most, self.inside)
        gate, self.gate = self.gate, None
        if gate is not None:
            gate.stop()
        self.told.append(token.access_token)
        self.inside -= 1


def test_tokens_are_told_in_the_order_in_which_they_became_current(sandbox, auth, beside):
    """No renewal begins before the listener has heard of the last one, and holders do not wait for it."""
    listener = Listener(gate := Gate())
    mine = auth(on_token_update=listener)
    first = beside(mine.get_token)
    gate.reached()
    held = beside(mine.get_token).result(WAIT)  # usable, and the listener is busy
    sandbox.revoke_tokens()
    sandbox.advance(3600)
    second = beside(mine.get_token)
    assert not sandbox.wait_for_calls("token", 2, timeout=0.5)
    gate.open()
    tokens = [first.result(WAIT).access_token, second.result(WAIT).access_token]
    assert held.access_token == tokens[0]
    assert listener.told == tokens
    assert listener.most == 1


def test_many_threads_tell_each_token_once_and_in_order(sandbox, connect, echo):
    """Six revocations under eight threads."""
    listener, given = Listener(), []

    def provide(_, manager):
        given.append(manager.fetch_token())
        return given[-1]

    session = connect(username=None, password=None, on_token_update=listener, token_provider=provide)
    for _ in range(6):
        sandbox.revoke_tokens()
        assert {answer.status_code for answer in in_threads(8, lambda: session.get(echo))} == {200}
    assert listener.told == [token.access_token for token in given]
    assert listener.most == 1


AWKWARD = "a+b/c=\"d'<e>&f\\g%h~i"  # a token that is spelled in another way by `repr`, JSON, URLs and HTML


WORDS = sorted(word for word in spellings(AWKWARD) if word.startswith("a"))  # Base64 hides it by itself


def test_a_failing_callback_is_logged_without_the_token(auth, caplog, log_without_secrets):
    """In whatever spelling its message quotes it; the call goes on."""
    log_without_secrets.update(WORDS)

    def store(token):
        raise OSError("cannot store " + " ".join(WORDS)) from RuntimeError(" ".join(WORDS))

    mine = auth(token_provider=lambda *_: OAuthToken(AWKWARD), on_token_update=store)
    with caplog.at_level(logging.DEBUG):
        assert mine.get_token().access_token == AWKWARD
    assert "Traceback" in caplog.text
    assert f"cannot store {' '.join(['***'] * len(WORDS))}" in caplog.text
