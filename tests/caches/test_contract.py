"""Every backend passes the contract suite that ships, which finds a careless one."""

from functools import partial

import pytest

from requests_thingspace import KeyringTokenCache, RedisTokenCache
from requests_thingspace.testing import TokenCacheContract

from .shelf import ENTRY, KEY, Shelf

SLOW = [pytest.param(backend, marks=pytest.mark.slow) for backend in ("acl_user", "cluster")]


@pytest.mark.parametrize("make_cache", ["shelf", "file", "keyring", "redis", *SLOW], indirect=True)
class TestBackends(TokenCacheContract):
    """Each of them; a shelf is a user's own."""

    @pytest.fixture(autouse=True)
    def backend(self, make_cache):
        self.make_cache = make_cache


def test_two_names_are_apart(redis_server, plain_keyring):
    """A prefix or service of one's own is a cache of one's own, with entries and locks of its own."""
    for named in (partial(RedisTokenCache, redis_server.url), KeyringTokenCache):
        mine, theirs = named("mine:"), named("theirs:")
        with mine.lock(KEY), theirs.lock(KEY):
            mine.save(KEY, ENTRY, 60)
            assert theirs.load(KEY) is None
    assert all(name.startswith(("mine:", "theirs:")) for name in redis_server.command("KEYS", "*"))


class Careless(Shelf):
    """A cache that keeps one entry for all clients."""

    def load(self, key):
        return super().load("the one")

    def save(self, key, entry, ttl):
        super().save("the one", entry, ttl)


def test_the_contract_finds_a_careless_cache():
    """A subclass has to say how its cache is made; one that mixes up two clients does not pass."""
    contract = TokenCacheContract()
    with pytest.raises(NotImplementedError):
        contract.make_cache()
    contract.make_cache = Careless
    with pytest.raises(AssertionError):
        contract.test_keys_are_apart()
