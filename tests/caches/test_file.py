"""FileTokenCache: a file that is whole, private, and never the reason that a request fails."""

import json
import os
import shutil
import threading

import pytest

from requests_thingspace import FileTokenCache

from ..children import NOBODY
from .shelf import ENTRY, KEY, get_anew, mode, told

OTHER_KEY = "1" * 64


@pytest.fixture
def cache(tmp_path):
    """A cache whose folder does not exist yet."""
    return FileTokenCache(tmp_path / "tokens" / "tokens.json")


@pytest.fixture
def get(connect, sandbox, cache):
    """A function that makes API calls with a token that has just expired, and gives their statuses."""
    session = connect(cache=cache)
    assert get_anew(sandbox, session) == {200}
    return lambda: get_anew(sandbox, session)


def test_only_the_owner_may_see_it(cache, no_umask):
    """The folder has mode 0700 and every file in it 0600, whatever the umask is."""
    with cache.lock(KEY):
        cache.save(KEY, ENTRY, 60)
    assert mode(cache.path.parent) == 0o700
    assert {path.name: mode(path) for path in cache.path.parent.iterdir()} == {
        "tokens.json": 0o600,
        "tokens.json.lock": 0o600,
        f"tokens.json.{KEY[:32]}.lock": 0o600,
    }


def folder(path):
    """A folder in place of the file."""
    path.unlink()
    path.mkdir()


def pipe(path):
    """A pipe in place of the file."""
    path.unlink()
    os.mkfifo(path, 0o600)


def symlink(path):
    """A link to a file that would be fine in place of the file."""
    path.rename(path.with_name("elsewhere"))
    path.symlink_to("elsewhere")


def open_file(mode):
    """A file that others can reach."""
    return lambda path: path.chmod(mode)


def open_folder(path):
    """A folder that others can reach."""
    path.parent.chmod(0o750)


def empty_open_folder(path):
    """One without a file."""
    path.unlink()
    path.parent.chmod(0o750)


def of_another_user(path):
    """A file that its owner could change at any time."""
    os.chown(path, NOBODY, -1)


def contents(path):
    """What is where the file should be, and in the file that a link there leads to."""
    return [
        (found.is_symlink(), mode(found), found.read_bytes() if found.is_file() else None)
        for found in (path, path.with_name("elsewhere"), path.parent)
        if found.exists()
    ]


ONLY_ROOT = pytest.mark.skipif(os.name == "nt" or os.geteuid() != 0, reason="only root can give a file away")


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (folder, "Is a directory"),
        (pipe, "is not a plain file"),
        (symlink, ""),
        (open_file(0o640), "chmod 600 it"),
        (open_file(0o604), "chmod 600 it"),
        (open_file(0o602), "chmod 600 it"),
        (open_folder, "chmod 700 it"),
        (empty_open_folder, "chmod 700 it"),
        pytest.param(of_another_user, "belongs to another user", marks=ONLY_ROOT),
    ],
)
def test_what_is_no_private_file_is_refused(get, cache, caplog, spoil, words):
    """It is told of once, with what to do, and left alone; once it is gone a file is used again."""
    spoil(cache.path)
    before = contents(cache.path)
    assert [get(), get()] == [{200}, {200}]
    assert told(caplog) == ["WARNING"]
    assert words in caplog.text
    assert contents(cache.path) == before
    shutil.rmtree(cache.path.parent)
    assert get() == {200}
    assert told(caplog) == ["WARNING", "INFO"]
    assert mode(cache.path) == 0o600


def test_what_had_its_time_is_dropped(cache):
    """The file does not grow with the clients that once used it."""
    cache.save(KEY, ENTRY, -1)
    cache.save(OTHER_KEY, ENTRY, 60)
    assert list(json.loads(cache.path.read_bytes())) == [OTHER_KEY]


def test_readers_see_a_whole_file(cache):
    """Without the lock a reader sees the entry before or after, never between."""
    entries = [{"access_token": letter * 20_000} for letter in "ab"]
    cache.save(KEY, entries[0], 60)
    ended = threading.Event()

    def write():
        for turn in range(100):
            cache.save(KEY, entries[turn % 2], 60)
        ended.set()

    writer = threading.Thread(target=write)
    writer.start()
    seen = 0
    while not ended.is_set():
        assert cache.load(KEY) in entries
        seen += 1
    writer.join()
    assert seen > 0


def test_where_it_is(tmp_path, monkeypatch):
    """By default in the user's state folder; ~ is the home; a relative path stays where it was meant."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    assert FileTokenCache("~/tokens.json").path == tmp_path / "home" / "tokens.json"
    assert FileTokenCache("tokens.json").path == tmp_path / "tokens.json"
    assert FileTokenCache().path == tmp_path / "state" / "requests-thingspace" / "tokens.json"
