"""One redis-server for the tests of caches."""

import pytest

from .redis_server import RedisServer


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
