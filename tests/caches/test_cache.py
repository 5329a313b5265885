"""TokenCache: one token for all, nobody queues, and a broken cache is told of once and fails no request."""

import copy
import pickle
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from requests_thingspace import Clock, FileTokenCache, LoginRefusedError, TokenRequestError
from requests_thingspace.testing import TokenCacheContract

from .contract import OwnCacheContract
from .shelf import Shelf, get, key_of, refused, told


class Careless(Shelf):
    """A cache that keeps one entry for all clients."""

    def load(self, key):
        return super().load("the one")

    def save(self, key, entry, ttl):
        super().save("the one", entry, ttl)


class TestShelf(OwnCacheContract):
    """A user's own cache passes the contract suite too."""

    @pytest.fixture(autouse=True)
    def entries(self):
        self.entries = {}

    def make_cache(self):
        return Shelf(self.entries)


def test_the_contract_finds_a_careless_cache():
    """A cache that gives one client's token to another does not pass."""
    contract = TestShelf()
    contract.make_cache = lambda entries={}: Careless(entries)
    with pytest.raises(AssertionError, match="None"):
        contract.test_keys_are_apart()


def test_the_contract_wants_a_cache():
    """A subclass has to say how its cache is made."""
    with pytest.raises(NotImplementedError):
        TokenCacheContract().make_cache()


@pytest.mark.parametrize("method", ["lock", "load", "save", "unlock"])
def test_what_breaks_is_told_once(connect, sandbox, caplog, method):
    """One warning when it breaks, one line when it works again, and every API call is 200."""
    cache = Shelf()
    session = connect(cache=cache)
    for _ in range(2):
        cache.broken = {method: OSError("out of order")}
        for _ in range(3):
            sandbox.advance(3601)
            assert [get(sandbox, session) for _ in range(2)] == [200, 200]
        cache.broken = {}
        for _ in range(2):
            sandbox.advance(3601)
            assert get(sandbox, session) == 200
    assert told(caplog) == ["WARNING", "INFO"] * 2
    assert sandbox.calls["token"] == 10


def test_a_key_that_works_is_no_news_of_another(sandbox, caplog):
    """While one client's entry stays broken, another client's success does not end the trouble."""
    cache = Shelf()
    broken, whole = sandbox.auth(cache=cache), sandbox.auth(cache=cache, scopes="ts.mec.limitaccess")
    for _ in range(2):
        sandbox.advance(3601)
        cache.broken = {"load": OSError("out of order")}
        broken.get_token()
        cache.broken = {}
        whole.get_token()
    assert told(caplog) == ["WARNING"]


def test_a_cache_out_of_reach_is_left_alone(sandbox):
    """Where the cache cannot even be read, nobody waits for its lock or its save."""
    cache = Shelf()
    cache.broken = {"load": OSError("down")}
    sandbox.auth(cache=cache).get_token()
    assert cache.used == ["load"]


@pytest.fixture
def held(sandbox):
    """A shelf, its only lock held by somebody else, and the entry that they are about to save."""
    cache, key = Shelf(), key_of(sandbox)
    sandbox.auth(cache=cache).get_token()
    entry = cache.entries.pop(key)
    with cache.lock(key):
        yield cache, key, entry


def test_who_waits_leaves_as_soon_as_there_is_a_token(sandbox, held, caplog):
    """The lock stays taken all the time: a saved token is enough, and nothing is told."""
    cache, key, entry = held
    waiting = threading.Event()

    class Watching(Shelf):
        def watch(self, key):
            waiting.set()
            return super().watch(key)

    watching = Watching(cache.entries)
    with ThreadPoolExecutor(1) as thread:
        outcome = thread.submit(sandbox.auth(cache=watching).get_token)
        assert waiting.wait(10)
        assert not outcome.done()
        cache.save(key, entry, 60)
        assert outcome.result(10).value == entry["token"]["access_token"]
    assert sandbox.calls["token"] == 2
    assert told(caplog) == []


