"""A cache in memory that breaks on command, and what the tests of caches ask of an API call and the log."""

import stat
import threading
from contextlib import contextmanager
from pathlib import Path

import pytest

from requests_thingspace import LoginRefusedError, TokenCache, TokenRequestError

from ..torture.moments import Moments

KEY = "0" * 64
ENTRY = {"access_token": "a-token"}


def told(caplog):
    """The level of each record about the cache."""
    return [r.levelname for r in caplog.records if "the token cache" in r.getMessage()]


def get(sandbox, session):
    """The status of an API call."""
    return session.get(f"{sandbox.origin}/api/m2m/v1/accounts/{sandbox.account}").status_code


def get_anew(sandbox, session):
    """The statuses of API calls with a token that has just expired."""
    sandbox.advance(3601)
    return {get(sandbox, session) for _ in range(3)}


def refused(auth):
    """The refusal that a client is told."""
    with pytest.raises((LoginRefusedError, TokenRequestError)) as kept:
        auth.get_session_token()
    return kept.value


@contextmanager
def fetching(sandbox, auth, seconds=0.5):
    """A token call of `auth` that takes so long is under way."""
    sandbox.slow("token", seconds)
    thread = threading.Thread(target=auth.get_token)
    thread.start()
    assert sandbox.wait_for_calls("token", 1)
    yield
    thread.join()


def mode(path):
    """The permissions of a file or folder."""
    return stat.S_IMODE(path.stat().st_mode)


class CacheMoments(Moments):
    """Moments in the code of the caches alone."""

    def come(self, frame, kind):
        if "caches" in Path(frame.f_code.co_filename).parts:
            super().come(frame, kind)


class Shelf(TokenCache):
    """A cache as a user would write it, in the memory of the process, that breaks on command."""

    def __init__(self, twin=None, **settings):
        super().__init__(**settings)
        self.entries, self._locks = ({}, {}) if twin is None else (twin.entries, twin._locks)
        self.broken, self.used = {}, []

    def _use(self, method):
        self.used.append(method)
        if method in self.broken:
            raise self.broken[method]

    @contextmanager
    def lock(self, key):
        self._use("lock")
        lock = self._locks.setdefault(key, threading.Lock())
        if not lock.acquire(blocking=False):
            raise TimeoutError("another one holds the lock")
        try:
            yield
        finally:
            lock.release()
            self._use("unlock")

    def load(self, key):
        self._use("load")
        return self.entries.get(key)

    def save(self, key, entry, ttl):
        if self.broken.get("save") is OSError:
            raise OSError(f"no room for {entry}")
        self._use("save")
        self.entries[key] = entry

    def clear(self, key):
        self._use("clear")
        self.entries.pop(key, None)
