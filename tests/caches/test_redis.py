"""RedisTokenCache: entries live as long as their tokens, leases as long as their holders."""

import copy
import pickle
import threading

import pytest
import redis

from requests_thingspace import RedisTokenCache

from .redis_server import RedisServer

KEY = "0" * 64
ENTRY = {"access_token": "a-token"}


@pytest.fixture
def cache(redis_server):
    """A cache in an empty Redis."""
    return RedisTokenCache(redis_server.url)


@pytest.fixture
def client(redis_server):
    """A client that looks at what the cache does."""
    with redis_server.client() as client:
        yield client


@pytest.fixture
def restartable():
    """A redis-server of this test's own."""
    with RedisServer() as server:
        yield server


def told(caplog):
    """The level of each record about the cache."""
    return [r.levelname for r in caplog.records if "the token cache" in r.getMessage()]


def get(sandbox, session):
    """The statuses of API calls with a token that has just expired."""
    sandbox.advance(3601)
    url = f"{sandbox.origin}/api/m2m/v1/accounts/{sandbox.account}"
    return {session.get(url).status_code for _ in range(3)}


def test_redis_goes_and_comes_back(connect, sandbox, restartable, caplog):
    """While Redis is down every API call is 200, with one warning; one line tells that it is back."""
    session = connect(cache=RedisTokenCache(restartable.url))
    assert get(sandbox, session) == {200}
    for _ in range(2):
        restartable.stop()
        assert [get(sandbox, session) for _ in range(2)] == [{200}, {200}]
        restartable.start()
        assert [get(sandbox, session) for _ in range(2)] == [{200}, {200}]
    assert told(caplog) == ["WARNING", "INFO"] * 2


def test_redis_is_restarted_between_two_calls(connect, sandbox, restartable, caplog):
    """A connection that a restart has cut is no trouble, and an empty Redis is filled again."""
    cache = RedisTokenCache(restartable.url)
    session = connect(cache=cache)
    assert get(sandbox, session) == {200}
    restartable.stop()
    restartable.start()
    assert get(sandbox, session) == {200}
    assert get(sandbox, connect(cache=cache)) == {200}
    assert told(caplog) == []


def test_redis_is_flushed(connect, sandbox, redis_server, cache, caplog):
    """What Redis has lost is fetched and saved again; who holds a token goes on with it."""
    session, url = connect(cache=cache), f"{sandbox.origin}/api/m2m/v1/accounts/{sandbox.account}"
    assert session.get(url).status_code == 200
    redis_server.empty()
    assert session.get(url).status_code == 200
    assert connect(cache=cache).get(url).status_code == 200
    assert sandbox.calls["token"] == 2
    assert told(caplog) == []


def test_redis_is_flushed_in_mid_fetch(cache, sandbox, redis_server, caplog):
    """A lease that is lost while its holder fetches is told of, and the token is there all the same."""
    auth = sandbox.auth(cache=cache, username=None, password=None)
    sandbox.slow("token", 0.5)
    fetching = threading.Thread(target=auth.get_token)
    fetching.start()
    assert sandbox.wait_for_calls("token", 1)
    redis_server.empty()
    fetching.join()
    assert sandbox.auth(cache=cache).get_token() == auth.get_token()
    assert told(caplog) == ["WARNING"]


def test_redis_is_read_only(connect, sandbox, cache, client, caplog):
    """A replica can be read and not written to: all is well until the token expires, and then too."""
    session = connect(cache=cache)
    assert get(sandbox, session) == {200}
    client.replicaof("127.0.0.1", 1)
    try:
        assert [get(sandbox, session) for _ in range(3)] == [{200}] * 3
    finally:
        client.replicaof("NO", "ONE")
    assert told(caplog) == ["WARNING"]
    assert [get(sandbox, session) for _ in range(2)] == [{200}] * 2
    assert told(caplog) == ["WARNING", "INFO"]


@pytest.mark.parametrize("content", ["", "garbage", '["list"]', "[" * 100_000, b"\xff\xfe"])
def test_garbage_is_replaced(sandbox, cache, client, caplog, content):
    """What is no entry is told of and written over, and is not quoted."""
    sandbox.auth(cache=cache).get_token()
    (name,) = client.keys()
    client.set(name, content)
    token = sandbox.auth(cache=cache).get_token()
    assert sandbox.auth(cache=cache).get_token() == token
    assert sandbox.calls["token"] == 2
    assert told(caplog) == ["WARNING", "INFO"]


def test_an_entry_lives_as_long_as_its_token(sandbox, cache, client):
    """Redis drops a token when it expires, and leaves nothing else behind."""
    sandbox.advance(600)
    sandbox.auth(cache=cache, username=None, password=None).get_token()
    (name,) = client.keys()
    assert 3500 < client.ttl(name) <= 4200


def test_two_prefixes_are_apart(redis_server, client):
    """A prefix of one's own is a cache of one's own; both keys of a token share a hash tag."""
    mine, theirs = (RedisTokenCache(redis_server.url, prefix) for prefix in ("mine:", "theirs:"))
    with mine.lock(KEY), theirs.lock(KEY):
        mine.save(KEY, ENTRY, 60)
        assert theirs.load(KEY) is None
        assert sorted(client.keys("mine:*")) == [f"mine:{{{KEY}}}", f"mine:{{{KEY}}}:lock"]


@pytest.mark.slow
def test_the_lease_is_prolonged_while_it_is_held(redis_server):
    """A fetch may take much longer than the lease."""
    holder = RedisTokenCache(redis_server.url, lease=0.5)
    rival = RedisTokenCache(redis_server.url, lock_timeout=1.2)
    with holder.lock(KEY), pytest.raises(TimeoutError, match="others held the lock"), rival.lock(KEY):
        pass
    with rival.lock(KEY):
        pass


def test_a_hanging_redis_is_given_up(redis_server, sandbox, caplog):
    """A server that is stopped and a client that waits for half a second: the token is there soon after."""
    with RedisServer() as hanging:
        client = redis.Redis.from_url(hanging.url, socket_timeout=0.3, retry=None)
        hanging.suspend()
        assert sandbox.auth(cache=RedisTokenCache(client)).get_token().value
        client.close()
    assert told(caplog) == ["WARNING"]


def test_a_cache_with_a_url_travels(cache):
    """It can be pickled, and finds its Redis again."""
    cache.save(KEY, ENTRY, 60)
    assert pickle.loads(pickle.dumps(cache)).load(KEY) == ENTRY


def test_a_cache_with_a_client_stays(redis_server):
    """A client has connections and cannot be pickled, which is said; copies share it."""
    with redis.Redis.from_url(redis_server.url) as client:
        cache = RedisTokenCache(client)
        cache.save(KEY, ENTRY, 60)
        with pytest.raises(TypeError, match="made with a URL"):
            pickle.dumps(cache)
        assert [twin.load(KEY) for twin in (copy.copy(cache), copy.deepcopy(cache))] == [ENTRY, ENTRY]


def test_a_url_that_is_none():
    """What is no URL of Redis is refused when the cache is made."""
    with pytest.raises(ValueError, match="scheme"):
        RedisTokenCache("localhost:6379")


def test_it_tells_no_password():
    """A URL may hold one; the repr shows the prefix alone."""
    cache = RedisTokenCache("redis://user:the-word@127.0.0.1:1/0")
    assert repr(cache) == "<RedisTokenCache 'thingspace:'>"
