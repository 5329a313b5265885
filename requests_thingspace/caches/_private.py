"""Files that only their owner may see.

A file is whole at any time and has mode 0600, in a folder of mode 0700; neither is a symlink. What others
can read, write or own is refused. Windows has no such modes: there a user's folders are the user's own.
"""

from __future__ import annotations

import io
import math
import os
import stat
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from .._endpoints.worker import Call

R = TypeVar("R")

_LARGEST_FILE = 2**20  # bytes; an entry has a few hundred
_NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)  # nor wait for a pipe's writer
_PAUSE = 0.01  # seconds between two tries for what others have for a moment


def state_folder() -> Path:
    """The folder of this library in the user's state folder of the platform; it need not exist."""
    from platformdirs import user_state_path

    return user_state_path("requests-thingspace", appauthor=False)


class file_lock:  # noqa: N801 - it is used like a function
    """Hold the lock file at `path` against threads and processes; a TimeoutError after `seconds`.

    Each has a FileLock of its own. filelock works in a thread, where no signal handler raises: interrupted in
    what it keeps for forks, it would hold up every lock of the process. An interrupt of the caller gives the
    lock up, also one that comes later: the exception that is kept does not keep the lock.
    """

    def __init__(self, path: Path, seconds: float) -> None:
        self._path, self._seconds = path, seconds
        self._held: list[Any] = []  # the FileLock; whoever pops it releases it
        self._is_given_up = False

    def __enter__(self) -> file_lock:
        make_private_folder(self._path.parent)
        self._look_first()
        try:
            _without_interrupts(self._acquire)
            return self  # noqa: TRY300 - an interrupt here counts too
        except BaseException:
            self._is_given_up = True  # before the release, for a thread that goes on
            self._release()
            raise

    def __exit__(self, *_: object) -> None:
        try:
            _without_interrupts(self._release)
        finally:
            self._release()

    def _look_first(self) -> None:
        """Raise a TimeoutError if a try would be in vain."""

    def _acquire(self) -> None:
        from filelock import FileLock  # late: importing it takes longer than reading a token

        lock = FileLock(self._path, timeout=self._seconds, mode=0o600, thread_local=False)
        lock.acquire(poll_interval=_PAUSE)
        self._held.append(lock)
        if self._is_given_up:
            self._release()

    def _release(self) -> None:
        with suppress(IndexError):
            self._held.pop().release()


def make_private_folder(folder: Path) -> None:
    """See to it that `folder` exists, is no symlink, and is its owner's alone; else raise an OSError."""
    if not os.path.lexists(folder):
        for one in (*reversed(folder.parents), folder):  # each for its owner alone, whatever the umask is
            one.mkdir(mode=0o700, exist_ok=True)
    found = os.lstat(folder)
    if not stat.S_ISDIR(found.st_mode):
        raise NotADirectoryError(f"{folder} is not a folder of its own: a symlink or a file is in its place")
    _refuse_shared(folder, found)


def read_private(path: Path) -> bytes | None:
    """The content of a file, ``None`` if there is none; an OSError or a ValueError if it is not ours."""
    try:
        file = patiently(lambda: io.FileIO(path, opener=_open))
    except FileNotFoundError:
        return None
    with file:
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode):
            raise OSError(f"{path} is not a plain file: give the path of a file that may be made there")
        _refuse_shared(path, found)
        if found.st_size > _LARGEST_FILE:
            raise ValueError(f"{path} is larger than {_LARGEST_FILE} bytes")
        return file.read(found.st_size)  # the file is replaced and never grows


def write_private(path: Path, content: bytes, *, lasting: bool = True) -> None:
    """Replace a file by `content` in one step, under a lock of the caller's.

    A killed process leaves one new file at most, which the next one removes: it has always the same name. To
    outlive a power failure (`lasting`) takes some milliseconds more.
    """
    new = path.with_name(f"{path.name}.new")
    try:
        with suppress(FileNotFoundError):
            os.unlink(new)
        with open(new, "xb", opener=_open) as file:
            file.write(content)
            file.flush()
            if lasting:
                os.fsync(file.fileno())
        patiently(lambda: os.replace(new, path))
    except BaseException:
        with suppress(OSError):
            os.unlink(new)
        raise
    if lasting and hasattr(os, "O_DIRECTORY"):  # not on Windows
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def patiently(work: Callable[[], R], tries: int = 20 if os.name == "nt" else 1, pause: float = _PAUSE) -> R:
    """What `work` returns. Windows denies a file meanwhile that a reader or a virus scanner has open."""
    for _ in range(tries - 1):
        with suppress(PermissionError):
            return work()
        time.sleep(pause)
    return work()


def _without_interrupts(work: Callable[[], object]) -> None:
    """Do `work` to its end or not at all, whatever a signal handler raises here."""
    call = Call(work)
    try:
        call.start()
        call.wait(math.inf)
    finally:
        call.cancel()
    call.result()


def _open(path: str, flags: int) -> int:
    """Open for the owner alone, following no link; the file object that asks closes what it then refuses."""
    return os.open(path, flags | _NO_FOLLOW, 0o600)


def _refuse_shared(path: Path, found: os.stat_result) -> None:
    """Refuse what others can read, write or own."""
    if not hasattr(os, "geteuid"):  # Windows
        return
    if found.st_uid != os.geteuid():
        raise PermissionError(f"{path} belongs to another user: it is not used for tokens")
    if found.st_mode & 0o077:
        mode = "700" if stat.S_ISDIR(found.st_mode) else "600"
        raise PermissionError(f"{path} is open to other users: chmod {mode} it to have tokens kept there")
