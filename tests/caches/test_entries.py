"""What stands in an entry: a token, who fetched it, and the refusals of all who share it."""

import gc
import json
import os
import socket
import sys
import time
from pathlib import Path

import pytest

import requests_thingspace
from requests_thingspace import FileTokenCache, RedisTokenCache, TokenRequestError

from ..threads import in_a_thread, in_threads
from .shelf import Shelf, fetching, key_of, refused, told


def test_who_fetched_how_often(sandbox):
    """An entry says since when, who, and how often within the hour; for people, without the token."""
    cache, key = Shelf(), key_of(sandbox)
    assert cache.describe(key) == {
        "cache": repr(cache), "trouble": None, "has_token": False, "fetched_at": None, "expires_at": None,
        "host": None, "pid": None, "fetches_this_hour": 0, "refused_logins": 0,
    }  # fmt: skip
    before = time.time()
    for _ in range(3):
        sandbox.revoke_tokens()
        token = sandbox.auth(cache=cache).get_token()
        cache._spent[token.secret] = None
    known = cache.describe(key)
    assert before < known["fetched_at"] < time.time()
    assert (known["host"], known["pid"]) == (socket.gethostname(), os.getpid())
    assert (known["fetches_this_hour"], known["expires_at"]) == (3, token.expires_at)
    assert token.value not in json.dumps(known)


@pytest.mark.parametrize(
    "trouble", [OSError("down"), ZeroDivisionError("odd"), ValueError("gibberish")], ids=repr
)
def test_a_description_never_raises(trouble):
    """What the look meets is part of the description."""
    cache = Shelf()
    cache.broken = {"load": trouble}
    assert cache.describe("key")["trouble"] == f"{type(trouble).__name__}: {trouble}"


@pytest.mark.parametrize(
    "field",
    [{"token": 5}, {"fetches": "x"}, {"fetches": [None, "y", 1e99]}, {"fetched_by": []}, {"refused": 3}],
    ids=str,
)
def test_a_description_of_rubbish(field):
    """Fields of another kind are not shown, and break nothing."""
    cache = Shelf({"key": {"v": 1, **field}})
    assert json.dumps(cache.describe("key"))


def test_fields_of_a_later_release_are_kept(sandbox):
    """An entry may hold more than this release knows: that survives a renewal."""
    cache, key = Shelf(), key_of(sandbox)
    auth = sandbox.auth(cache=cache)
    auth.get_token()
    cache.entries[key]["later"] = {"a": "field"}
    sandbox.advance(3601)
    auth.get_token()
    assert cache.entries[key]["later"] == {"a": "field"}


def test_an_entry_of_another_version(sandbox, caplog):
    """It is no trouble and replaced, but its refusals hold: the account comes first."""
    cache = Shelf()
    refused(sandbox, cache, password="wrong")
    for key, entry in [item for item in cache.entries.items() if isinstance(item[1], dict)]:
        cache.entries[key] = {"v": 2, "token": "in another form", "refused": entry["refused"]}
    refused(sandbox, cache, password="wrong")
    assert sandbox.calls["login"] == 1
    assert sandbox.auth(cache=cache).get_session_token()
    assert sandbox.calls["login"] == 2
    assert told(caplog) == []


def test_a_refused_secret_is_refused_for_all(sandbox):
    """One token call with a wrong secret is enough for a fleet, until the cool-down is over."""
    cache = Shelf()
    auths = [sandbox.auth(cache=cache, client_secret="wrong") for _ in range(8)]
    pending = list(auths)
    errors = in_threads(8, lambda: pending.pop().get_token())
    assert {(type(error), error.status) for error in errors} == {(TokenRequestError, 401)}
    assert sandbox.calls["token"] == 1
    assert sandbox.auth(cache=cache).get_token()  # another secret is tried at once
    assert sandbox.calls["token"] == 2


def test_a_refused_secret_is_tried_again(sandbox):
    """After the cool-down the same secret has another chance; its refusal is gone from the entry then."""
    cache, key = Shelf(), key_of(sandbox)
    for calls in (1, 2):
        refused(sandbox, cache, client_secret="wrong")
        assert sandbox.calls["token"] == calls + 1
        for said in cache.entries[key]["refused"].values():
            said["until"] -= 2.0
    sandbox.auth(cache=cache).get_token()
    assert cache.entries[key]["refused"] == {}


@pytest.mark.parametrize("until", [1e12, -5.0], ids=["far ahead", "long ago"])
def test_a_clock_that_is_wrong_elsewhere(sandbox, until):
    """A machine whose clock is years ahead does not refuse for years."""
    cache, key = Shelf(), key_of(sandbox)
    refused(sandbox, cache, client_secret="wrong")
    for said in cache.entries[key]["refused"].values():
        said["until"] = until
    refused(sandbox, cache, client_secret="wrong")
    assert sandbox.calls["token"] == 3


