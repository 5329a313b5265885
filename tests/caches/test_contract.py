"""Every backend passes the contract suite that ships."""

import keyring
import pytest
import redis
from keyrings.alt.file import PlaintextKeyring

from requests_thingspace import FileTokenCache, KeyringTokenCache, RedisTokenCache
from requests_thingspace.testing import TokenCacheContract

from .redis_server import RedisServer


@pytest.fixture(scope="module")
def cluster():
    """A Redis Cluster of one node."""
    with RedisServer(cluster=True) as server:
        yield server


class TestFileTokenCache(TokenCacheContract):
    """A file."""

    @pytest.fixture(autouse=True)
    def folder(self, tmp_path):
        self.path = tmp_path / "tokens" / "tokens.json"

    def make_cache(self):
        return FileTokenCache(self.path)


class TestKeyringTokenCache(TokenCacheContract):
    """A keyring of keyrings.alt, which keeps its passwords in a file."""

    @pytest.fixture(autouse=True)
    def own_keyring(self, tmp_path, monkeypatch):
        monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
        before, mine = keyring.get_keyring(), PlaintextKeyring()
        mine.file_path = str(tmp_path / "keyring.cfg")
        keyring.set_keyring(mine)
        yield
        keyring.set_keyring(before)

    def make_cache(self):
        return KeyringTokenCache("contract")


class TestRedisTokenCache(TokenCacheContract):
    """A Redis with a URL."""

    @pytest.fixture(autouse=True)
    def server(self, redis_server):
        self.url = redis_server.url

    def make_cache(self):
        return RedisTokenCache(self.url)


@pytest.mark.slow
class TestRedisTokenCacheOfAnAclUser(TokenCacheContract):
    """A client of redis-py, whose user may run just the commands that the documentation names."""

    @pytest.fixture(autouse=True)
    def user(self, redis_server):
        admin = redis_server.client()
        rights = ["~thingspace:*", "+get", "+set", "+del", "+evalsha", "+script|load", "+pttl", "+pexpire"]
        admin.execute_command("ACL", "SETUSER", "tokens", "reset", "on", ">word", *rights)
        self.client = redis_server.client(username="tokens", password="word")
        yield
        self.client.close()
        admin.execute_command("ACL", "DELUSER", "tokens")
        admin.close()

    def make_cache(self):
        return RedisTokenCache(self.client)


@pytest.mark.slow
class TestRedisTokenCacheOfACluster(TokenCacheContract):
    """A client of a Redis Cluster, where the keys of one token must share a slot."""

    @pytest.fixture(autouse=True)
    def client(self, cluster):
        self.cluster = redis.RedisCluster.from_url(cluster.url)
        self.cluster.flushall()
        yield
        self.cluster.close()

    def make_cache(self):
        return RedisTokenCache(self.cluster, "tokens:")
