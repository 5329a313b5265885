"""TokenCache: one token for all, nobody queues, and a broken cache is told of once and fails no request."""

import copy
import pickle
import time
from unittest.mock import MagicMock

import pytest

from requests_thingspace import Clock, FileTokenCache

from .shelf import KEY, Shelf, get, refused, told

DOWN = OSError("out of order")


@pytest.mark.parametrize("broken", [{"lock": DOWN}, {"load": DOWN}, {"save": OSError}, {"unlock": DOWN}])
def test_what_breaks_is_told_once(outlive, sandbox, cache, caplog, broken):
    """Each token is asked for once, and not logged where the error quotes what was to be saved."""
    outlive(cache, lambda: cache.broken.update(broken), cache.broken.clear)
    assert sandbox.calls["token"] == 9
    assert ("no room for" in caplog.text) == ("save" in broken)


def test_a_key_that_works_is_no_news_of_another(sandbox, caplog, cache):
    """While one client's entry stays broken, another client's success does not end the trouble."""
    broken, whole = sandbox.auth(cache=cache), sandbox.auth(cache=cache, scopes="ts.mec.limitaccess")
    for _ in range(2):
        sandbox.advance(3601)
        cache.broken = {"load": DOWN}
        broken.get_token()
        cache.broken = {}
        whole.get_token()
    assert told(caplog) == ["WARNING"]


def test_a_cache_out_of_reach_is_left_alone(sandbox, cache):
    """Where the cache cannot even be read, nobody waits for its lock or its save."""
    cache.broken = {"load": DOWN}
    sandbox.auth(cache=cache).get_token()
    assert cache.used == ["load"]


@pytest.fixture
def fetched(sandbox, cache):
    """What another process is about to save: the key, and the entry."""
    auth = sandbox.auth(cache=cache)
    auth.get_token()
    return cache.entries.popitem()


def test_who_waits_leaves_as_soon_as_there_is_a_token(sandbox, cache, fetched, caplog):
    """The lock stays taken all the time: a saved token is enough, and nothing is told."""
    key, entry = fetched

    class Waiting(Shelf):
        def watch(self, key):
            self.save(key, entry, 60)
            return super().watch(key)

    with cache.lock(key):
        token = sandbox.auth(cache=Waiting(cache)).get_token()
    assert token.value == entry["token"]["access_token"]
    assert (sandbox.calls["token"], told(caplog)) == (1, [])


def test_who_waits_pauses(cache):
    """A backend that has no news of its own is asked again after the time that it is given."""
    started = time.monotonic()
    assert cache.watch(KEY)(0.05)
    assert time.monotonic() - started >= 0.05


def test_who_has_the_lock_looks_again(sandbox, cache, fetched):
    """Whoever had it just before may have saved a token."""
    _, entry = fetched

    class Locking(Shelf):
        def lock(self, key):
            self.save(key, entry, 60)
            return super().lock(key)

    token = sandbox.auth(cache=Locking(cache)).get_token()
    assert token.value == entry["token"]["access_token"]
    assert sandbox.calls["token"] == 1


def test_a_due_token_does_not_wait_for_another_process(sandbox, cache, fetched):
    """While others renew, whoever has a token that is due goes on with it at once."""
    key, entry = fetched
    cache.save(key, entry, 60)
    auth = sandbox.auth(cache=cache)
    token = auth.get_token()
    sandbox.advance(3590)
    cache.used.clear()
    with cache.lock(key):
        assert auth.get_token() == token
    assert cache.used == ["lock", "load", "lock", "unlock"]
    assert sandbox.calls["token"] == 1


def test_nothing_is_rewritten_without_need(sandbox, cache):
    """Without a lock, each process that learns that a token still holds leaves the entry as it is."""
    auths = [sandbox.auth(cache=cache) for _ in range(4)]
    for auth in auths:
        auth.get_token()
    sandbox.advance(3590)
    cache.broken = {"lock": DOWN}
    cache.used.clear()
    assert len({auth.get_token().value for auth in auths}) == 1
    assert "save" not in cache.used


def test_the_error_of_the_fetch_is_the_one_that_is_raised(sandbox, cache):
    """A lock that cannot be given up does not hide why there is no token; the next client tries at once."""
    cache.broken = {"unlock": DOWN}
    sandbox.fail_next("token", status=400, body={"error": "invalid_scope"})
    assert refused(sandbox.auth(cache=cache)).code == "invalid_scope"
    assert sandbox.auth(cache=cache).get_token()


def test_an_interrupt_while_the_lock_is_given_up(sandbox, cache):
    """It comes through, and the lock is given up all the same."""
    lock = MagicMock()
    lock.__exit__.side_effect = [KeyboardInterrupt, None]
    cache.lock = lambda key: lock
    with pytest.raises(KeyboardInterrupt):
        sandbox.auth(cache=cache).get_token()
    assert lock.__exit__.call_count == 2


