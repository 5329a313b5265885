"""One redis-server, and a keyring, for the tests of caches."""

import os

import keyring
import pytest
from keyrings.alt.file import PlaintextKeyring

from .redis_server import RedisServer
from .shelf import Shelf


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


@pytest.fixture
def no_umask():
    """Nothing but the code itself keeps what it makes from others."""
    before = os.umask(0)
    yield
    os.umask(before)
