"""``thingspace run``: the token and login calls of a script, answered from the shared tokens."""

import json
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from requests_thingspace.sandbox import Sandbox

from .conftest import SCRIPTS


def test_eight_starts_at_once_make_one_token_call_and_one_login(run, sandbox):
    """The first to come asks, the others wait; answers have ThingSpace's shape, and the life that is left."""
    with ThreadPoolExecutor(8) as crowd:
        outcomes = list(crowd.map(lambda _: run("starts.py"), range(8)))
    assert {(one.status, one.err) for one in outcomes} == {(0, "")}
    outcomes.append(run("starts.py", THINGSPACE_LOG="debug"))
    told = [json.loads(one.out) for one in outcomes]
    assert {one["status"] for one in told} == {200}
    assert len({one["login"]["sessionToken"] for one in told}) == 1
    assert len({one["token"]["access_token"] for one in told}) == 1
    last = told[-1]["token"]
    assert list(last) == ["access_token", "scope", "token_type", "expires_in"]
    assert (last["token_type"], last["scope"]) == ("Bearer", " ts.application.ro ts.mec.fullaccess")
    assert 3600 > told[0]["token"]["expires_in"] >= last["expires_in"] > 0
    assert (sandbox.calls["token"], sandbox.calls["login"]) == (1, 1)
    log = outcomes[-1].err  # one line for each call, without a token
    answered = [line for line in log.splitlines() if "answered" in line]
    names = [name for line in answered for name in ("token call", "login", "logout") if name in line]
    assert names == ["token call", "login", "logout"]
    assert last["access_token"] not in log
    assert told[-1]["login"]["sessionToken"] not in log


@pytest.mark.parametrize("ours", [True, False])
def test_eight_starts_with_a_wrong_password_make_one_login(run, sandbox, ours):
    """Each is told what ThingSpace said to the first; the cache's lock spans the script's own login too."""
    wrong = {"OWN_PASSWORD": "wrong", **({"THINGSPACE_PASSWORD": "wrong"} if ours else {})}
    with ThreadPoolExecutor(8) as crowd:
        outcomes = list(crowd.map(lambda _: run("starts.py", **wrong), range(8)))
    assert {one.status for one in outcomes} == {400 % 256}
    codes = {json.loads(one.out)["errorCode"] for one in outcomes}
    assert codes == {"UnifiedWebService.REQUEST_FAILED.LoginFailed"}
    assert sandbox.calls["login"] == 1


@pytest.mark.parametrize(
    ("passwords", "refused"),
    [
        (["wrong", None], 1),  # a corrected one is tried at once
        (["wrong", "logout", "wrong"], 2),  # the way back, after Verizon's support has unlocked the account
        (["wrong", "also wrong", "wrong again"], 2),  # someone who guesses does not lock it
    ],
)
def test_the_memory_is_of_the_passwords_that_were_refused(run, thingspace, sandbox, passwords, refused):
    """Until logout forgets them; after two in a row no other is tried."""
    for password in passwords:
        if password == "logout":
            assert thingspace("logout").status == 0
        else:
            outcome = run("starts.py", **({"OWN_PASSWORD": password} if password else {}))
            assert bool(outcome.status) is bool(password)
    assert sandbox.answers["login", 400] == refused


def test_odd_calls_pass_as_they_are(run, execute, sandbox):
    """What is not certainly for our key and user gets ThingSpace's own answer."""
    plain = execute(sys.executable, SCRIPTS / "odd_calls.py")
    sandbox.reset()
    ours = run("odd_calls.py")
    assert json.loads(plain.out) == json.loads(ours.out), ours.err
    assert (sandbox.calls["token"], sandbox.calls["api"]) == (10, 2)


def test_a_fetch_of_ours_that_fails_leaves_the_script_its_own_call(run, sandbox):
    """Ours meets 503 as often as it tries; then the script's own is sent, and what it brings is used."""
    sandbox.fail_next("token", times=3)
    sandbox.fail_next("login")
    assert json.loads(run("starts.py").out)["status"] == 200
    answers = [sandbox.answers[one] for one in (("token", 503), ("token", 200), ("login", 200))]
    assert answers == [3, 1, 1]


def test_a_revoked_token_is_forgotten_in_the_cache_too(run, sandbox):
    """The revocation passes; no call of the next start is refused."""
    outcome = run("two_owners.py", "own")
    assert json.loads(outcome.out) == {"ours": [200, 200], "another's": [200, 200]}, outcome.err
    assert sandbox.calls["revoke"] == 1
    assert json.loads(run("starts.py").out)["status"] == 200
    assert ("api", 401) not in sandbox.answers


@pytest.mark.parametrize("led", [False, True])
@pytest.mark.parametrize(("whose", "refusal"), [("key", 401), ("user", 400)])
def test_the_tokens_of_another_key_or_user_are_the_scripts_own(run, whose, refusal, led):
    """They are used as they are, so that they end for the script; ours, beside them, are renewed."""
    with Sandbox(lenient=True) as lenient:  # which knows every key and user
        there = {"THINGSPACE_BASE_URL": lenient.origin, "REQUESTS_CA_BUNDLE": lenient.ca_file}
        outcome = run("two_owners.py", whose, led=led, **({} if led else there))
        assert lenient.calls["revoke"] + lenient.calls["logout"] == int(not led)
    # one request with each owner's tokens, before and after both kinds have died
    assert json.loads(outcome.out) == {"ours": [200, 200], "another's": [200, refusal]}, outcome.err


def test_a_call_that_fails_shows_no_secret_of_the_script(run):
    """Crash reporters send the local variables of each frame, ours below the script's included."""
    outcome = run("failing_calls.py", THINGSPACE_BASE_URL="http://127.0.0.1:9")
    assert json.loads(outcome.out) == [], outcome.err