def test_who_waited_in_vain_fetches_without_the_lock(sandbox, held, caplog):
    """A lock that is never given up delays a caller by the cache's timeout, and is told of."""
    impatient = Shelf(held[0].entries, lock_timeout=0.2)
    assert sandbox.auth(cache=impatient).get_token().value == held[2]["token"]["access_token"]
    assert sandbox.calls["token"] == 3
    assert told(caplog) == ["WARNING"]


def test_a_due_token_does_not_wait_for_another_process(sandbox, held):
    """While others renew, whoever has a token that is due goes on with it at once."""
    cache, key, entry = held
    cache.save(key, entry, 60)
    auth = sandbox.auth(cache=cache)
    token = auth.get_token()
    sandbox.advance(3590)
    cache.used.clear()
    assert auth.get_token() == token
    assert cache.used == ["load", "lock"]
    assert sandbox.calls["token"] == 2


def test_nothing_is_rewritten_without_need(sandbox):
    """Without a lock, each process that learns that a token still holds leaves the entry as it is."""
    cache = Shelf()
    auths = [sandbox.auth(cache=cache) for _ in range(4)]
    for auth in auths:
        auth.get_token()
    sandbox.advance(3590)
    cache.broken = {"lock": OSError("out of order")}
    cache.used.clear()
    assert len({auth.get_token().value for auth in auths}) == 1
    assert "save" not in cache.used


def test_the_error_of_the_fetch_is_the_one_that_is_raised(sandbox):
    """A lock that cannot be given up does not hide why there is no token."""
    cache = Shelf()
    cache.broken = {"unlock": OSError("out of order")}
    sandbox.fail_next("token", status=400, body={"error": "invalid_scope"})
    with pytest.raises(TokenRequestError, match="invalid_scope"):
        sandbox.auth(cache=cache).get_token()


def test_no_token_is_logged_when_saving_fails(sandbox, caplog, log_without_secrets):
    """A backend whose error quotes what it was to save gives no token away."""
    cache = Shelf()
    cache.broken = {"save": OSError}
    token = sandbox.auth(cache=cache).get_token()
    log_without_secrets.add(token.value)
    assert told(caplog) == ["WARNING"]
    assert "no room for" in caplog.text


def test_reset_with_a_broken_cache(sandbox, caplog):
    """Forgetting what the cache holds may fail too, and is no error."""
    cache = Shelf()
    auth = sandbox.auth(cache=cache)
    cache.broken = {"clear": OSError("out of order")}
    auth.reset()
    assert told(caplog) == ["WARNING"]


def test_a_due_token_is_asked_for_once(connect, sandbox):
    """One of a fleet asks early; the others learn from the cache that ThingSpace gives no other token yet."""
    cache = Shelf()
    sessions = [connect(cache=cache) for _ in range(5)]
    assert [get(sandbox, session) for session in sessions] == [200] * 5
    sandbox.advance(3590)
    for session in (*sessions, *sessions, connect(cache=cache)):
        assert get(sandbox, session) == 200
    assert sandbox.calls["token"] == 2


def test_a_refusal_is_saved_when_that_becomes_possible(sandbox):
    """A refusal that could not be saved is saved by the next attempt, without another login."""
    cache = Shelf()
    cache.broken = {"save": OSError}
    stubborn = sandbox.auth(cache=cache, password="wrong")
    for _ in range(2):
        sandbox.advance(3)
        with pytest.raises(LoginRefusedError):
            stubborn.get_session_token()
        cache.broken = {}
    refused(sandbox, cache, password="wrong")
    assert sandbox.calls["login"] == 1


def test_a_refusal_with_a_broken_load(sandbox):
    """A refusal is saved also where what was stored before cannot be read."""
    cache = Shelf()
    cache.broken = {"load": ValueError("gibberish")}
    for _ in range(2):
        refused(sandbox, cache, password="wrong")
        cache.broken = {}
    assert sandbox.calls["login"] == 1


