"""The faults of the catalogue, each where a token is fetched or a login made."""

import time
import tracemalloc

import pytest
import requests

from requests_thingspace._tokens import LONGEST_LIFE

from .. import hostile
from ..catalogue import PASSWORD, SECRETS, USERNAME, told_by
from ..hostile import LOGIN_PATH, TOKEN_PATH

pytestmark = pytest.mark.slow

WELL = {
    TOKEN_PATH: hostile.json_answer(200, hostile.GOOD_TOKEN_DOCUMENT),
    LOGIN_PATH: hostile.json_answer(200, hostile.GOOD_LOGIN_DOCUMENT),
}
GOOD_TOKENS = {TOKEN_PATH: hostile.GOOD_TOKEN, LOGIN_PATH: hostile.GOOD_SESSION_TOKEN}
# An exchange is the same for both, but for what is tried again: of the login its own fields, and a third.
CALLS = [*hostile.TOKEN_FAULTS, *hostile.LOGIN_FAULTS[:-17:3], *hostile.LOGIN_FAULTS[-17:]]
FLOODS = ("bomb", "for ever", "MiB", "kB", "5,000", "100,000", "endless", "2**63", "160 bits")
LARGEST_GROWTH = 30_000_000  # bytes
SLACK = 3.0  # seconds that a busy machine may take beside the exchange


@pytest.mark.parametrize("fault", CALLS, ids=str)
def test_a_call_under_each_fault(fault, server, session, new_auth):
    """A token where the laws say so, else a RequestException: in time, in few calls, without a secret."""

    def ask(timeout):
        """The call that the fault hits, of a client without a past."""
        if fault.endpoint == "token":
            return new_auth(timeout=timeout).get_token()
        user = {"username": USERNAME, "password": PASSWORD, "token": hostile.GOOD_TOKEN_DOCUMENT}
        return new_auth(timeout=timeout, **user).get_session_token()

    server.script(TOKEN_PATH, WELL[TOKEN_PATH])
    server.script(fault.path, *fault.behaviours)
    # Plenty for a token; otherwise less than the first pause, so that nothing is tried again.
    timeout = 5.0 if fault.expectation == "token" else 0.2
    token = error = None
    started = time.monotonic()
    if any(words in fault.name for words in FLOODS):
        tracemalloc.start()
    try:
        token = ask(timeout)
    except requests.RequestException as caught:
        error = caught
    grown = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert time.monotonic() - started < timeout + SLACK
    assert server.count(fault.path) <= fault.max_calls
    assert not server.strays, "a redirect was followed"
    assert grown < LARGEST_GROWTH
    assert (error is None) == (fault.expectation == "token"), error
    if error is not None:
        assert not [secret for secret in SECRETS if secret in told_by(error)]
    elif fault.endpoint == "token":
        life = token.expires_at and token.expires_at - time.time()
        expiry = "none" if life is None else "capped" if life > LONGEST_LIFE - 60 else "known"
        assert expiry == fault.expiry

    session.close()  # an idle connection that the server has closed may cost a login
    server.script(fault.path, WELL[fault.path])
    assert ask(5.0).value == GOOD_TOKENS[fault.path]