def test_what_one_object_was_told_its_copy_tells_again(sandbox, caplog, cache):
    """A reset with a broken cache is no error; a copy of the cache has had no trouble yet."""
    cache.broken = {"clear": DOWN}
    for one in (cache, cache, copy.copy(cache)):
        sandbox.auth(cache=one, username=None, password=None).reset()
    assert told(caplog) == ["WARNING"] * 2


def test_a_due_token_is_asked_for_once(connect, sandbox, cache):
    """One of a fleet asks early; the others learn from the cache that ThingSpace gives no other token yet."""
    sessions = [connect(cache=cache) for _ in range(5)]
    assert [get(sandbox, session) for session in sessions] == [200] * 5
    sandbox.advance(3590)
    for session in (*sessions, *sessions, connect(cache=cache)):
        assert get(sandbox, session) == 200
    assert sandbox.calls["token"] == 2


@pytest.mark.parametrize(("broken", "tries"), [({"save": OSError}, 2), ({"load": ValueError("odd")}, 1)])
def test_a_refusal_is_saved_when_that_is_possible(sandbox, cache, broken, tries):
    """By the next attempt, without another login, or though what was stored before cannot be read."""
    cache.broken = broken
    stubborn = sandbox.auth(cache=cache, password="wrong")
    for _ in range(tries):
        sandbox.advance(3)
        refused(stubborn)
        cache.broken = {}
    refused(sandbox.auth(cache=cache, password="wrong"))
    assert sandbox.calls["login"] == 1


def test_a_pickled_refusal_is_not_saved_again(sandbox, bare, tmp_path):
    """A worker that was pickled with its refused login does not undo a reset() elsewhere."""
    cache = FileTokenCache(tmp_path / "tokens" / "tokens.json")
    auth = bare(cache=cache, password="wrong")
    refused(auth)
    worker = pickle.loads(pickle.dumps(auth))
    sandbox.auth(cache=cache, password="wrong").reset()
    refused(worker)
    assert sandbox.calls["login"] == 1
    refused(sandbox.auth(cache=cache, password="wrong"))
    assert sandbox.calls["login"] == 2


def test_a_stored_token_that_was_rejected_is_not_tried_again(connect, sandbox, cache):
    """What cannot be overwritten stays in the cache, and is known to be of no use ever after."""
    session = connect(cache=cache)
    assert get(sandbox, session) == 200
    cache.broken = {"save": OSError}
    for _ in range(3):
        sandbox.end_sessions()
        assert get(sandbox, session) == 200
    assert sandbox.calls["login"] == 4
    assert sandbox.answers["api", 400] == 3


def test_only_so_many_rejected_tokens_are_remembered(sandbox, cache):
    """A process that runs for years does not grow by every token that it had."""
    cache._spent = dict.fromkeys(map(str, range(1000)))
    auth = sandbox.auth(cache=cache)
    auth.get_token()
    sandbox.advance(3601)
    auth.get_token()
    assert len(cache._spent) == 1000
    assert "0" not in cache._spent


def test_a_successor_that_has_died_too_is_replaced(connect, sandbox, cache):
    """Where the others replaced a token, and its successor died as well, the call is healed all the same."""
    other, late = connect(cache=cache), connect(cache=cache)
    for end, endpoint, calls in ((sandbox.end_sessions, "login", 3), (sandbox.revoke_tokens, "token", 3)):
        assert [get(sandbox, session) for session in (other, late)] == [200, 200]
        end()
        assert get(sandbox, other) == 200
        end()
        assert get(sandbox, late) == 200
        assert sandbox.calls[endpoint] == calls


def test_a_token_on_which_thingspace_insists_is_asked_for_once(connect, sandbox, cache):
    """A 401 whose token comes back from the endpoint costs one token call, as without a cache."""
    session = connect(cache=cache)
    get(sandbox, session)
    sandbox.fail_next("api", status=401)
    assert get(sandbox, session) == 401
    assert get(sandbox, connect(cache=cache)) == 200  # the next client has it from the cache
    assert sandbox.calls["token"] == 2


def test_a_clock_that_is_set_back(sandbox, cache):
    """A stored token that the monotonic clock knows to be dead is not used again."""
    back = [0.0]
    clock = Clock(lambda: sandbox.clock.wall() - back[0], sandbox.clock.monotonic)
    auth = sandbox.auth(cache=cache, clock=clock)
    token = auth.get_token()
    sandbox.advance(3700)
    back[0] = 7200.0
    assert auth.get_token() != token
