"""What stands in an entry: a token, who fetched it, and the refusals of all who share it."""

import gc
import json
import os
import socket
import time
import weakref
from contextlib import suppress

import pytest

from requests_thingspace import LoginRefusedError, TokenRequestError

from ..threads import in_a_thread, in_threads
from ..torture.moments import raising
from ..torture.scenarios import outcome_of
from .shelf import KEY, CacheMoments, Shelf, get, refused, told


@pytest.fixture
def key(sandbox):
    """The key of the sandbox's bearer."""
    return sandbox.auth().cache_keys["bearer"]


@pytest.fixture
def process(sandbox, cache):
    """A function that makes an auth as a process has it, whose cache is an object of its own."""
    return lambda **given: sandbox.auth(cache=Shelf(cache), **given)


def test_who_fetched_how_often(sandbox, cache, key):
    """An entry says since when, who, and how often within the hour; what a later release adds is kept."""
    assert cache.describe(key) == {
        "cache": repr(cache), "trouble": None, "has_token": False, "fetched_at": None, "expires_at": None,
        "host": None, "pid": None, "fetches_this_hour": 0, "refused_logins": 0,
    }  # fmt: skip
    before, auth = time.time(), sandbox.auth(cache=cache)
    for _ in range(3):
        sandbox.revoke_tokens()
        auth.token = None
        token = auth.get_token()
        cache.entries[key] |= {"token": None, "later": {"a": "field"}}
    cache.entries[key]["token"] = token.to_dict()
    known = cache.describe(key)
    assert before < known["fetched_at"] < time.time()
    assert (known["host"], known["pid"]) == (socket.gethostname(), os.getpid())
    assert (known["fetches_this_hour"], known["expires_at"]) == (3, token.expires_at)
    assert token.value not in json.dumps(known)
    assert cache.entries[key]["later"] == {"a": "field"}


@pytest.mark.parametrize("trouble", [OSError("down"), ZeroDivisionError("odd"), ValueError("gibberish")])
def test_a_description_never_raises(cache, trouble):
    """What the look meets is part of it; fields of another kind are not shown."""
    rubbish = {"token": 5, "fetches": [None, "y", 1e99], "fetched_by": [], "refused": 3}
    for fields in (rubbish, {"fetches": "x"}):
        cache.entries[KEY] = {"v": 1, **fields}
        assert json.dumps(cache.describe(KEY))
    cache.broken = {"load": trouble}
    assert cache.describe(KEY)["trouble"] == f"{type(trouble).__name__}: {trouble}"


def test_an_entry_of_another_version(sandbox, caplog, cache):
    """It is no trouble and replaced, but its refusals hold: the account comes first."""
    refused(sandbox.auth(cache=cache, password="wrong"))
    for key, entry in cache.entries.items():
        cache.entries[key] = {"v": 2, "token": "in another form", "refused": entry["refused"]}
    refused(sandbox.auth(cache=cache, password="wrong"))
    assert sandbox.calls["login"] == 1
    assert sandbox.auth(cache=cache).get_session_token()
    assert sandbox.calls["login"] == 2
    assert told(caplog) == []


def test_a_refusal_is_known_by_a_keyed_hash(sandbox, cache):
    """Of user and password; the key is the client secret, without which nobody can try passwords on it."""
    token = sandbox.auth().get_token()
    for secret in ("one", "other"):
        refused(sandbox.auth(cache=cache, password="my-wrong-word", client_secret=secret, token=token))
    assert sandbox.calls["login"] == 2
    (entry,) = cache.entries.values()
    assert len(entry["refused"]) == 2
    assert not any(secret in repr(entry) for secret in ("my-wrong-word", sandbox.username))


@pytest.mark.parametrize("said", [None, 3, {"message": 5, "status": "x", "code": 900}], ids=str)
def test_a_refusal_that_was_tampered_with(sandbox, cache, said):
    """A refusal holds, whatever has become of its words."""
    refused(sandbox.auth(cache=cache, password="wrong"))
    (entry,) = (entry for entry in cache.entries.values() if entry["refused"])
    entry["refused"] = dict.fromkeys(entry["refused"], said)
    error = refused(sandbox.auth(cache=cache, password="wrong"))
    assert (type(error), error.status, error.code) == (LoginRefusedError, None, None)
    assert sandbox.calls["login"] == 1


