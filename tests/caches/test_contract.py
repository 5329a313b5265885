"""Every backend passes the contract suite that ships, and our own; so does a user's own cache."""

import pytest
import redis

from requests_thingspace import FileTokenCache, KeyringTokenCache, RedisTokenCache
from requests_thingspace.testing import TokenCacheContract

from .contract import OwnCacheContract
from .redis_server import RedisServer
from .shelf import Shelf
from .test_redis import RIGHTS

SLOW = [pytest.param(backend, marks=pytest.mark.slow) for backend in ("redis by an ACL user", "cluster")]


@pytest.fixture(scope="module")
def cluster():
    """A client of a Redis Cluster of one node, where the keys of one token must share a slot."""
    with RedisServer(cluster=True) as server, redis.RedisCluster.from_url(server.url) as client:
        yield client


@pytest.fixture
def acl_user(redis_server):
    """A client of redis-py, whose user may run just the commands that the documentation names."""
    with redis_server.user(*RIGHTS) as client:
        yield client


class TestBackends(OwnCacheContract):
    """Each of them."""

    @pytest.fixture(autouse=True, params=["shelf", "file", "keyring", "redis", *SLOW])
    def backend(self, request, tmp_path):
        use, shelf = request.getfixturevalue, Shelf()
        if request.param == "keyring":
            use("plain_keyring")
        if request.param == "cluster":
            use("cluster").flushall()
        self.make_cache = {
            "shelf": lambda: Shelf(shelf),
            "file": lambda: FileTokenCache(tmp_path / "tokens" / "tokens.json"),
            "keyring": lambda: KeyringTokenCache("contract"),
            "redis": lambda: RedisTokenCache(use("redis_server").url, lease=2.0),
            "redis by an ACL user": lambda: RedisTokenCache(use("acl_user"), lease=2.0),
            "cluster": lambda: RedisTokenCache(use("cluster"), "tokens:", lease=2.0),
        }[request.param]


class Careless(Shelf):
    """A cache that keeps one entry for all clients."""

    def load(self, key):
        return super().load("the one")

    def save(self, key, entry, ttl):
        super().save("the one", entry, ttl)


def test_the_contract_finds_a_careless_cache():
    """A cache that gives one client's token to another does not pass."""
    contract, shelf = OwnCacheContract(), Shelf()
    contract.make_cache = lambda: Careless(shelf)
    with pytest.raises(AssertionError):
        contract.test_keys_are_apart()


def test_the_contract_wants_a_cache():
    """A subclass has to say how its cache is made."""
    with pytest.raises(NotImplementedError):
        TokenCacheContract().make_cache()
