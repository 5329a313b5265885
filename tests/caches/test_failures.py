"""What dies at each step of a renewal: nobody fails while ThingSpace answers, nor waits for long."""

import copy
import os
import pickle
import shutil
import signal
import tempfile
import time
from contextlib import contextmanager
from itertools import product
from pathlib import Path

import keyring
import pytest

from requests_thingspace import FileTokenCache, KeyringTokenCache, RedisTokenCache

from ..children import NOBODY, Child, become_nobody, fill_the_disk, let_the_disk_have_room
from ..threads import in_threads
from .redis_server import RedisServer
from .shelf import ENTRY, KEY, Shelf, key_of, told

LEASE = 2.0
STEPS = ["look", "lock", "look again", "save", "saved", "unlock"]
TROUBLES = list(product(["full", "read-only", "gone", "out of reach"], STEPS))


class Stepping:
    """A part of a cache to which something happens at one step of a renewal."""

    def befall(self, step, work, *arguments):
        """Let `work` happen when `step` comes."""
        self._step, self._work = step, (work, arguments)
        return self

    def _at(self, step):
        if getattr(self, "_step", None) == step:
            self._step = None
            work, arguments = self._work
            work(*arguments)

    def load(self, key):
        self._at("look")
        return super().load(key)

    def _load_locked(self, lock, key):
        self._at("look again")
        return super()._load_locked(lock, key)

    def _save_locked(self, lock, key, entry, ttl):
        self._at("save")
        super()._save_locked(lock, key, entry, ttl)
        self._at("saved")

    @contextmanager
    def lock(self, key):
        self._at("lock")
        with super().lock(key) as lock:
            try:
                yield lock
            finally:
                self._at("unlock")


class SteppingFile(Stepping, FileTokenCache):
    """A file."""


class SteppingRedis(Stepping, RedisTokenCache):
    """A Redis. Its lock is handed to it as it is."""

    def lock(self, key):
        self._at("lock")
        lock = super(Stepping, self).lock(key)
        leave = lock.__exit__

        class Lock(type(lock)):
            def __exit__(lock, *_):
                self._at("unlock")
                leave()

        lock.__class__ = Lock
        return lock


def die():
    """What the kernel does to a process when memory runs out."""
    os.kill(os.getpid(), signal.SIGKILL)


def get_token(auth):
    """The value of the token, in a process of its own."""
    return auth.get_token().value


@pytest.fixture(params=["file", "redis"])
def caches(request, tmp_path):
    """One cache to which something will happen, and eight that share its storage."""
    if request.param == "file":
        return [cls(tmp_path / "tokens" / "t.json") for cls in [SteppingFile] + [FileTokenCache] * 8]
    url = request.getfixturevalue("redis_server").url
    return [cls(url, lease=LEASE) for cls in [SteppingRedis] + [RedisTokenCache] * 8]


@pytest.mark.slow
@pytest.mark.parametrize("step", STEPS)
def test_the_holder_is_killed(sandbox, make_auth, caches, step):
    """Whenever a process is killed, the others have a token within its lease, and fetch once at most."""
    doomed, *caches = caches
    child = Child(get_token, make_auth(doomed.befall(step, die)))
    child.process.join(60)
    assert child.process.exitcode == -signal.SIGKILL
    before, started = sandbox.calls["token"], time.monotonic()
    auths = [make_auth(cache) for cache in caches]
    assert len(set(in_threads(8, lambda: auths.pop().get_token().value))) == 1
    assert time.monotonic() - started < LEASE + 2
    assert sandbox.calls["token"] <= before + 1


@pytest.mark.slow
@pytest.mark.parametrize("step", STEPS)
def test_redis_is_killed(sandbox, make_auth, step):
    """Whenever Redis is killed, those that renew and those that wait have a token at once."""
    with RedisServer() as server:
        doomed, *caches = (cls(server.url, lease=LEASE) for cls in [SteppingRedis] + [RedisTokenCache] * 4)
        doomed.befall(step, server.stop)
        auths = [make_auth(cache) for cache in (doomed, *caches)]
        sandbox.slow("token", 0.3)
        started = time.monotonic()
        assert len(set(in_threads(5, lambda: auths.pop().get_token().value))) == 1
        assert time.monotonic() - started < LEASE + 2
        server.stop()
        for cache in (doomed, *caches):
            cache._client.close()


