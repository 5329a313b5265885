"""Nobody queues: who waits for another process leaves as soon as there is a token, at a bounded cost."""

import time

import pytest
import redis

from requests_thingspace import RedisTokenCache

from ..threads import in_threads
from .shelf import fetching, told

WAITERS = 64


def seconds_to_wake():
    """How long this machine takes, at the moment, to wake as many threads as wait in the test."""
    woken = in_threads(WAITERS, time.monotonic)
    return max(woken) - min(woken)


@pytest.mark.slow
def test_all_leave_soon_after_the_save(sandbox, make_cache):
    """A fetch lasts 2 s while 64 wait: all have the token soon after the first of them, without a queue."""
    under_lock = []

    def watched(cache):
        load_under = cache._load_under

        def load(lock, key):
            if lock is not None:
                under_lock.append(key)
            return load_under(lock, key)

        cache._load_under = load
        return cache

    auths = [sandbox.auth(cache=watched(make_cache())) for _ in range(WAITERS)]
    sandbox.slow("token", 2.0)
    left = in_threads(WAITERS, lambda: (auths.pop().get_token().value, time.monotonic()))
    values, times = zip(*left)
    assert len(set(values)) == 1
    assert sandbox.calls["token"] == 1
    # Whoever looked just before the save and tried the lock just after it has both, for a moment.
    assert len(under_lock) <= WAITERS // 2
    assert max(times) - min(times) < 0.25 + 20 * seconds_to_wake()


@pytest.fixture
def counting(redis_server):
    """A client that counts its commands."""

    class Counting(redis.Redis):
        sent = 0

        def execute_command(self, *words, **options):
            self.sent += 1
            return super().execute_command(*words, **options)

    with Counting.from_url(redis_server.url) as client:
        yield client


def test_commands_of_a_renewal(sandbox, echo, counting):
    """A cold start, an expiry and a rejection cost three commands each, a usable token costs one."""
    arguments = {"cache": RedisTokenCache(counting), "username": None, "password": None}
    session = sandbox.session(**arguments)
    for happens in (lambda: None, lambda: sandbox.advance(3601), sandbox.revoke_tokens):
        happens()
        counting.sent = 0
        assert session.get(echo).status_code == 200
        assert counting.sent == 3
    counting.sent = 0
    sandbox.auth(**arguments).get_token()
    assert counting.sent == 1


@pytest.mark.slow
def test_commands_while_waiting(sandbox, counting, redis_server):
    """Who waits 3 s for another process sends at most 3 commands a second, and 4 around it."""
    holder, waiter = (sandbox.auth(cache=RedisTokenCache(to)) for to in (redis_server.url, counting))
    with fetching(sandbox, holder, 3.0):
        started = time.monotonic()
        waiter.get_token()
    assert counting.sent <= 4 + 3 * (time.monotonic() - started)
    assert sandbox.calls["token"] == 1


@pytest.mark.parametrize("error", [redis.exceptions.NoPermissionError, redis.TimeoutError])
def test_a_redis_without_notices(sandbox, redis_server, caplog, error):
    """An ACL that forbids XREAD, and a proxy that leaves it unanswered, make the waiters poll."""

    class WithoutXread(redis.Redis):
        def execute_command(self, *words, **options):
            if words[0] == "XREAD":
                raise error
            return super().execute_command(*words, **options)

    with WithoutXread.from_url(redis_server.url) as client:
        holder, waiter = (sandbox.auth(cache=RedisTokenCache(to)) for to in (redis_server.url, client))
        with fetching(sandbox, holder, 1.0):
            token = waiter.get_token()
    assert token == holder.get_token()
    assert (sandbox.calls["token"], told(caplog)) == (1, [])
