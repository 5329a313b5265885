"""One redis-server, a keyring, and a cache of each kind, for the tests of caches."""

import os
from functools import partial

import keyring
import pytest
import redis
from keyrings.alt.file import PlaintextKeyring

from requests_thingspace import FileTokenCache, KeyringTokenCache, RedisTokenCache

from .redis_server import RIGHTS, RedisServer
from .shelf import Shelf, get_anew, told


@pytest.fixture
def cache():
    """A cache in memory."""
    return Shelf()


@pytest.fixture(scope="session")
def running_redis():
    """A redis-server for all tests of a run."""
    with RedisServer() as server:
        yield server


@pytest.fixture
def redis_server(running_redis):
    """The redis-server, empty."""
    running_redis.empty()
    return running_redis


@pytest.fixture(scope="session")
def cluster():
    """A client of a Redis Cluster of one node, where the keys of one token must share a slot."""
    with RedisServer(cluster=True) as server, redis.RedisCluster.from_url(server.url) as client:
        yield client


@pytest.fixture
def acl_user(redis_server):
    """A client of redis-py, whose user may run just the commands that the documentation names."""
    with redis_server.user(*RIGHTS) as client:
        yield client


@pytest.fixture
def use_keyring(tmp_path, monkeypatch):
    """A function that makes a keyring the one of the system."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    before = keyring.get_keyring()
    yield keyring.set_keyring
    keyring.set_keyring(before)


@pytest.fixture
def plain_keyring(tmp_path, use_keyring):
    """A keyring of keyrings.alt, which keeps its passwords in a file."""
    plain = PlaintextKeyring()
    plain.file_path = str(tmp_path / "keyring.cfg")
    use_keyring(plain)
    return plain


@pytest.fixture(params=["file", "redis"])
def make_cache(request, tmp_path):
    """A function that makes a cache of one kind, each an object of its own on the same storage."""
    kind, use = request.param, request.getfixturevalue
    if kind == "shelf":
        return partial(Shelf, Shelf())
    if kind == "file":
        return partial(FileTokenCache, tmp_path / "tokens" / "tokens.json")
    if kind == "keyring":
        use("plain_keyring")
        return partial(KeyringTokenCache, "tokens")
    if kind == "cluster":
        use("cluster").flushall()
    client_or_url = use("redis_server").url if kind == "redis" else use(kind)
    return partial(RedisTokenCache, client_or_url, "thingspace:", lease=2.0)


@pytest.fixture
def outlive(sandbox, auth, plain, caplog):
    """A function that lets a cache break and work again: each change is told of once, every call is 200."""

    def outlive(cache, breaks, mends):
        plain.auth, levels = auth(cache=cache), []
        assert get_anew(sandbox, plain) == {200}
        for happens, level in [(breaks, "WARNING"), (mends, "INFO")] * 2:
            happens()
            levels.append(level)
            assert [get_anew(sandbox, plain) for _ in range(2)] == [{200}, {200}]
            assert told(caplog) == levels

    return outlive


@pytest.fixture
def no_umask():
    """Nothing but the code itself keeps what it makes from others."""
    before = os.umask(0)
    yield
    os.umask(before)