@pytest.fixture
def folder():
    """A folder in which another user may rename things."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o777)
    yield folder
    for found in folder.iterdir():
        found.chmod(0o700)  # the test may have put it out of reach, of us too
    shutil.rmtree(folder)


def renew_under(trouble_at, auth, cache):
    """Renew while something befalls the disk at one step; gives the tokens of this and of another try."""
    auth.get_token()
    auth.token = None
    cache.path.unlink()
    for path in [cache.path.parent, *cache.path.parent.iterdir()] if os.geteuid() == 0 else []:
        os.chown(path, NOBODY, -1)
    become_nobody()
    trouble, step = trouble_at
    work, *arguments = {
        "full": (fill_the_disk,),
        "read-only": (cache.path.parent.chmod, 0o500),
        "gone": (cache.path.parent.rename, cache.path.parent.with_name("away")),
        "out of reach": (cache.path.parent.chmod, 0),
    }[trouble]
    cache.befall(step, work, *arguments)
    try:
        return auth.get_token().value, auth.get_token().value
    finally:
        let_the_disk_have_room()


@pytest.mark.slow
@pytest.mark.parametrize("trouble_at", TROUBLES, ids=" at ".join)
def test_the_disk_fails(sandbox, make_auth, folder, trouble_at):
    """Whatever befalls the disk, whenever it does, there is a token."""
    ca_file = folder / "ca.pem"
    ca_file.write_bytes(Path(sandbox.ca_file).read_bytes())
    cache = SteppingFile(folder / "tokens" / "t.json")
    auth = make_auth(cache, str(ca_file))
    first, second = Child(renew_under, trouble_at, auth, cache).result()
    assert first == second
    assert sandbox.calls["token"] <= 3


@pytest.fixture(params=["shelf", "file", "keyring", "redis"])
def scribbled(request, sandbox, tmp_path):
    """A cache, and a function that writes something in place of all that it holds."""
    if request.param == "shelf":
        cache = Shelf()
        return cache, lambda content: cache.entries.update(
            {k: content for k in cache.entries if len(k) == 64}
        )
    if request.param == "file":
        cache = FileTokenCache(tmp_path / "tokens" / "tokens.json")
        return cache, cache.path.write_bytes
    if request.param == "redis":
        cache = RedisTokenCache(request.getfixturevalue("redis_server").url)
        return cache, lambda content: [cache._client.set(name, content) for name in cache._client.keys("*}")]
    request.getfixturevalue("plain_keyring")
    cache, key = KeyringTokenCache(), key_of(sandbox)
    return cache, lambda content: keyring.set_password(cache.service, key, content.decode("latin1"))


@pytest.mark.parametrize(
    "content",
    [b"", b'{"', b"\xff\xfe\0garbage", b"[1]", b"{}", b'{"k": 3}', b"[" * 100_000, b" " * (2**20 + 1)],
    ids=range(8),
)
def test_garbage_is_replaced(sandbox, scribbled, caplog, content):
    """What is no entry is told of once, not quoted, and written over by the next fetch."""
    cache, scribble = scribbled
    auths = [sandbox.auth(cache=cache, username=None, password=None) for _ in range(3)]
    auths[0].get_token()
    before = sandbox.calls["token"]
    scribble(content)
    assert auths[1].get_token() == auths[2].get_token()
    assert sandbox.calls["token"] == before + 1
    assert told(caplog) in (["WARNING", "INFO"], [])  # {} is a file without entries


@pytest.mark.parametrize(
    "journey", [copy.copy, copy.deepcopy, lambda cache: pickle.loads(pickle.dumps(cache))]
)
def test_it_travels(scribbled, journey):
    """Copies and pickles find the same entries, and tell where they are."""
    cache, _ = scribbled
    if not isinstance(cache, Shelf):
        cache.save(KEY, ENTRY, 60)
        assert journey(cache).load(KEY) == ENTRY
        assert repr(journey(cache)) == repr(cache)
