"""What dies at any moment of a renewal: nobody fails while ThingSpace answers, nor waits for long."""

import copy
import pickle
import signal
import time
from functools import partial

import keyring
import pytest
import redis

from requests_thingspace import RedisTokenCache

from ..children import Child
from ..threads import in_threads
from .redis_server import RedisServer
from .shelf import ENTRY, KEY, CacheMoments, Shelf, told

SECONDS = 4  # two more than a lease lasts
PARTS = pytest.mark.parametrize("part", range(1, 7))


def moment_of(auth, part):
    """The moment at which so many sevenths of what the cache does in a renewal are over."""
    for _ in range(2):  # the first one has more to do
        with CacheMoments() as moments:
            auth.get_token()
        auth.reset()
    return moments.count * part // 7


def get_together(works):
    """Let all get their token at once, which is the same, and soon there."""
    started = time.monotonic()
    assert len(set(in_threads(len(works), lambda: works.pop()().value))) == 1
    assert time.monotonic() - started < SECONDS


def die(auth, part):
    """Be killed in mid-renewal."""
    with CacheMoments(moment_of(auth, part), lambda: signal.raise_signal(signal.SIGKILL)):
        auth.get_token()


@pytest.mark.slow
@PARTS
def test_the_holder_is_killed(sandbox, bare, make_cache, part):
    """Whenever a process is killed, the others have a token within its lease, and fetch once at most."""
    child = Child(die, bare(cache=make_cache()), part)
    child.process.join(60)
    assert child.process.exitcode == -signal.SIGKILL
    before = sandbox.calls["token"]
    get_together([bare(cache=make_cache()).get_token for _ in range(8)])
    assert sandbox.calls["token"] <= before + 1


@pytest.mark.slow
@PARTS
def test_redis_is_killed(sandbox, bare, part):
    """Whenever Redis is killed, the one that renews and those that wait for it have a token at once."""
    with RedisServer() as server:
        holder, *waiters = (bare(cache=RedisTokenCache(server.url)) for _ in range(5))
        at, fetches = moment_of(holder, part), sandbox.calls["token"] + 1
        sandbox.slow("token", 0.3)

        def hold():
            with CacheMoments(at, server.stop):
                return holder.get_token()

        def wait(auth):
            sandbox.wait_for_calls("token", fetches)
            return auth.get_token()

        get_together([hold, *[partial(wait, auth) for auth in waiters]])
        with pytest.raises(redis.ConnectionError):
            server.command("PING")


@pytest.fixture
def scribbled(request, sandbox, make_cache):
    """A cache, and a function that writes something in place of all that it holds."""
    cache, key = make_cache(), sandbox.auth().cache_keys["bearer"]
    if isinstance(cache, Shelf):
        return cache, lambda content: cache.entries.update({key: content})
    if isinstance(cache, RedisTokenCache):
        server = request.getfixturevalue("redis_server")
        return cache, lambda content: server.command("SET", f"{cache.prefix}{{{key}}}", content)
    if hasattr(cache, "path"):
        return cache, cache.path.write_bytes
    return cache, lambda content: keyring.set_password(cache.service, key, content.decode("latin1"))


ALL_KINDS = pytest.mark.parametrize("make_cache", ["shelf", "file", "keyring", "redis"], indirect=True)


@ALL_KINDS
@pytest.mark.parametrize(
    "content",
    [b"", b'{"', b"\xff\xfe\0garbage", b"[1]", b"{}", b'{"k": 3}', b"[" * 100_000, b" " * (2**20 + 1)],
    ids=range(8),
)
def test_garbage_is_replaced(sandbox, scribbled, caplog, content):
    """What is no entry is told of once, not quoted, and written over by the next fetch."""
    cache, scribble = scribbled
    auths = [sandbox.auth(cache=cache) for _ in range(3)]
    auths[0].get_token()
    scribble(content)
    assert auths[1].get_token() == auths[2].get_token()
    assert sandbox.calls["token"] == 2
    assert told(caplog) in (["WARNING", "INFO"], [])  # {} is a file without entries


@pytest.mark.parametrize("make_cache", ["file", "keyring", "redis"], indirect=True)
@pytest.mark.parametrize("journey", [copy.copy, copy.deepcopy, lambda it: pickle.loads(pickle.dumps(it))])
def test_it_travels(make_cache, journey):
    """Copies and pickles find the same entries, and tell where they are."""
    cache = make_cache()
    cache.save(KEY, ENTRY, 60)
    assert journey(cache).load(KEY) == ENTRY
    assert repr(journey(cache)) == repr(cache)
