"""Every backend passes the contract suite that ships, and the rules of logins and refusals above it.

Those are rules of TokenCache and of the core. What a backend alone can break is in the suite that ships.
"""

from contextlib import suppress
from functools import partial

import pytest

from requests_thingspace import KeyringTokenCache, LoginRefusedError, RedisTokenCache
from requests_thingspace.testing import TokenCacheContract

from .shelf import ENTRY, KEY, Shelf, get, refused

SLOW = [pytest.param(backend, marks=pytest.mark.slow) for backend in ("acl_user", "cluster")]


@pytest.mark.parametrize("make_cache", ["shelf", "file", "keyring", "redis", *SLOW], indirect=True)
class TestBackends(TokenCacheContract):
    """Each of them; a shelf is a user's own."""

    @pytest.fixture(autouse=True)
    def backend(self, make_cache):
        self.make_cache = make_cache

    def test_after_two_wrong_passwords_no_other_is_tried(self, sandbox):
        """Two different passwords refused in a row are enough: the account would be locked soon."""
        for wrong in ("wrong", "worse", "wrong", "worse", "worst"):
            refused(self._auths(sandbox, password=wrong)[0])
        assert sandbox.calls["login"] == 2
        right = self._auths(sandbox)[0]
        assert "call auth.reset()" in str(refused(right))
        right.reset()
        right.get_session_token()
        assert sandbox.calls["login"] == 3

    def test_a_refusal_leaves_the_token_of_others(self, sandbox):
        """A service with a wrong password costs those with the right one nothing, and is refused once."""
        right, late = self._auths(sandbox)[:2]
        wrong = sandbox.session(cache=self.make_cache(), password="wrong")
        session = right.get_session_token()
        sandbox.end_sessions()
        with suppress(LoginRefusedError):
            get(sandbox, wrong)
        assert late.get_session_token() == session
        assert sandbox.calls["login"] == 2

    def test_reset_gives_a_refused_login_another_chance(self, sandbox):
        """What is remembered of a refusal is cleared for all clients, also where one goes on trying."""
        stubborn, fixed = self._auths(sandbox, password="wrong")[:2]
        refused(stubborn)
        refused(fixed)
        fixed.reset()
        sandbox.advance(3)  # the cool-down of a failed renewal is over
        refused(stubborn)
        assert sandbox.calls["login"] == 1
        refused(fixed)
        assert sandbox.calls["login"] == 2

    def test_two_clients_never_share_nor_what_was_revoked(self, sandbox):
        """Another id, or other scopes: another token. After auth.revoke() nobody is given the old one."""
        first, late = self._auths(sandbox)[:2]
        token = first.get_token()
        assert refused(self._auths(sandbox, client_id="another-client")[0]).status == 401
        assert self._auths(sandbox, scopes="ts.mec.limitaccess")[0].get_token() != token
        first.revoke()
        assert late.get_token() != token


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
