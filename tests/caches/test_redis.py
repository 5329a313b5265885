"""RedisTokenCache: entries live as long as their tokens, leases as long as their holders."""

import _thread
import copy
import pickle
import time
from contextlib import ExitStack
from unittest.mock import Mock

import pytest
import redis
import trustme
from redis.sentinel import Sentinel as Sentinels

from requests_thingspace import RedisTokenCache

from ..threads import in_threads
from .redis_server import RIGHTS, RedisServer, Sentinel, free_port
from .shelf import ENTRY, KEY, fetching, get, get_anew, refused, told


@pytest.fixture
def cache(redis_server):
    """A cache in an empty Redis."""
    return RedisTokenCache(redis_server.url)


def told_to(*command):
    """What happens to a server that is given a command."""
    return lambda server: server.command(*command)


TROUBLES = {
    "down": (RedisServer.stop, RedisServer.start),
    "read-only": (told_to("REPLICAOF", "127.0.0.1", 1), told_to("REPLICAOF", "NO", "ONE")),
    "full": (told_to("CONFIG", "SET", "maxmemory", 1), told_to("CONFIG", "SET", "maxmemory", 0)),
}


@pytest.mark.parametrize("trouble", TROUBLES)
def test_what_ails_redis_is_told_once(outlive, trouble):
    """While it is down, a replica that can be read but not written to, or out of memory."""
    breaks, mends = TROUBLES[trouble]
    with RedisServer() as server:
        outlive(RedisTokenCache(server.url), lambda: breaks(server), lambda: mends(server))


def test_a_hanging_redis_is_given_up(sandbox, caplog):
    """A server that is stopped and a client that waits for a moment: the token is there soon after."""
    with RedisServer() as server, redis.Redis.from_url(server.url, socket_timeout=0.3, retry=None) as client:
        server.suspend()
        assert sandbox.auth(cache=RedisTokenCache(client)).get_token().value
    assert told(caplog) == ["WARNING"]


def test_what_redis_has_lost_is_fetched_and_saved_again(sandbox, caplog):
    """Who holds a token goes on with it; a connection that a restart has cut is no trouble."""
    with RedisServer() as server:
        cache = RedisTokenCache(server.url)
        session = sandbox.session(cache=cache)
        assert get(sandbox, session) == 200
        server.stop()
        server.start()
        assert [get(sandbox, one) for one in (session, sandbox.session(cache=cache))] == [200, 200]
        assert sandbox.calls["token"] == 2
        assert get_anew(sandbox, session) == {200}
    assert told(caplog) == []


@pytest.mark.parametrize("passes", [False, True])
def test_a_lease_that_is_lost_in_mid_fetch(cache, sandbox, redis_server, caplog, passes):
    """No trouble, unless another has taken it: what that one saved is not overwritten, which is told."""
    auth = sandbox.auth(cache=cache)
    key = auth.cache_keys["bearer"]
    with fetching(sandbox, auth):
        redis_server.empty()
        if passes:
            redis_server.command("SET", f"thingspace:{{{key}}}:lock", "another")
            cache.save(key, ENTRY, 60)
    if passes:
        assert cache.load(key) == ENTRY
        assert "passed to another" in caplog.text
    else:
        assert sandbox.auth(cache=cache).get_token() == auth.get_token()
        assert (sandbox.calls["token"], told(caplog)) == (1, [])


class Stutters(redis.Redis):
    """A client whose answers are lost once, so that each script is sent again."""

    def eval(self, *arguments):
        super().eval(*arguments)
        return super().eval(*arguments)


def test_an_answer_is_lost(cache, sandbox, redis_server, caplog):
    """A lock whose answer was lost is asked for again and recognised; so are a save and an unlock."""
    with Stutters.from_url(redis_server.url) as client:
        stuttering = RedisTokenCache(client)
        for _ in range(2):
            with stuttering.lock(KEY):
                pass
        token = sandbox.auth(cache=stuttering).get_token()
    assert sandbox.auth(cache=cache).get_token() == token
    assert (sandbox.calls["token"], told(caplog)) == (1, [])


def test_an_entry_lives_as_long_as_its_token(sandbox, cache, redis_server):
    """Redis drops a token when it expires, the notice for waiters soon, and a refused login after weeks."""
    sandbox.advance(600)
    user = sandbox.auth(cache=cache, password="wrong")
    user.get_token()
    name, notice = sorted(redis_server.command("KEYS", "*"))
    assert 3500 < redis_server.command("TTL", name) <= 4200
    assert 0 < redis_server.command("TTL", notice) <= 10
    refused(user)
    name = name.replace(user.cache_keys["bearer"], user.cache_keys["session"])
    assert redis_server.command("TTL", name) > 29 * 86400


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


