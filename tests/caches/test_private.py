"""Files that only their owner may see, and locks that harm nobody when they are lost."""

import errno
import gc
import os
import signal
import sys

import filelock
import pytest

from requests_thingspace.caches._private import (
    file_lock,
    make_private_folder,
    patiently,
    read_private,
    write_private,
)

from ..children import CONTEXT, Child
from .shelf import mode
from .test_file import spoil


@pytest.fixture
def path(tmp_path):
    """The path of a file in a private folder that is not there yet, nor are those on the way."""
    path = tmp_path / "on" / "the" / "way" / "file"
    make_private_folder(path.parent)
    return path


def test_a_link_in_place_of_the_folder_is_refused(path):
    """Whoever may write the link could lead the file elsewhere."""
    link = path.parent.with_name("link")
    link.symlink_to(path.parent)
    with pytest.raises(OSError, match="not a folder of its own"):
        make_private_folder(link)
    with pytest.raises(OSError, match="not a folder of its own"), file_lock(link / "file", 0):
        pass


def descriptors():
    """The descriptors that this process has open."""
    gc.collect()
    return set(os.listdir("/dev/fd" if sys.platform == "darwin" else "/proc/self/fd"))


@pytest.mark.parametrize("how", ["folder", "pipe", "symlink", 0o644, "huge"])
def test_what_is_refused_leaves_no_descriptor_open(path, how):
    """Each refusal closes what it has opened."""
    write_private(path, b"content")
    spoil(path, how)
    before = descriptors()
    for _ in range(3):
        with pytest.raises((OSError, ValueError)):
            read_private(path)
    assert descriptors() <= before


@pytest.mark.parametrize("lasting", [True, False])
def test_what_was_written_is_read(no_umask, path, lasting):
    """A file and each folder on the way are their owner's alone; the file holds what was written last."""
    assert [mode(folder) for folder in list(path.parents)[:3]] == [0o700] * 3
    assert read_private(path) is None
    for content in (b"one", b"other"):
        write_private(path, content, lasting=lasting)
        assert read_private(path) == content
    assert mode(path) == 0o600
    assert [found.name for found in path.parent.iterdir()] == ["file"]


def test_one_holder_at_a_time(path):
    """Another try fails at once, or after its time; the next one has it, by a file that nobody else sees."""
    for seconds in (0, 0.05):
        with file_lock(path, 0), pytest.raises(TimeoutError), file_lock(path, seconds):
            pass
    assert mode(path) == 0o600


def test_giving_up_twice_is_fine(path):
    """An exit that was interrupted can be repeated."""
    with file_lock(path, 0) as lock:
        lock.__exit__()
        with file_lock(path, 0):
            lock.__exit__()


@pytest.mark.skipif(
    int(filelock.__version__.split(".")[0]) < 4, reason="this filelock closes nothing in a child"
)
def test_a_child_does_not_keep_its_parents_lock(path):
    """A parent forks while it holds the lock and is killed: the child lives on, and the lock is free."""
    forked = CONTEXT.Event()
    parent = Child(hold_and_fork, path, forked)
    assert forked.wait(10)
    with pytest.raises(TimeoutError), file_lock(path, 0):
        pass
    parent.kill()
    with file_lock(path, 0):
        pass


def hold_and_fork(path, forked):
    """Fork a child that lives longer than its parent, which holds a lock."""
    with file_lock(path, 0):
        if os.fork() == 0:
            forked.set()
            while os.getppid() != 1:
                signal.sigtimedwait([], 0.05)
            os._exit(0)
        signal.pause()


@pytest.mark.parametrize("in_use", [0, 1, 19, 20])
def test_a_file_that_is_in_use_on_windows(in_use):
    """What a reader has open is tried again for a fifth of a second, and then an error."""
    outcomes = [PermissionError(errno.EACCES, "in use")] * in_use

    def work():
        if outcomes:
            raise outcomes.pop()
        return "done"

    if in_use == 20:
        with pytest.raises(PermissionError, match="in use"):
            patiently(work, 20, 0)
    assert patiently(work, 20, 0) == "done"


def test_windows_has_no_modes(path, monkeypatch):
    """There a user's folders are the user's: what chmod says is not asked, and no folder is synchronised."""
    path.parent.chmod(0o755)
    monkeypatch.delattr(os, "geteuid")
    monkeypatch.delattr(os, "O_DIRECTORY")
    make_private_folder(path.parent)
    write_private(path, b"content")
    path.chmod(0o644)
    assert read_private(path) == b"content"
