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
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import requests

from . import LoginRefusedError, ThingspaceAuth, TokenCache
from .sandbox import Sandbox

_KEY, _OTHER_KEY = (hashlib.sha256(name).hexdigest() for name in (b"one", b"other"))
_ENTRY = {"access_token": "a-token", "expires_at": 4102444800.5, "scope": ["r\u00e9ad", "write"], "n": None}
_OTHER_ENTRY = {"refused": {"fingerprint": {"status": 400, "message": "no \u2603"}}}
_DAY = 86400.0


class TokenCacheContract:
    """Subclass it and say how your cache is made."""

    fleet = 8
    """How many clients at once, each with a cache object of its own, share the storage."""

    def make_cache(self) -> TokenCache:
        """A new cache object; all that one test makes share their storage, as processes would."""
        raise NotImplementedError

    # The four methods of a backend

    def test_what_is_not_there_can_be_asked_for_and_cleared(self) -> None:
        """A key without an entry gives ``None``, before the first save and after a clear."""
        cache = self.make_cache()
        cache.clear(_KEY)
        assert cache.load(_KEY) is None
        cache.save(_KEY, _ENTRY, _DAY)
        cache.clear(_KEY)
        cache.clear(_KEY)
        assert cache.load(_KEY) is None

    def test_an_entry_is_there_for_the_others(self) -> None:
        """What one cache object saves another one loads, until it is replaced."""
        here, there = self.make_cache(), self.make_cache()
        for entry in (_ENTRY, _OTHER_ENTRY):
            here.save(_KEY, entry, _DAY)
            assert there.load(_KEY) == entry

    def test_keys_are_apart(self) -> None:
        """What happens under one key leaves the others alone; a login locks its session and its bearer."""
        cache = self.make_cache()
        with cache.lock(_KEY), cache.lock(_OTHER_KEY):
            cache.save(_OTHER_KEY, _OTHER_ENTRY, _DAY)
            cache.save(_KEY, _ENTRY, _DAY)
        cache.clear(_KEY)
        assert cache.load(_KEY) is None
        assert cache.load(_OTHER_KEY) == _OTHER_ENTRY

    def test_the_lock_shuts_others_out(self) -> None:
        """While a thread holds the lock nobody else gets it, nor waits; afterwards it is free at once."""
        cache, other = self.make_cache(), self.make_cache()
        for _ in range(3):
            with cache.lock(_KEY):
                for rival in (cache, other):
                    started = time.monotonic()
                    assert isinstance(_elsewhere(_enter, rival), (TimeoutError, BlockingIOError))
                    assert time.monotonic() - started < 1
            assert [_elsewhere(_enter, rival) for rival in (cache, other)] == [None, None]

    def test_the_lock_is_given_up_after_an_error(self) -> None:
        """What goes wrong under the lock does not keep it."""
        with suppress(ZeroDivisionError), self.make_cache().lock(_KEY):
            1 / 0  # noqa: B018 - on purpose
        assert _elsewhere(_enter, self.make_cache()) is None

    def test_the_lock_leaves_the_entry_alone(self) -> None:
        """Others can load the entry while it is locked, and find afterwards what was saved under the lock."""
        cache, other = self.make_cache(), self.make_cache()
        cache.save(_KEY, _ENTRY, _DAY)
        assert _elsewhere(_enter, cache) is None
        assert cache.load(_KEY) == _ENTRY
        with cache.lock(_KEY):
            assert _elsewhere(other.load, _KEY) == _ENTRY
            cache.save(_KEY, _OTHER_ENTRY, _DAY)
        assert other.load(_KEY) == _OTHER_ENTRY

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
            time.sleep(0.1)

    def test_whoever_waits_is_told(self) -> None:
        """A function that watches an entry says yes soon after the lock was given up."""
        cache, holder = self.make_cache(), self.make_cache()
        with holder.lock(_KEY):
            wait = cache.watch(_KEY)
            wait(0.01)
            holder.save(_KEY, _ENTRY, _DAY)
        assert any(wait(0.01) for _ in range(10))

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
            refusals = _together(lambda auth: _elsewhere(auth.get_session_token), auths)
            assert {type(refusal) for refusal in refusals} == {LoginRefusedError}
            assert sandbox.calls["login"] == 1
            assert len({(str(r), r.status, r.code, r.description) for r in refusals}) == 1
            assert refusals[0].status == 400

    def _auths(self, sandbox: Sandbox, **overrides: Any) -> list[ThingspaceAuth]:
        return [sandbox.auth(cache=self.make_cache(), **overrides) for _ in range(self.fleet)]

    def _sessions(self, sandbox: Sandbox) -> list[requests.Session]:
        return [sandbox.session(cache=self.make_cache()) for _ in range(self.fleet)]


def _together(work: Callable[[Any], Any], clients: Sequence[Any]) -> list[Any]:
    """What `work` gives for each of the clients, each in a thread; none begins before all threads run."""
    with ThreadPoolExecutor(len(clients), initializer=threading.Barrier(len(clients)).wait) as threads:
        return list(threads.map(work, clients))


def _statuses(sandbox: Sandbox, sessions: Sequence[requests.Session]) -> list[int]:
    url = f"{sandbox.origin}/api/m2m/v1/accounts/{sandbox.account}"
    return _together(lambda session: session.get(url).status_code, sessions)


def _enter(cache: TokenCache) -> None:
    with cache.lock(_KEY):
        pass


def _elsewhere(work: Callable[..., Any], *arguments: Any) -> Any:
    """What `work` returns or raises in another thread."""
    with ThreadPoolExecutor(1) as thread:
        future = thread.submit(work, *arguments)
        return future.exception() or future.result()
