"""FileTokenCache: a file that is whole, private, and never the reason that a request fails."""

import json
import os
import resource
import shutil
import time

import pytest

from requests_thingspace import FileTokenCache

from .shelf import ENTRY, KEY, mode

OTHER_KEY = "1" * 64
_, UNLIMITED = resource.getrlimit(resource.RLIMIT_FSIZE)
ONLY_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
NOT_ROOT = pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")


@pytest.fixture
def cache(tmp_path):
    """A cache whose folder does not exist yet, nor those on the way to it."""
    return FileTokenCache(tmp_path / "on" / "the" / "way" / "tokens.json")


def test_only_the_owner_may_see_it(cache, no_umask):
    """Each folder on the way has mode 0700 and every file 0600, whatever the umask is."""
    with cache.lock(KEY):
        cache.save(KEY, ENTRY, 60)
    assert [mode(folder) for folder in list(cache.path.parents)[:3]] == [0o700] * 3
    assert {path.name: mode(path) for path in cache.path.parent.iterdir()} == dict.fromkeys(
        ("tokens.json", "tokens.json.lock", f"tokens.json.{KEY[:32]}.lock"), 0o600
    )


def test_a_link_in_place_of_the_folder_is_refused(cache):
    """Whoever may write the link could lead the file elsewhere."""
    cache.save(KEY, ENTRY, 60)
    link = cache.path.parent.with_name("link")
    link.symlink_to(cache.path.parent)
    linked = FileTokenCache(link / cache.path.name)
    with pytest.raises(OSError, match="not a folder of its own"):
        linked.load(KEY)
    with pytest.raises(OSError, match="not a folder of its own"), linked.lock(KEY):
        pass


def spoil(path, how):
    """Put something else in the place of a private file, or let others have it, or its folder."""
    if how in ("folder", "pipe", "gone"):
        path.unlink()
    if how == "folder":
        path.mkdir()
    elif how == "pipe":
        os.mkfifo(path, 0o600)
    elif how == "symlink":
        path.rename(path.with_name("elsewhere"))
        path.symlink_to("elsewhere")
    elif how == "another user's":
        os.chown(path, 65534, -1)
    elif how == "full":
        limit_files_to(10)
    elif how == "read-only":
        path.parent.chmod(0o500)
    elif how in ("open folder", "gone"):
        path.parent.chmod(0o750)
    else:
        path.chmod(how)


def limit_files_to(size):
    """Let no file of this process grow beyond so many bytes, as on a full disk."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, UNLIMITED))


def contents(path):
    """What is where the file should be, and in the file that a link there leads to."""
    return [
        (found.is_symlink(), mode(found), found.read_bytes() if found.is_file() else None)
        for found in (path, path.with_name("elsewhere"), path.parent)
        if found.exists()
    ]


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("folder", "Is a directory"),
        ("pipe", "is not a plain file"),
        ("symlink", ""),
        (0o640, "chmod 600 it"),
        (0o604, "chmod 600 it"),
        (0o602, "chmod 600 it"),
        ("open folder", "chmod 700 it"),
        ("gone", "chmod 700 it"),
        pytest.param("another user's", "belongs to another user", marks=ONLY_ROOT),
        ("full", "File too large"),
        pytest.param("read-only", "Permission denied", marks=NOT_ROOT),
    ],
)
def test_what_cannot_be_used_is_left_alone(outlive, cache, caplog, how, words):
    """It is told of once, with what to do; once it is gone a file is used again."""
    spoiled = []

    def breaks():
        spoil(cache.path, how)
        spoiled[:] = contents(cache.path)

    def repair():
        limit_files_to(UNLIMITED)
        cache.path.parent.chmod(0o700)

    def mends():
        assert words in caplog.text
        assert contents(cache.path) == spoiled
        repair()
        shutil.rmtree(cache.path.parent)

    try:
        outlive(cache, breaks, mends)
    finally:
        repair()
    assert mode(cache.path) == 0o600


def lowest_free_descriptor():
    """The number that the next file to be opened gets."""
    number = os.open(os.devnull, os.O_RDONLY)
    os.close(number)
    return number


@pytest.mark.parametrize("how", ["folder", "pipe", "symlink", 0o644])
def test_what_is_refused_leaves_no_descriptor_open(cache, how):
    """Each refusal closes what it has opened."""
    cache.save(KEY, ENTRY, 60)
    spoil(cache.path, how)
    before = lowest_free_descriptor()
    for _ in range(3):
        with pytest.raises(OSError, match=cache.path.name):
            cache.load(KEY)
    assert lowest_free_descriptor() <= before


def test_what_had_its_time_is_dropped(cache):
    """The file does not grow with the clients that once used it."""
    cache.save(KEY, ENTRY, -1)
    cache.save(OTHER_KEY, ENTRY, 60)
    assert list(json.loads(cache.path.read_bytes())) == [OTHER_KEY]


def test_where_it_is(tmp_path, monkeypatch):
    """By default in the user's state folder; ~ is the home; a relative path stays where it was meant."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    assert FileTokenCache("~/tokens.json").path == tmp_path / "home" / "tokens.json"
    assert FileTokenCache("tokens.json").path == tmp_path / "tokens.json"
    assert FileTokenCache().path == tmp_path / "state" / "requests-thingspace" / "tokens.json"


def test_a_lock_that_was_just_tried_for_is_not_tried_again(cache):
    """Waiters look at it; half a second after the last try, which may have been killed, one tries again."""
    path = cache.path.with_name(f"tokens.json.{KEY[:32]}.lock")

    def last_try_after(age):
        """When the lock was last tried for, once someone has wanted it `age` seconds after that."""
        os.utime(path, (0.0, time.time() - age))
        before = path.stat().st_mtime
        with pytest.raises(TimeoutError), cache.lock(KEY):
            pass
        return path.stat().st_mtime - before

    with cache.lock(KEY):
        assert last_try_after(0.1) == 0.0
        assert last_try_after(1.0) > 0.5
        assert last_try_after(-60.0) != 0.0  # the clock was set back
    with cache.lock(KEY):  # at once, since it was released
        pass
