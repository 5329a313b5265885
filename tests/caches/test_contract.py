"""Every backend passes the contract suite that ships, and our own."""

import pytest
import redis

from requests_thingspace import FileTokenCache, KeyringTokenCache, RedisTokenCache

from .contract import OwnCacheContract
from .redis_server import RedisServer
from .test_redis import RIGHTS


@pytest.fixture(scope="module")
def cluster():
    """A Redis Cluster of one node."""
    with RedisServer(cluster=True) as server:
        yield server


class TestFileTokenCache(OwnCacheContract):
    """A file."""

    @pytest.fixture(autouse=True)
    def folder(self, tmp_path):
        self.path = tmp_path / "tokens" / "tokens.json"

    def make_cache(self):
        return FileTokenCache(self.path)


class TestKeyringTokenCache(OwnCacheContract):
    """A keyring of keyrings.alt, which keeps its passwords in a file."""

    @pytest.fixture(autouse=True)
    def own_keyring(self, plain_keyring):
        """Each test has one of its own."""

    def make_cache(self):
        return KeyringTokenCache("contract")


class TestRedisTokenCache(OwnCacheContract):
    """A Redis with a URL."""

    @pytest.fixture(autouse=True)
    def server(self, redis_server):
        self.url = redis_server.url

    def make_cache(self):
        return RedisTokenCache(self.url, lease=2.0)


@pytest.mark.slow
class TestRedisTokenCacheOfAnAclUser(OwnCacheContract):
    """A client of redis-py, whose user may run just the commands that the documentation names."""

    @pytest.fixture(autouse=True)
    def user(self, redis_server):
        with redis_server.user(*RIGHTS) as self.client:
            yield

    def make_cache(self):
        return RedisTokenCache(self.client, lease=2.0)


@pytest.mark.slow
class TestRedisTokenCacheOfACluster(OwnCacheContract):
    """A client of a Redis Cluster, where the keys of one token must share a slot."""

    @pytest.fixture(autouse=True)
    def client(self, cluster):
        self.cluster = redis.RedisCluster.from_url(cluster.url)
        self.cluster.flushall()
        yield
        self.cluster.close()

    def make_cache(self):
        return RedisTokenCache(self.cluster, "tokens:", lease=2.0)
