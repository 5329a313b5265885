"""FileTokenCache: a file that is whole, private, and never the reason that a request fails."""

import json
import os
import shutil
import stat
import threading

import pytest

from requests_thingspace import FileTokenCache

from ..children import NOBODY
from .shelf import ENTRY, KEY, get_anew, told

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


def mode(path):
    """The permissions of a file or folder."""
    return stat.S_IMODE(path.stat().st_mode)


def test_only_the_owner_may_see_it(cache):
    """The folder has mode 0700 and every file in it 0600, whatever the umask is."""
    before = os.umask(0)
    try:
        with cache.lock(KEY):
            cache.save(KEY, ENTRY, 60)
    finally:
        os.umask(before)
    assert mode(cache.path.parent) == 0o700
    assert {path.name: mode(path) for path in cache.path.parent.iterdir()} == {
        "tokens.json": 0o600,
        "tokens.json.lock": 0o600,
        f"tokens.json.{KEY[:32]}.lock": 0o600,
    }


def test_a_huge_file_is_not_read(cache):
    """What is larger than any cache is not read into memory, and can be replaced."""
    cache.save(KEY, ENTRY, 60)
    cache.path.write_bytes(b" " * (2**20 + 1))
    with pytest.raises(ValueError, match="larger than"):
        cache.load(KEY)
    cache.save(KEY, ENTRY, 60)
    assert cache.load(KEY) == ENTRY


def in_place_of_it(path, thing):
    """Put something else where the file was."""
    path.unlink()
    if thing == "folder":
        path.mkdir()
    elif thing == "pipe":
        os.mkfifo(path, 0o600)
    else:
        elsewhere = path.with_name("elsewhere")
        elsewhere.write_text("{}")
        elsewhere.chmod(0o600)
        path.symlink_to(elsewhere)


@pytest.mark.parametrize("thing", ["folder", "pipe", "symlink"])
def test_what_is_no_plain_file_is_refused(get, cache, caplog, thing):
    """A folder, a pipe or a symlink in its place is told of once and left alone; a file is used again."""
    in_place_of_it(cache.path, thing)
    assert get() == {200}
    assert get() == {200}
    assert told(caplog) == ["WARNING"]
    assert not cache.path.is_file() or cache.path.read_text() == "{}"
    shutil.rmtree(cache.path) if thing == "folder" else cache.path.unlink()
    assert get() == {200}
    assert told(caplog) == ["WARNING", "INFO"]


@pytest.mark.parametrize("open_to", [0o640, 0o604, 0o602])
def test_a_file_that_others_can_reach_is_refused(get, cache, caplog, open_to):
    """The warning says what to do, and nothing is read from such a file or written to it."""
    cache.path.chmod(open_to)
    before = cache.path.read_bytes()
    assert get() == {200}
    assert cache.path.read_bytes() == before
    assert told(caplog) == ["WARNING"]
    assert "chmod 600 it" in caplog.text
    cache.path.chmod(0o600)
    assert get() == {200}
    assert told(caplog) == ["WARNING", "INFO"]


@pytest.mark.parametrize("with_file", [True, False])
def test_a_folder_that_others_can_reach_is_refused(get, cache, caplog, with_file):
    """Not even an empty one is used."""
    if not with_file:
        cache.path.unlink()
    cache.path.parent.chmod(0o750)
    assert get() == {200}
    assert told(caplog) == ["WARNING"]
    assert "chmod 700 it" in caplog.text
    assert cache.path.exists() == with_file


@pytest.mark.skipif(os.name == "nt" or os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_of_another_user_is_refused(get, cache, caplog):
    """Who owns the file could change it at any time."""
    os.chown(cache.path, NOBODY, -1)
    assert get() == {200}
    assert told(caplog) == ["WARNING"]
    assert "belongs to another user" in caplog.text


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
