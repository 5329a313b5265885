"""RedisTokenCache: entries live as long as their tokens, leases as long as their holders."""

import _thread
import copy
import pickle
import time
from contextlib import ExitStack

import pytest
import redis
import trustme
from redis.sentinel import Sentinel as Sentinels

from requests_thingspace import RedisTokenCache

from ..threads import in_threads
from .redis_server import RedisServer, Sentinel, free_port
from .shelf import ENTRY, KEY, fetching, get, get_anew, told

RIGHTS = ["~thingspace:*", "+get", "+set", "+del", "+eval", "+pexpire", "+xadd", "+xread"]
"""What the page about fleets lists."""


@pytest.fixture
def cache(redis_server):
    """A cache in an empty Redis."""
    cache = RedisTokenCache(redis_server.url)
    yield cache
    cache._client.close()


@pytest.fixture
def client(redis_server):
    """A client that looks at what the cache does."""
    with redis_server.client() as client:
        yield client


def test_redis_goes_and_comes_back(connect, sandbox, caplog):
    """While Redis is down every API call is 200, with one warning; one line tells that it is back."""
    with RedisServer() as server:
        session = connect(cache=RedisTokenCache(server.url))
        assert get_anew(sandbox, session) == {200}
        for _ in range(2):
            for happens in (server.stop, server.start):
                happens()
                assert [get_anew(sandbox, session) for _ in range(2)] == [{200}, {200}]
    assert told(caplog) == ["WARNING", "INFO"] * 2


@pytest.mark.parametrize("trouble", ["restart", "flush"])
def test_what_redis_has_lost_is_fetched_and_saved_again(connect, sandbox, caplog, trouble):
    """Who holds a token goes on with it; a connection that a restart has cut is no trouble."""
    with RedisServer() as server:
        cache = RedisTokenCache(server.url)
        session = connect(cache=cache)
        assert get(sandbox, session) == 200
        if trouble == "flush":
            server.empty()
        else:
            server.stop()
            server.start()
        assert [get(sandbox, one) for one in (session, connect(cache=cache))] == [200, 200]
        assert sandbox.calls["token"] == 2
        assert get_anew(sandbox, session) == {200}
    assert told(caplog) == []


def test_redis_is_flushed_in_mid_fetch(cache, sandbox, redis_server, caplog):
    """A lease that is lost while its holder fetches is no trouble as long as nobody else has taken it."""
    auth = sandbox.auth(cache=cache)
    with fetching(sandbox, auth):
        redis_server.empty()
    assert sandbox.auth(cache=cache).get_token() == auth.get_token()
    assert told(caplog) == []


def test_redis_is_read_only(connect, sandbox, cache, client, caplog):
    """A replica can be read and not written to: all is well until the token expires, and then too."""
    session = connect(cache=cache)
    assert get_anew(sandbox, session) == {200}
    for master, levels in [(("127.0.0.1", 1), ["WARNING"]), (("NO", "ONE"), ["WARNING", "INFO"])]:
        client.replicaof(*master)
        assert [get_anew(sandbox, session) for _ in range(3)] == [{200}] * 3
        assert told(caplog) == levels


def test_an_entry_lives_as_long_as_its_token(sandbox, cache, client):
    """Redis drops a token when it expires, the notice for those who wait soon, and keeps nothing else."""
    sandbox.advance(600)
    sandbox.auth(cache=cache).get_token()
    name, notice = sorted(client.keys())
    assert 3500 < client.ttl(name) <= 4200
    assert 0 < client.ttl(notice) <= 10


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
    rival, until = RedisTokenCache(redis_server.url), time.monotonic() + 1.2
    with holder.lock(KEY):
        wait = rival.watch(KEY)
        while time.monotonic() < until:
            assert not wait(0.05)
            with pytest.raises(BlockingIOError, match="another process"), rival.lock(KEY):
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


def test_a_cache_with_a_client_stays(redis_server):
    """A client has connections and cannot be pickled, which is said; copies share it."""
    with redis.Redis.from_url(redis_server.url) as client:
        cache = RedisTokenCache(client)
        cache.save(KEY, ENTRY, 60)
        with pytest.raises(TypeError, match="made with a URL"):
            pickle.dumps(cache)
        assert [twin.load(KEY) for twin in (copy.copy(cache), copy.deepcopy(cache))] == [ENTRY, ENTRY]


def test_a_url():
    """A URL may hold a password, so the repr shows the prefix alone; what is no URL of Redis is refused."""
    cache = RedisTokenCache("redis://user:the-word@127.0.0.1:1/0")
    assert repr(cache) == "<RedisTokenCache 'thingspace:'>"
    with pytest.raises(ValueError, match="scheme"):
        RedisTokenCache("localhost:6379")