def test_a_refused_secret_is_refused_for_all(sandbox, cache):
    """One token call with a wrong secret is enough for a fleet, until the cool-down is over."""
    auths = [sandbox.auth(cache=cache, client_secret="wrong") for _ in range(8)]
    errors = in_threads(8, lambda: auths.pop().get_token())
    assert {(type(error), error.status) for error in errors} == {(TokenRequestError, 401)}
    assert sandbox.calls["token"] == 1
    assert sandbox.auth(cache=cache).get_token()  # another secret is tried at once
    assert sandbox.calls["token"] == 2


@pytest.mark.parametrize("until", [-2.0, 1e12, -1e12], ids=["over", "far ahead", "long ago"])
def test_a_refused_secret_is_tried_again(sandbox, cache, key, until):
    """After the cool-down, also if a clock elsewhere is years ahead; the entry forgets the refusal then."""
    for calls in (1, 2):
        for _ in range(2):
            refused(sandbox.auth(cache=cache, client_secret="wrong"))
        assert sandbox.calls["token"] == calls
        for said in cache.entries[key]["refused"].values():
            said["until"] += until
    sandbox.auth(cache=cache).get_token()
    assert cache.entries[key]["refused"] == {}


def test_a_success_ends_a_row_of_refusals(sandbox, cache):
    """Two wrong passwords with a right one between them are not two in a row; both stay refused."""
    refused(sandbox.auth(cache=cache, password="wrong"))
    right = sandbox.auth(cache=cache)
    assert right.get_session_token()
    sandbox.end_sessions()
    cache.entries[right.cache_keys["session"]]["token"] = None
    for wrong in ("worse", "wrong"):
        refused(sandbox.auth(cache=cache, password=wrong))
    assert sandbox.calls["login"] == 3
    assert sandbox.auth(cache=cache).get_session_token()
    assert sandbox.calls["login"] == 4


def test_after_two_wrong_passwords_no_other_is_tried(sandbox, process):
    """Two different passwords refused in a row are enough: the account would be locked soon."""
    for wrong in ("wrong", "worse", "wrong", "worse", "worst"):
        refused(process(password=wrong))
    assert sandbox.calls["login"] == 2
    right = process()
    assert "call auth.reset()" in str(refused(right))
    right.reset()
    right.get_session_token()
    assert sandbox.calls["login"] == 3


def test_a_refusal_leaves_the_token_of_others(sandbox, cache, process):
    """A service with a wrong password costs those with the right one nothing, and is refused once."""
    session = process().get_session_token()
    wrong = sandbox.session(cache=Shelf(cache), password="wrong")
    sandbox.end_sessions()
    with suppress(LoginRefusedError):
        get(sandbox, wrong)
    assert process().get_session_token() == session
    assert sandbox.calls["login"] == 2


def test_reset_gives_a_refused_login_another_chance(sandbox, process):
    """What is remembered of a refusal is cleared for all clients, also where one goes on trying."""
    stubborn, fixed = process(password="wrong"), process(password="wrong")
    refused(stubborn)
    refused(fixed)
    fixed.reset()
    sandbox.advance(3)  # the cool-down of a failed renewal is over
    refused(stubborn)
    assert sandbox.calls["login"] == 1
    for logins in (2, 3):  # each is remembered again
        refused(fixed)
        refused(process(password="wrong"))
        assert sandbox.calls["login"] == logins
        fixed.reset()


@pytest.mark.parametrize(("password", "remembered"), [("the-password", 0), ("worse", 1)])
def test_a_reset_elsewhere_in_mid_login_is_not_undone(cache, process, password, remembered):
    """What it has cleared is not saved again, neither with a session nor with another refusal."""
    fixed = process(password="wrong")
    refused(fixed)

    def on_event(event):
        if event.name in ("session_started", "login_refused"):
            fixed.reset()

    user = process(password=password, on_event=on_event)
    with suppress(LoginRefusedError):
        user.get_session_token()
    assert cache.describe(user.cache_keys["session"])["refused_logins"] == remembered