@pytest.mark.parametrize("said", [None, 3, {"message": 5, "status": "x", "code": 900}], ids=str)
def test_a_refusal_that_was_tampered_with(sandbox, said):
    """A remembered refusal holds, whatever has become of its words: the account comes first."""
    cache = Shelf()
    refused(sandbox, cache, password="wrong")
    (entry,) = (e for e in cache.entries.values() if isinstance(e, dict) and e["refused"])
    entry["refused"] = dict.fromkeys(entry["refused"], said)
    error = refused(sandbox, cache, password="wrong")
    assert (type(error), error.status, error.code) == (LoginRefusedError, None, None)
    assert sandbox.calls["login"] == 1


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy], ids=["copy", "deepcopy"])
def test_a_copy_has_had_no_trouble(copied):
    """What one object was told of a broken cache its copy tells again."""
    cache = Shelf()
    cache._broken["since"] = ("key", "load")
    assert copied(cache)._broken == {}
    assert cache._broken == {"since": ("key", "load")}


def test_the_refusal_in_the_cache_holds_no_credentials(sandbox):
    """Neither the password nor the user is in what is stored, only a keyed hash."""
    cache = Shelf()
    refused(sandbox, cache, password="my-wrong-word")
    stored = repr(cache.entries)
    assert "refused" in stored
    assert "my-wrong-word" not in stored
    assert sandbox.username not in stored


def test_a_pickled_refusal_is_not_saved_again(sandbox, make_auth, tmp_path):
    """A worker that was pickled with its refused login does not undo a reset() elsewhere."""
    cache = FileTokenCache(tmp_path / "tokens" / "tokens.json")
    auth = make_auth(cache, username=sandbox.username, password="wrong")
    with pytest.raises(LoginRefusedError):
        auth.get_session_token()
    worker = pickle.loads(pickle.dumps(auth))
    sandbox.auth(cache=cache, password="wrong").reset()
    with pytest.raises(LoginRefusedError):
        worker.get_session_token()
    assert sandbox.calls["login"] == 1
    refused(sandbox, cache, password="wrong")
    assert sandbox.calls["login"] == 2


def test_a_stored_token_that_was_rejected_is_not_tried_again(connect, sandbox):
    """What cannot be overwritten stays in the cache, and is known to be of no use ever after."""
    cache = Shelf()
    session = connect(cache=cache)
    assert get(sandbox, session) == 200
    cache.broken = {"save": OSError}
    for _ in range(3):
        sandbox.end_sessions()
        assert get(sandbox, session) == 200
    assert sandbox.calls["login"] == 4
    assert sandbox.answers["api", 400] == 3


def test_only_so_many_rejected_tokens_are_remembered(sandbox):
    """A process that runs for years does not grow by every token that it had."""
    cache = Shelf()
    cache._spent = dict.fromkeys(map(str, range(1000)))
    auth = sandbox.auth(cache=cache)
    auth.get_token()
    sandbox.advance(3601)
    auth.get_token()
    assert len(cache._spent) == 1000
    assert "0" not in cache._spent


def test_a_successor_that_has_died_too_is_replaced(connect, sandbox):
    """Where the others replaced a token, and its successor died as well, the call is healed all the same."""
    cache = Shelf()
    other, late = connect(cache=cache), connect(cache=cache)
    for end, endpoint, calls in ((sandbox.end_sessions, "login", 3), (sandbox.revoke_tokens, "token", 3)):
        assert [get(sandbox, session) for session in (other, late)] == [200, 200]
        end()
        assert get(sandbox, other) == 200
        end()
        assert get(sandbox, late) == 200
        assert sandbox.calls[endpoint] == calls


def test_a_token_on_which_thingspace_insists_is_asked_for_once(connect, sandbox):
    """A 401 whose token comes back from the endpoint costs one token call, as without a cache."""
    session = connect(cache=Shelf())
    get(sandbox, session)
    sandbox.fail_next("api", status=401)
    assert get(sandbox, session) == 401
    assert sandbox.calls["token"] == 2


def test_a_clock_that_is_set_back(sandbox):
    """A stored token that the monotonic clock knows to be dead is not used again."""
    back = [0.0]
    clock = Clock(lambda: sandbox.clock.wall() - back[0], sandbox.clock.monotonic)
    auth = sandbox.auth(cache=Shelf(), clock=clock)
    token = auth.get_token()
    sandbox.advance(3700)
    back[0] = 7200.0
    assert auth.get_token() != token
