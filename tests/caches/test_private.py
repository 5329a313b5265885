"""Files that only their owner may see, and locks that harm nobody when they are lost."""

import os
import signal
import threading
from unittest.mock import Mock

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


@pytest.fixture
def path(tmp_path):
    """The path of a file in a private folder."""
    path = tmp_path / "private" / "file"
    make_private_folder(path.parent)
    return path


def test_one_holder_at_a_time(path):
    """Another try fails at once, or after its time; an exit that was interrupted can be repeated."""
    for seconds in (0, 0.05):
        with file_lock(path, 0) as lock:
            with pytest.raises(TimeoutError), file_lock(path, seconds):
                pass
            lock.__exit__()
            with file_lock(path, 0):
                lock.__exit__()


def test_an_interrupted_wait_gives_up_a_lock_that_comes_later(path):
    """The thread that waits for it goes on, and has it when its holder leaves."""

    def interrupt(*_):
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        with file_lock(path, 0):
            signal.setitimer(signal.ITIMER_REAL, 0.1)
            with pytest.raises(KeyboardInterrupt), file_lock(path, 10):
                pass
        for thread in threading.enumerate():
            if thread.name == "thingspace-call":
                thread.join(10)
        with file_lock(path, 0):
            pass
    finally:
        signal.signal(signal.SIGALRM, before)


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


def test_a_file_that_is_in_use_on_windows():
    """What a reader has open is tried again for a fifth of a second, and then an error."""
    in_use = PermissionError("in use")
    for times in (0, 1, 19):
        assert patiently(Mock(side_effect=[*[in_use] * times, "done"]), 20, 0) == "done"
    with pytest.raises(PermissionError, match="in use"):
        patiently(Mock(side_effect=[*[in_use] * 20, "done"]), 20, 0)


def test_windows_has_no_modes(path, monkeypatch):
    """There a user's folders are the user's: what chmod says is not asked, and no folder is synchronised."""
    path.parent.chmod(0o755)
    monkeypatch.delattr(os, "geteuid")
    monkeypatch.delattr(os, "O_DIRECTORY")
    make_private_folder(path.parent)
    write_private(path, b"content")
    path.chmod(0o644)
    assert read_private(path) == b"content"