def test_two_clients_never_share_nor_what_was_revoked(process):
    """Another id, or other scopes: another token. After auth.revoke() nobody is given the old one."""
    first, late = process(), process()
    token = first.get_token()
    assert refused(process(client_id="another-client")).status == 401
    assert process(scopes="ts.mec.limitaccess").get_token() != token
    first.revoke()
    assert late.get_token() != token


@pytest.mark.parametrize("word", ["the-password", "wrong"])
def test_a_reset_in_mid_login_saves_nothing(sandbox, cache, word):
    """What a renewal brings home after a reset is not kept for others, be it a session or a refusal."""
    asked = []

    def password():
        asked.append(word)
        if len(asked) == 1:
            auth.reset()
        return word

    auth = sandbox.auth(cache=cache, password=password)
    auth.get_token()
    with suppress(LoginRefusedError):
        auth.get_session_token()
    assert sandbox.calls["login"] == 1
    assert list(cache.entries) == [auth.cache_keys["bearer"]]
    assert cache.used.count("save") == 2  # of the bearer that was reset, and of the next one


def test_a_reset_after_the_save_clears(sandbox, cache):
    """A reset between the fetch and the end of the visit, in the renewing thread, leaves nothing."""
    auth, save = sandbox.auth(cache=cache, username=None, password=None), cache.save

    def save_and_reset(*arguments):
        save(*arguments)
        auth.reset()

    cache.save = save_and_reset
    auth.get_token()
    assert cache.entries == {}
    assert cache.used.count("clear") == 1


@pytest.mark.parametrize("step", ["load", "save", "unlock", "lock"])
def test_errors_of_others_pass(sandbox, caplog, cache, step):
    """What a cache does not call its own trouble reaches the caller as it is, and leaves no lock."""
    cache.errors = (OSError, ValueError)
    cache.broken = {step: ZeroDivisionError()}
    auth = sandbox.auth(cache=cache)
    with pytest.raises(ZeroDivisionError):
        auth.get_token()
    cache.broken = {}
    assert auth.get_token()
    assert told(caplog) == []


def test_no_exception_is_kept(sandbox, cache):
    """What a broken cache has raised is told in words: nothing keeps its frames alive."""
    raised = weakref.WeakSet()

    class Down(OSError):  # noqa: N818 - built-in ones cannot be in such a set
        def __init__(self):
            raised.add(self)

    cache.broken = {"load": Down}
    auth = sandbox.auth(cache=cache)
    assert auth.get_token()
    gc.collect()  # contextlib of some versions leaves a circle behind
    assert not raised


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")  # Python closes what an interrupt lost
@in_a_thread
def test_an_interrupt_leaves_no_lock(sandbox, make_cache):
    """Ctrl-C comes through wherever it strikes, and the next caller waits for no lock."""
    arguments = {"cache": make_cache(lock_timeout=15), "username": None, "password": None}
    auth = sandbox.auth(**arguments)

    def renew():
        auth.reset()
        auth.get_token()

    renew()
    with CacheMoments() as moments:
        renew()
    for at in range(0, moments.count, 1 + moments.count // 60):
        with CacheMoments(at, raising(KeyboardInterrupt())) as moments:
            outcome = outcome_of(renew)
        assert moments.where is None or isinstance(outcome, KeyboardInterrupt)
        started = time.monotonic()
        assert sandbox.auth(**arguments).get_token()
        assert time.monotonic() - started < 5


@pytest.mark.parametrize("stored", [{"of": "another tool"}, {"v": 1, "token": {"access_token": "a b"}}])
def test_an_entry_that_cannot_be_read_is_replaced(sandbox, cache, key, stored):
    """Also if the cache names only its library's own errors."""
    cache.errors = ZeroDivisionError
    cache.entries[key] = stored
    token = sandbox.auth(cache=cache).get_token()
    assert cache.entries[key]["token"]["access_token"] == token.access_token