def test_a_success_ends_a_row_of_refusals(sandbox):
    """Two wrong passwords with a right one between them are not two in a row; both stay refused."""
    cache = Shelf()
    refused(sandbox, cache, password="wrong")
    assert sandbox.auth(cache=cache).get_session_token()
    sandbox.end_sessions()
    for session in [entry for entry in cache.entries.values() if isinstance(entry, dict)]:
        if "session_token" in session["token"]:
            session["token"] = None
    refused(sandbox, cache, password="worse")
    refused(sandbox, cache, password="wrong")
    assert sandbox.calls["login"] == 3
    assert sandbox.auth(cache=cache).get_session_token()
    assert sandbox.calls["login"] == 4


def test_a_reset_in_mid_fetch_saves_nothing(sandbox):
    """What a renewal brings home after a reset is not kept for others."""
    cache = Shelf()
    auth = sandbox.auth(cache=cache, username=None, password=None)
    with fetching(sandbox, auth):
        auth.reset()
    assert not [entry for entry in cache.entries.values() if isinstance(entry, dict)]


def test_a_reset_after_the_save_clears(sandbox):
    """A reset between the fetch and the end of the visit, in the renewing thread, leaves nothing."""
    cache = Shelf()
    auth = sandbox.auth(cache=cache, username=None, password=None)
    save = cache.save

    def save_and_reset(*arguments):
        save(*arguments)
        auth.reset()

    cache.save = save_and_reset
    auth.get_token()
    assert not [entry for entry in cache.entries.values() if isinstance(entry, dict)]
    assert cache.used.count("clear") == 1


def test_errors_of_others_pass(sandbox, caplog):
    """What a cache does not call its own trouble reaches the caller as it is, and leaves no lock."""

    class Narrow(Shelf):
        errors = (OSError, ValueError)

        def save(self, key, entry, ttl):
            self._use("save")
            self.entries[key] = entry

    class TimeLimit(Exception):  # noqa: N818 - named as Celery's
        """What a signal handler raises."""

    for step in ("load", "save", "unlock", "lock"):
        cache = Narrow()
        cache.broken = {step: TimeLimit()}
        auth = sandbox.auth(cache=cache, username=None, password=None)
        with pytest.raises(TimeLimit):
            auth.get_token()
        cache.broken = {}
        assert auth.get_token()
    assert told(caplog) == []


def test_no_exception_is_kept(sandbox):
    """What a broken cache has raised is told in words: nothing keeps its frames alive."""

    class Trouble(OSError):  # noqa: N818 - it is counted, not caught
        """Is there any of these left?"""

        alive = 0

        def __init__(self):
            Trouble.alive += 1

        def __del__(self):
            Trouble.alive -= 1

    class Broken(Shelf):
        def load(self, key):
            raise Trouble

    auth = sandbox.auth(cache=Broken())
    assert auth.get_token()
    gc.collect()  # contextlib of some versions leaves a circle behind
    assert Trouble.alive == 0


def lines_in(work, interrupt_at=-1):
    """How many lines of the caches `work` runs; KeyboardInterrupt is raised at one of them."""
    folder, count = str(Path(requests_thingspace.__file__).parent / "caches"), [0]

    def trace(frame, event, _):
        if not frame.f_code.co_filename.startswith(folder):
            return None
        if event == "line":
            count[0] += 1
            if count[0] - 1 == interrupt_at:
                raise KeyboardInterrupt
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(before)
    return count[0]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")  # Python closes what an interrupt lost
@pytest.mark.parametrize("kind", ["file", "redis"])
@in_a_thread
def test_an_interrupt_at_any_line_leaves_no_lock(sandbox, tmp_path, request, kind):
    """Ctrl-C comes through wherever it strikes, and the next caller waits for no lock."""
    if kind == "file":
        cache = FileTokenCache(tmp_path / "tokens" / "tokens.json")
    else:
        cache = RedisTokenCache(request.getfixturevalue("redis_server").url)
    auth = sandbox.auth(cache=cache, username=None, password=None)

    def renew():
        auth.reset()
        auth.get_token()

    renew()
    for at in range(0, lines_in(renew), 1 if kind == "file" else 3):
        with pytest.raises(KeyboardInterrupt):
            lines_in(renew, at)
        started = time.monotonic()
        cache.lock_timeout = 15
        assert sandbox.auth(cache=cache, username=None, password=None).get_token()
        assert time.monotonic() - started < (5 if kind == "file" else 10)
