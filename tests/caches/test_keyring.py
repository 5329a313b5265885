"""KeyringTokenCache: the keyring keeps the entries, a lock file makes up for the lock that it lacks."""

import copy
import pickle

import keyring
import keyring.backends.fail
import pytest
from keyrings.alt.file import PlaintextKeyring

from requests_thingspace import KeyringTokenCache

KEY = "0" * 64


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


def get(sandbox, session):
    """The statuses of API calls with a token that has just expired."""
    sandbox.advance(3601)
    url = f"{sandbox.origin}/api/m2m/v1/accounts/{sandbox.account}"
    return {session.get(url).status_code for _ in range(3)}


def told(caplog):
    """The level of each record about the cache."""
    return [r.levelname for r in caplog.records if "the token cache" in r.getMessage()]


def test_a_machine_without_a_keyring(connect, sandbox, plain_keyring, use_keyring, caplog):
    """Where no keyring is to be had every API call is 200, with one warning, and it may come back."""
    session = connect(cache=KeyringTokenCache())
    assert get(sandbox, session) == {200}
    use_keyring(keyring.backends.fail.Keyring())
    assert [get(sandbox, session) for _ in range(2)] == [{200}, {200}]
    use_keyring(plain_keyring)
    assert [get(sandbox, session) for _ in range(2)] == [{200}, {200}]
    assert told(caplog) == ["WARNING", "INFO"]


@pytest.mark.parametrize("content", ["garbage", '["list"]', "{}"])
def test_garbage_is_replaced(sandbox, plain_keyring, caplog, content):
    """A password of that name that is no entry is told of and written over."""
    cache = KeyringTokenCache()
    keys = []
    sandbox.auth(token_provider=lambda last, manager: keys.append(manager.cache_key)).get_token()
    keyring.set_password(cache.service, keys[0], content)
    token = sandbox.auth(cache=cache).get_token()
    assert sandbox.auth(cache=cache).get_token() == token
    assert told(caplog) == ["WARNING", "INFO"]


def test_two_services_are_apart(plain_keyring):
    """A service of one's own has entries and locks of its own."""
    mine, theirs = KeyringTokenCache("mine"), KeyringTokenCache("theirs")
    with mine.lock(KEY), theirs.lock(KEY):
        mine.save(KEY, {"access_token": "a-token"}, 60)
        assert theirs.load(KEY) is None


def by_pickle(cache):
    """The cache after a journey."""
    return pickle.loads(pickle.dumps(cache))


@pytest.mark.parametrize("journey", [copy.copy, copy.deepcopy, by_pickle])
def test_it_travels(plain_keyring, journey):
    """Copies and pickles find the same entries."""
    cache = KeyringTokenCache("mine")
    cache.save(KEY, {"access_token": "a-token"}, 60)
    assert journey(cache).load(KEY) == {"access_token": "a-token"}
    assert repr(journey(cache)) == "<KeyringTokenCache 'mine'>"
