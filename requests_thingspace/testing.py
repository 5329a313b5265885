"""The tests that every token cache has to pass, yours too.

    class TestDatabaseCache(TokenCacheContract):
        @pytest.fixture(autouse=True)
        def database(self, tmp_path):
            self.database = tmp_path / "tokens.sqlite"

        def make_cache(self):
            return DatabaseCache(self.database)

Each test runs a sandbox of its own, so that the extra ``sandbox`` is needed. pytest finds the methods of a
subclass whose name begins with ``Test``.
"""

# ruff: noqa: S101 - these are tests, and pytest explains a failing assert

from __future__ import annotations

import hashlib
import threading
import time
import warnings
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, TypeVar

import requests

from . import LoginRefusedError, ThingspaceAuth, TokenCache
from .sandbox import Sandbox

A = TypeVar("A")
T = TypeVar("T")

_KEY, _OTHER_KEY = (hashlib.sha256(name).hexdigest() for name in (b"one", b"other"))
_ENTRY = {"access_token": "a-token", "expires_at": 4102444800.5, "scope": ["r\u00e9ad", "write"], "n": None}
_OTHER_ENTRY = {"refused": {"fingerprint": {"status": 400, "message": "no \u2603"}}}
_DAY = 86400.0
_PAUSE = threading.Event()  # never set


class TokenCacheContract:
    """Subclass it and say how your cache is made."""

    fleet = 8
    """How many clients at once, each with a cache object of its own, share the storage."""

    def make_cache(self) -> TokenCache:
        """A new cache object; all that one test makes share their storage, as processes would."""
        raise NotImplementedError

    # The four methods of a backend

    def test_there_is_no_entry_at_first(self) -> None:
        """A key that nobody saved has no entry."""
        assert self.make_cache().load(hashlib.sha256(b"never saved").hexdigest()) is None

    def test_an_entry_is_there_for_the_others(self) -> None:
        """What one cache object saves another one loads, until it is replaced."""
        here, there = self.make_cache(), self.make_cache()
        for entry in (_ENTRY, _OTHER_ENTRY):
            here.save(_KEY, entry, _DAY)
            assert there.load(_KEY) == entry

    def test_keys_are_apart(self) -> None:
        """What happens under one key leaves the other keys alone."""
        cache = self.make_cache()
        cache.save(_KEY, _ENTRY, _DAY)
        cache.save(_OTHER_KEY, _OTHER_ENTRY, _DAY)
        cache.clear(_KEY)
        assert cache.load(_KEY) is None
        assert cache.load(_OTHER_KEY) == _OTHER_ENTRY

    def test_clearing_nothing_is_fine(self) -> None:
        """An entry that is not there can be cleared, and again."""
        cache = self.make_cache()
        cache.clear(_KEY)
        cache.save(_KEY, _ENTRY, _DAY)
        cache.clear(_KEY)
        cache.clear(_KEY)
        assert cache.load(_KEY) is None

    def test_the_lock_shuts_others_out(self) -> None:
        """While a thread holds the lock no other gets it, by this cache object or another, nor waits."""
        cache = self.make_cache()
        with cache.lock(_KEY):
            for rival in (cache, self.make_cache()):
                started = time.monotonic()
                assert isinstance(_elsewhere(_enter, rival), (TimeoutError, BlockingIOError))
                assert time.monotonic() - started < 1
        assert _elsewhere(_enter, self.make_cache()) is None

    def test_the_lock_is_free_at_once(self) -> None:
        """The next one has the lock as soon as it is given up, time and again."""
        for cache in (self.make_cache(), self.make_cache()):
            assert [_elsewhere(_enter, cache) for _ in range(3)] == [None] * 3

    def test_the_lock_is_given_up_after_an_error(self) -> None:
        """What goes wrong under the lock does not keep it."""
        with suppress(ZeroDivisionError), self.make_cache().lock(_KEY):
            1 / 0  # noqa: B018 - on purpose
        assert _elsewhere(_enter, self.make_cache()) is None

    def test_the_lock_leaves_the_entry_alone(self) -> None:
        """To take and give up the lock changes nothing, whether or not an entry is saved under it."""
        cache = self.make_cache()
        cache.save(_KEY, _ENTRY, _DAY)
        assert _elsewhere(_enter, cache) is None
        assert cache.load(_KEY) == _ENTRY
        with cache.lock(_KEY):
            cache.save(_KEY, _OTHER_ENTRY, _DAY)
        assert self.make_cache().load(_KEY) == _OTHER_ENTRY

    def test_a_lock_that_is_lost_is_free(self) -> None:
        """A holder that forgets to give it up, as after an interrupt, does not keep it for ever."""
        lock = self.make_cache().lock(_KEY)
        lock.__enter__()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)  # that it is lost is the point
            del lock
        until = time.monotonic() + 15
        while _elsewhere(_enter, self.make_cache()) is not None:
            assert time.monotonic() < until
            _PAUSE.wait(0.1)

    def test_whoever_waits_is_told(self) -> None:
        """A function that watches an entry says yes soon after the lock was given up."""
        cache, holder = self.make_cache(), self.make_cache()
        with holder.lock(_KEY):
            wait = cache.watch(_KEY)
            wait(0.01)
            holder.save(_KEY, _ENTRY, _DAY)
        assert any(wait(0.01) for _ in range(10))

    def test_locks_of_two_keys_nest(self) -> None:
        """A login takes the lock of its session, and under it the one of its bearer."""
        cache = self.make_cache()
        with cache.lock(_KEY), cache.lock(_OTHER_KEY):
            cache.save(_OTHER_KEY, _ENTRY, _DAY)
            cache.save(_KEY, _OTHER_ENTRY, _DAY)
        assert cache.load(_OTHER_KEY) == _ENTRY

    def test_an_entry_can_be_read_under_anothers_lock(self) -> None:
        """A usable token can be taken while somebody hangs in a fetch."""
        here, there = self.make_cache(), self.make_cache()
        here.save(_KEY, _ENTRY, _DAY)
        with here.lock(_KEY):
            assert _elsewhere(there.load, _KEY) == _ENTRY

    # What comes of it

    def test_a_fleet_makes_one_token_call_and_one_login(self) -> None:
        """Clients that start at the same time share one fetch, and the token's successors too."""
        with Sandbox() as sandbox:
            sessions = self._sessions(sandbox)
            assert _statuses(sandbox, sessions) == [200] * self.fleet
            assert (sandbox.calls["token"], sandbox.calls["login"]) == (1, 1)
            sandbox.advance(3601)
            assert _statuses(sandbox, sessions) == [200] * self.fleet
            assert sandbox.calls["token"] == 2

    def test_a_refused_login_is_refused_for_all(self) -> None:
        """One failed login is enough for a fleet, and every client is told the same."""
        with Sandbox() as sandbox:
            auths = self._auths(sandbox, password="wrong")
            refusals = _together(_refusal, auths)
            assert all(isinstance(refusal, LoginRefusedError) for refusal in refusals)
            assert sandbox.calls["login"] == 1
            told = {(str(r), r.status, r.code, r.description) for r in refusals}
            assert len(told) == 1
            assert refusals[0].status == 400

    def _auths(self, sandbox: Sandbox, **overrides: Any) -> list[ThingspaceAuth]:
        """The fleet's auths, each with a cache object of its own."""
        return [sandbox.auth(cache=self.make_cache(), **overrides) for _ in range(self.fleet)]

    def _sessions(self, sandbox: Sandbox) -> list[requests.Session]:
        """The fleet's Sessions."""
        return [sandbox.session(cache=self.make_cache()) for _ in range(self.fleet)]