def test_no_thread_can_be_started(cache, client, monkeypatch):
    """The lease is not prolonged then, and given up as usual."""

    def refuse(*_):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(_thread, "start_new_thread", refuse)
    with cache.lock(KEY):
        pass
    assert client.keys("*:lock") == []


def test_an_answer_is_lost(cache):
    """A lock whose answer was lost is asked for again and recognised; so are a save and an unlock."""
    run = cache._client.eval

    def run_twice(*arguments):
        run(*arguments)
        return run(*arguments)

    cache._client.eval = run_twice
    started = time.monotonic()
    with cache.lock(KEY):
        pass
    with cache.lock(KEY) as lock:
        cache._save_under(lock, KEY, {"v": 1}, 60)
    assert time.monotonic() - started < 2
    assert cache.load(KEY) == {"v": 1}


def test_a_lease_that_passed_to_another(cache, client):
    """A holder that was asleep for too long does not overwrite what the next one saved, and says so."""
    with cache.lock(KEY) as lock:
        client.set(next(iter(client.keys("*:lock"))), "another")
        cache.save(KEY, {"v": 1, "new": True}, 60)
        with pytest.raises(OSError, match="passed to another"):
            cache._save_under(lock, KEY, {"v": 1, "new": False}, 60)
    assert cache.load(KEY)["new"]


@pytest.mark.slow
def test_failover_in_mid_fetch(sandbox, connect, beside):
    """A server that dies while a token is fetched fails nobody, and its successor has the next token."""
    with RedisServer(tcp=True) as server:
        follower = ("--replicaof", "127.0.0.1", server.port, "--replica-announce-ip", "127.0.0.1")
        with RedisServer(*follower, tcp=True) as replica, Sentinel(server) as sentinel:
            replica.until("sync: Finished with success")
            sentinel.until("+slave slave")
            finder = Sentinels([("127.0.0.1", sentinel.port)], socket_timeout=1)
            cache = RedisTokenCache(finder.master_for("tokens", socket_timeout=1), lease=2.0)
            sessions = [connect(cache=cache) for _ in range(4)]
            sandbox.slow("token", 0.5)
            dying = beside(lambda: sandbox.wait_for_calls("token", 1) and server.stop())
            pending = list(sessions)
            assert in_threads(4, lambda: get(sandbox, pending.pop())) == [200] * 4
            dying.result()
            sentinel.until("+switch-master")
            sandbox.slow("token", 0)
            sandbox.advance(3601)
            before = sandbox.calls["token"]
            sessions += [connect(cache=cache) for _ in range(2)]
            assert [get(sandbox, session) for session in sessions] == [200] * 6
            assert sandbox.calls["token"] == before + 1
            for client in (cache._client, *finder.sentinels):
                client.close()


@pytest.mark.parametrize(("policy", "warnings"), [("noeviction", 1), ("allkeys-lru", 0)])
def test_memory_is_full(sandbox, connect, caplog, policy, warnings):
    """A Redis that takes nothing any more is told of, one that drops entries is not; every call is 200."""
    with RedisServer("--maxmemory", "1", "--maxmemory-policy", policy) as full:
        cache = RedisTokenCache(full.url)
        sessions = [connect(cache=cache) for _ in range(2)]
        for _ in range(2):
            sandbox.advance(3601)
            assert [get(sandbox, session) for session in sessions] == [200, 200]
        cache._client.close()
    assert told(caplog).count("WARNING") >= warnings
    assert set(told(caplog)) <= {"WARNING"}


def test_a_connection_is_made_by_few_commands(cache, client):
    """A client of a URL sends no HELLO and no name: one command to look is one command in all."""
    client.config_resetstat()
    cache.load(KEY)
    ran = {name.removeprefix("cmdstat_") for name in client.info("commandstats")}
    assert ran <= {"get", "config|resetstat", "config", "info"}


@pytest.mark.slow
def test_tls_and_a_user_of_few_rights(sandbox, connect, tmp_path, caplog):
    """A server that speaks TLS alone, and a user with a password who may do just what the page lists."""
    authority, port = trustme.CA(), free_port()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(tmp_path / "server.pem")
    files = {"cert": "server.pem", "key": "server.pem", "ca-cert": "ca.pem"}
    options = [word for name in files for word in (f"--tls-{name}-file", tmp_path / files[name])]
    with ExitStack() as stack:
        try:
            server = RedisServer("--tls-port", port, "--tls-auth-clients", "no", *options)
            stack.enter_context(server)
        except AssertionError:
            pytest.skip("this redis-server was built without TLS")
        stack.enter_context(server.user(*RIGHTS))
        url = f"rediss://tokens:word@127.0.0.1:{port}/0?ssl_ca_certs={tmp_path / 'ca.pem'}"
        assert [get(sandbox, connect(cache=RedisTokenCache(url))) for _ in range(3)] == [200] * 3
    assert (sandbox.calls["token"], told(caplog)) == (1, [])
