"""What dies at each step of a renewal: nobody fails while ThingSpace answers, nor waits for long."""

import copy
import pickle
import signal
import time

import keyring
import pytest

from requests_thingspace import FileTokenCache, KeyringTokenCache, RedisTokenCache, ThingspaceAuth

from ..children import Child
from ..threads import in_threads
from .redis_server import RedisServer
from .shelf import ENTRY, KEY, Shelf, told

LEASE = 2.0
STEPS = ["look", "lock", "look again", "save", "saved", "unlock"]


class Stepping:
    """A part of a cache to which something happens at one step of a renewal."""

    _step = None

    def befall(self, step, work, *arguments):
        """Let `work` happen when `step` comes."""
        self._step, self._work, self._arguments = step, work, arguments

    def at(self, step):
        if self._step == step:
            self._step = None
            self._work(*self._arguments)

    def load(self, key):
        self.at("look")
        return super().load(key)

    def lock(self, key):
        self.at("lock")
        return Lock(self, super().lock(key))

    def _load_under(self, lock, key):
        if lock is not None:
            self.at("look again")
        return super()._load_under(lock, key)

    def _save_under(self, lock, key, entry, ttl):
        self.at("save")
        super()._save_under(lock, key, entry, ttl)
        self.at("saved")


class Lock:
    """A lock with a step before its end."""

    def __init__(self, cache, lock):
        self._cache, self._lock = cache, lock

    def __getattr__(self, name):
        return getattr(self._lock, name)

    def __enter__(self):
        self._lock.__enter__()

    def __exit__(self, *_):
        self._cache.at("unlock")
        self._lock.__exit__()


class SteppingFile(Stepping, FileTokenCache):
    """A file."""


class SteppingRedis(Stepping, RedisTokenCache):
    """A Redis."""


@pytest.fixture(params=["file", "redis"])
def caches(request, tmp_path):
    """One cache to which something will happen, and eight that share its storage."""
    if request.param == "file":
        return [cls(tmp_path / "tokens" / "t.json") for cls in [SteppingFile] + [FileTokenCache] * 8]
    url = request.getfixturevalue("redis_server").url
    return [cls(url, lease=LEASE) for cls in [SteppingRedis] + [RedisTokenCache] * 8]


def get_together(auths):
    """Let all auths get their token at once, which is the same, within the lease."""
    started = time.monotonic()
    assert len(set(in_threads(len(auths), lambda: auths.pop().get_token().value))) == 1
    assert time.monotonic() - started < LEASE + 2


@pytest.mark.slow
@pytest.mark.parametrize("step", STEPS)
def test_the_holder_is_killed(sandbox, bare, caches, step):
    """Whenever a process is killed, the others have a token within its lease, and fetch once at most."""
    doomed, *caches = caches
    doomed.befall(step, signal.raise_signal, signal.SIGKILL)
    child = Child(ThingspaceAuth.get_token, bare(cache=doomed))
    child.process.join(60)
    assert child.process.exitcode == -signal.SIGKILL
    before = sandbox.calls["token"]
    get_together([bare(cache=cache) for cache in caches])
    assert sandbox.calls["token"] <= before + 1


@pytest.mark.slow
@pytest.mark.parametrize("step", STEPS)
def test_redis_is_killed(sandbox, bare, step):
    """Whenever Redis is killed, those that renew and those that wait have a token at once."""
    with RedisServer() as server:
        caches = [cls(server.url, lease=LEASE) for cls in [SteppingRedis] + [RedisTokenCache] * 4]
        caches[0].befall(step, server.stop)
        sandbox.slow("token", 0.3)
        get_together([bare(cache=cache) for cache in caches])


@pytest.fixture(params=["shelf", "file", "keyring", "redis"])
def scribbled(request, sandbox, tmp_path):
    """A cache, and a function that writes something in place of all that it holds."""
    if request.param == "shelf":
        cache = Shelf()
        return cache, lambda content: cache.entries.update(dict.fromkeys(cache.entries, content))
    if request.param == "file":
        cache = FileTokenCache(tmp_path / "tokens" / "tokens.json")
        return cache, cache.path.write_bytes
    if request.param == "redis":
        cache = RedisTokenCache(request.getfixturevalue("redis_server").url)
        return cache, lambda content: [cache._client.set(name, content) for name in cache._client.keys("*}")]
    request.getfixturevalue("plain_keyring")
    cache, key = KeyringTokenCache(), sandbox.auth().cache_keys["bearer"]
    return cache, lambda content: keyring.set_password(cache.service, key, content.decode("latin1"))


@pytest.mark.parametrize(
    "content",
    [b"", b'{"', b"\xff\xfe\0garbage", b"[1]", b"{}", b'{"k": 3}', b"[" * 100_000, b" " * (2**20 + 1)],
    ids=range(8),
)
def test_garbage_is_replaced(sandbox, scribbled, caplog, content):
    """What is no entry is told of once, not quoted, and written over by the next fetch."""
    cache, scribble = scribbled
    auths = [sandbox.auth(cache=cache) for _ in range(3)]
    auths[0].get_token()
    scribble(content)
    assert auths[1].get_token() == auths[2].get_token()
    assert sandbox.calls["token"] == 2
    assert told(caplog) in (["WARNING", "INFO"], [])  # {} is a file without entries


@pytest.mark.parametrize("journey", [copy.copy, copy.deepcopy, lambda it: pickle.loads(pickle.dumps(it))])
def test_it_travels(scribbled, journey):
    """Copies and pickles find the same entries, and tell where they are."""
    cache, _ = scribbled
    if not isinstance(cache, Shelf):
        cache.save(KEY, ENTRY, 60)
        assert journey(cache).load(KEY) == ENTRY
        assert repr(journey(cache)) == repr(cache)
