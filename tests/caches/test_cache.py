"""The law of TokenCache: a broken cache is told of once and never fails a request."""

import copy
import pickle
import threading
from contextlib import contextmanager

import pytest

from requests_thingspace import Clock, LoginRefusedError, TokenCache, TokenRequestError
from requests_thingspace.testing import TokenCacheContract


class Shelf(TokenCache):
    """A cache as a user would write it, in the memory of the process, that breaks on command."""

    def __init__(self, entries=None, **settings):
        super().__init__(**settings)
        self.entries = {} if entries is None else entries
        self.broken = {}
        self.used = []
        self._locks = {}

    def _use(self, method):
        self.used.append(method)
        if method in self.broken:
            raise self.broken[method]

    @contextmanager
    def lock(self, key):
        self._use("lock")
        lock = self.entries.setdefault(f"{key}.lock", threading.Lock())
        if not lock.acquire(timeout=self.lock_timeout):
            raise TimeoutError("others held the lock")
        try:
            yield
        finally:
            lock.release()
            self._use("unlock")

    def load(self, key):
        self._use("load")
        return self.entries.get(key)

    def save(self, key, entry, ttl):
        if "save" in self.broken:
            raise OSError(f"no room for {entry}")
        self._use("save")
        self.entries[key] = entry

    def clear(self, key):
        self._use("clear")
        self.entries.pop(key, None)


class Careless(Shelf):
    """A cache that keeps one entry for all clients."""

    def load(self, key):
        return super().load("the one")

    def save(self, key, entry, ttl):
        super().save("the one", entry, ttl)


class TestShelf(TokenCacheContract):
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
    with pytest.raises(AssertionError, match="there was no TokenRequestError"):
        contract.test_two_clients_never_share()


def test_the_contract_wants_a_cache():
    """A subclass has to say how its cache is made."""
    with pytest.raises(NotImplementedError):
        TokenCacheContract().make_cache()


def told(caplog):
    """The level of each record about the cache."""
    return [r.levelname for r in caplog.records if "the token cache" in r.getMessage()]


def get(sandbox, session):
    """The status of an API call."""
    return session.get(f"{sandbox.origin}/api/m2m/v1/accounts/{sandbox.account}").status_code


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


@pytest.mark.parametrize(
    "entry",
    [["a", "list"], "a string", {}, {"access_token": "two words"}, {"session_token": 7}],
    ids=str,
)
def test_an_unreadable_entry_is_replaced(connect, sandbox, caplog, entry):
    """What is no entry is told of, fetched anew, and overwritten."""
    cache = Shelf()
    get(sandbox, connect(cache=cache))
    tokens = [key for key in cache.entries if not key.endswith(".lock")]
    cache.entries.update(dict.fromkeys(tokens, entry))
    assert get(sandbox, connect(cache=cache)) == 200
    assert entry not in [cache.entries[key] for key in tokens]
    assert told(caplog) == ["WARNING"]
    assert get(sandbox, connect(cache=cache)) == 200
    assert sandbox.calls["token"] == 2


def test_who_waited_in_vain_looks_once_more(sandbox, caplog):
    """A lock that cannot be had in time is told of, and what its holder saved meanwhile is used."""
    cache, auth = Shelf(lock_timeout=0.1), sandbox.auth(cache=Shelf())
    token = auth.get_token().to_dict()
    tried = threading.Event()

    class Hanging(Shelf):
        def lock(self, key):
            tried.set()
            self.entries[key] = token
            return cache.lock("held")

    with cache.lock("held"):
        assert sandbox.auth(cache=Hanging()).get_token().to_dict() == token
    assert tried.is_set()
    assert sandbox.calls["token"] == 1
    assert told(caplog) == ["WARNING"]


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


def test_a_due_token_is_used_until_it_expires(connect, sandbox):
    """A stored token that is due is what ThingSpace would give anyway: it makes no call."""
    cache = Shelf()
    session = connect(cache=cache)
    get(sandbox, session)
    sandbox.advance(3590)
    assert get(sandbox, session) == 200
    assert get(sandbox, connect(cache=cache)) == 200
    assert sandbox.calls["token"] == 1


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
    with pytest.raises(LoginRefusedError):
        sandbox.auth(cache=cache, password="wrong").get_session_token()
    assert sandbox.calls["login"] == 1


def test_a_refusal_with_a_broken_load(sandbox):
    """A refusal is saved also where what was stored before cannot be read."""
    cache = Shelf()
    cache.broken = {"load": ValueError("gibberish")}
    for _ in range(2):
        with pytest.raises(LoginRefusedError):
            sandbox.auth(cache=cache, password="wrong").get_session_token()
        cache.broken = {}
    assert sandbox.calls["login"] == 1


@pytest.mark.parametrize("said", [None, 3, {"message": 5, "status": "x", "code": 900}], ids=str)
def test_a_refusal_that_was_tampered_with(sandbox, said):
    """A remembered refusal holds, whatever has become of its words: the account comes first."""
    cache = Shelf()
    with pytest.raises(LoginRefusedError):
        sandbox.auth(cache=cache, password="wrong").get_session_token()
    (entry,) = (e for e in cache.entries.values() if isinstance(e, dict) and "refused" in e)
    entry["refused"] = dict.fromkeys(entry["refused"], said)
    with pytest.raises(LoginRefusedError) as refused:
        sandbox.auth(cache=cache, password="wrong").get_session_token()
    assert (refused.value.status, refused.value.code) == (None, None)
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
    with pytest.raises(LoginRefusedError):
        sandbox.auth(cache=cache, password="my-wrong-word").get_session_token()
    stored = repr(cache.entries)
    assert "refused" in stored
    assert "my-wrong-word" not in stored
    assert sandbox.username not in stored


def test_a_pickled_refusal_is_not_saved_again(sandbox):
    """A worker that was pickled with its refused login does not undo a reset() elsewhere."""
    auth = sandbox.auth(cache=Shelf(), password="wrong")
    with pytest.raises(LoginRefusedError) as refused:
        auth.get_session_token()
    assert pickle.loads(pickle.dumps(refused.value)).is_in_cache


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