def test_no_thread_can_be_started(cache, redis_server, monkeypatch):
    """The lease is not prolonged then, and given up as usual."""
    monkeypatch.setattr(_thread, "start_new_thread", Mock(side_effect=RuntimeError("no more threads")))
    with cache.lock(KEY):
        pass
    assert redis_server.command("KEYS", "*:lock") == []


def test_what_it_is_made_with(redis_server):
    """A client cannot be pickled, which is said, and is shared by copies; a URL may hold a password."""
    with redis.Redis.from_url(redis_server.url) as client:
        cache = RedisTokenCache(client)
        cache.save(KEY, ENTRY, 60)
        with pytest.raises(TypeError, match="made with a URL"):
            pickle.dumps(cache)
        assert [twin.load(KEY) for twin in (copy.copy(cache), copy.deepcopy(cache))] == [ENTRY, ENTRY]
    assert repr(RedisTokenCache("redis://user:the-word@127.0.0.1:1/0")) == "<RedisTokenCache 'thingspace:'>"
    with pytest.raises(ValueError, match="scheme"):
        RedisTokenCache("localhost:6379")
    with pytest.raises(redis.ConnectionError):  # by TLS, which takes all settings of ours
        RedisTokenCache("rediss://127.0.0.1:1").load(KEY)


def test_a_connection_is_made_by_few_commands(cache, redis_server):
    """A client of a URL sends no HELLO and no name: one command to look is one command in all."""
    with redis_server.client() as client:
        client.config_resetstat()
        cache.load(KEY)
        ran = {name.removeprefix("cmdstat_") for name in client.info("commandstats")}
    assert ran <= {"get", "config|resetstat", "config", "info"}


@pytest.mark.slow
def test_failover_in_mid_fetch(sandbox, beside):
    """A server that dies while a token is fetched fails nobody, and its successor has the next token."""
    with RedisServer(tcp=True) as server:
        follower = ("--replicaof", "127.0.0.1", server.port, "--replica-announce-ip", "127.0.0.1")
        with RedisServer(*follower, tcp=True) as replica:
            replica.until("sync: Finished with success")
            with Sentinel(server) as sentinel:
                finder = Sentinels([("127.0.0.1", sentinel.port)], socket_timeout=1)
                cache = RedisTokenCache(finder.master_for("tokens", socket_timeout=1), lease=2.0)
                sessions = [sandbox.session(cache=cache) for _ in range(6)]
                sandbox.slow("token", 0.5)
                dying = beside(lambda: sandbox.wait_for_calls("token", 1) and server.stop())
                pending = sessions[:4]
                assert in_threads(4, lambda: get(sandbox, pending.pop())) == [200] * 4
                dying.result()
                sentinel.until("+switch-master")
                sandbox.slow("token", 0)
                sandbox.advance(3601)
                before = sandbox.calls["token"]
                assert [get(sandbox, session) for session in sessions] == [200] * 6
                assert sandbox.calls["token"] == before + 1
                for client in (cache._client, *finder.sentinels):
                    client.close()


def test_an_entry_is_evicted(sandbox, caplog):
    """A Redis that drops entries for want of memory costs a token call, no API call, and is not told of."""
    with RedisServer("--maxmemory-policy", "allkeys-lru") as server:
        sessions = [sandbox.session(cache=RedisTokenCache(server.url)) for _ in range(2)]
        assert get(sandbox, sessions[0]) == 200
        for memory in (1, 0):
            server.command("CONFIG", "SET", "maxmemory", memory)
        assert server.command("KEYS", "*") == []
        assert [get(sandbox, session) for session in sessions] == [200, 200]
    assert (sandbox.calls["token"], told(caplog)) == (2, [])


@pytest.mark.slow
def test_tls_and_a_user_of_few_rights(sandbox, tmp_path, caplog):
    """A server that speaks TLS alone, and a user with a password who may do just what the page lists."""
    authority, port = trustme.CA(), free_port()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(tmp_path / "server.pem")
    files = {"cert": "server.pem", "key": "server.pem", "ca-cert": "ca.pem"}
    options = [word for name in files for word in (f"--tls-{name}-file", tmp_path / files[name])]
    with ExitStack() as stack:
        try:
            server = stack.enter_context(
                RedisServer("--tls-port", port, "--tls-auth-clients", "no", *options)
            )
        except AssertionError:
            pytest.skip("this redis-server was built without TLS")
        stack.enter_context(server.user(*RIGHTS))
        url = f"rediss://tokens:word@127.0.0.1:{port}/0?ssl_ca_certs={tmp_path / 'ca.pem'}"
        assert [get(sandbox, sandbox.session(cache=RedisTokenCache(url))) for _ in range(3)] == [200] * 3
    assert (sandbox.calls["token"], told(caplog)) == (1, [])
