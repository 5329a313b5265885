"""Providers may raise anything, and callbacks hear of each token once, in order, one at a time."""

from datetime import timedelta
from functools import partial

import pytest
import requests

from .threads import Gate, in_threads

WAIT = 10  # seconds that a broken test takes to end


class StrangeError(requests.RequestException):
    """An exception that answers no question without raising another."""

    def __str__(self):
        raise LookupError

    __repr__ = __reduce__ = __copy__ = __str__
    retry_after = property(__str__)


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


def test_tokens_are_told_in_the_order_in_which_they_became_current(sandbox, auth, beside):
    """No renewal begins before the listener has heard of the last one, and holders do not wait for it."""
    told, gates = [], [gate := Gate()]

    def listen(token):
        if gates:
            gates.pop().stop()
        told.append(token)

    mine = auth(on_token_update=listen)
    first = beside(mine.get_token)
    gate.reached()
    held = beside(mine.get_token).result(WAIT)  # usable, and the listener is busy
    sandbox.revoke_tokens()
    sandbox.advance(3600)
    second = beside(mine.get_token)
    assert not sandbox.wait_for_calls("token", 2, timeout=0.3)
    gate.open()
    assert [held, second.result(WAIT)] == told == [first.result(WAIT), mine.token]
