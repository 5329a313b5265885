"""Nobody queues: who waits for another process leaves as soon as there is a token, at a bounded cost."""

import threading
import time
from contextlib import ExitStack
from typing import ClassVar

import pytest
import redis

from requests_thingspace import FileTokenCache, RedisTokenCache

from ..threads import in_threads
from .shelf import fetching

WAITERS = 64


class Watched:
    """A part of a cache that notes when an entry is saved, and what is done with the lock."""

    saved: ClassVar = []
    locked: ClassVar = []

    def save(self, key, entry, ttl):
        super().save(key, entry, ttl)
        self.saved.append(time.monotonic())

    def _save_locked(self, lock, key, entry, ttl):
        super()._save_locked(lock, key, entry, ttl)
        self.saved.append(time.monotonic())

    def _load_locked(self, lock, key):
        self.locked.append(time.monotonic())
        return super()._load_locked(lock, key)


class WatchedFile(Watched, FileTokenCache):
    """A file."""


class WatchedRedis(Watched, RedisTokenCache):
    """A Redis."""


@pytest.fixture(params=["file", "redis"])
def make_cache(request, tmp_path):
    """A function that makes a cache object of its own for each waiter, on one storage."""
    Watched.saved.clear()
    Watched.locked.clear()
    with ExitStack() as clients:

        def make_cache():
            if request.param == "file":
                return WatchedFile(tmp_path / "tokens" / "tokens.json")
            cache = WatchedRedis(request.getfixturevalue("redis_server").url)
            clients.callback(cache._client.close)
            return cache

        yield make_cache


def seconds_to_wake():
    """How long this machine takes, at the moment, to wake as many threads as wait in the test."""
    go, woken, ready = threading.Event(), [], threading.Barrier(WAITERS + 1)

    def wait():
        ready.wait()
        go.wait()
        woken.append(time.monotonic())

    threads = [threading.Thread(target=wait) for _ in range(WAITERS)]
    for thread in threads:
        thread.start()
    ready.wait()
    started = time.monotonic()
    go.set()
    for thread in threads:
        thread.join()
    return max(woken) - started


@pytest.mark.slow
def test_all_leave_soon_after_the_save(sandbox, make_cache):
    """A fetch lasts 2 s while 64 wait: all have the token 100 ms after the save, without a queue."""
    auths = iter([sandbox.auth(cache=make_cache(), username=None, password=None) for _ in range(WAITERS)])
    sandbox.slow("token", 2.0)

    def get_token():
        token = next(auths).get_token()
        return token.value, time.monotonic()

    left = in_threads(WAITERS, get_token)
    last = max(at for _, at in left) - max(Watched.saved)
    assert len({value for value, _ in left}) == 1
    assert sandbox.calls["token"] == 1
    # Whoever looked just before the save and tried the lock just after it has both, for a moment.
    assert len(Watched.locked) <= WAITERS // 2
    assert last < 0.1 + 20 * seconds_to_wake()


class Counting(redis.UnixDomainSocketConnection):
    """A connection that counts the commands that it sends, those of its own set-up too."""

    sent: ClassVar = []

    def send_packed_command(self, command, check_health=True):
        Counting.sent.append(b"".join([command] if isinstance(command, (bytes, str)) else command)[:20])
        return super().send_packed_command(command, check_health)


@pytest.fixture
def counted(redis_server):
    """A cache that counts its commands."""
    Counting.sent.clear()
    path = redis_server.url.removeprefix("unix://")
    pool = redis.ConnectionPool(connection_class=Counting, path=path, protocol=2)
    with redis.Redis(connection_pool=pool) as client:
        client.ping()
        Counting.sent.clear()
        yield RedisTokenCache(client)
    pool.disconnect()


def test_commands_of_a_renewal(sandbox, counted):
    """A cold start, an expiry and a rejection cost three commands each, a usable token costs one."""
    auth = sandbox.auth(cache=counted, username=None, password=None)
    for renew in (lambda: None, lambda: sandbox.advance(3601), sandbox.revoke_tokens):
        renew()
        Counting.sent.clear()
        auth.get_token()
        if renew != sandbox.revoke_tokens:
            assert len(Counting.sent) == 3
    Counting.sent.clear()
    sandbox.auth(cache=counted, username=None, password=None).get_token()
    assert len(Counting.sent) == 1


@pytest.mark.slow
def test_commands_while_waiting(sandbox, counted, redis_server):
    """Who waits 3 s for another process sends at most 3 commands a second, and 4 around it."""
    holder = RedisTokenCache(redis_server.url)
    auth, other = (sandbox.auth(cache=cache, username=None, password=None) for cache in (holder, counted))
    with fetching(sandbox, auth, 3.0):
        Counting.sent.clear()
        started = time.monotonic()
        other.get_token()
    assert len(Counting.sent) <= 4 + 3 * (time.monotonic() - started)
    assert sandbox.calls["token"] == 1


@pytest.mark.parametrize("forbidden", ["xread", "nothing"])
def test_a_redis_without_notices(sandbox, redis_server, forbidden):
    """An ACL that forbids XREAD, and a client that is impatient, make the waiters poll."""
    rights = ["~thingspace:*", "+@all", f"-{forbidden}" if forbidden != "nothing" else "+@all"]
    with redis_server.user(*rights, socket_timeout=0.3) as client:
        caches = RedisTokenCache(redis_server.url), RedisTokenCache(client)
        holder, waiter = (sandbox.auth(cache=cache, username=None, password=None) for cache in caches)
        with fetching(sandbox, holder, 1.0):
            token = waiter.get_token()
        assert token.value == holder.get_token().value
    assert sandbox.calls["token"] == 1