def _together(work: Callable[[Any], T], clients: Iterable[Any]) -> list[T]:
    """What `work` gives for each of the clients, which do it at the same time."""
    clients = list(clients)
    ready = threading.Barrier(len(clients))

    def work_when_all_are_ready(client: Any) -> T:
        ready.wait()
        return work(client)

    with ThreadPoolExecutor(len(clients)) as threads:
        return list(threads.map(work_when_all_are_ready, clients))


def _statuses(sandbox: Sandbox, sessions: Iterable[requests.Session]) -> list[int]:
    """The statuses of one API call of each Session, all at the same time."""
    url = f"{sandbox.origin}/api/m2m/v1/accounts/{sandbox.account}"
    return _together(lambda session: int(session.get(url).status_code), sessions)


def _refusal(auth: ThingspaceAuth) -> Any:
    """What stops a login of this client; ``None`` if nothing does."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(auth.get_session_token).exception()


def _enter(cache: TokenCache) -> Exception | None:
    """``None`` if the lock could be taken, else why not."""
    try:
        with cache.lock(_KEY):
            return None
    except Exception as error:  # noqa: BLE001 - a backend may raise anything
        return error


def _elsewhere(work: Callable[[A], T], argument: A) -> T:
    """What `work` returns or raises in another thread."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(work, argument).result()
