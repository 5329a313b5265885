"""Files that only their owner may see.

The law here: a file is whole at any time, mode 0600 in a folder of mode 0700, and no symlink. What others
can read or write, or own, is refused. Windows has no such modes: a user's folders are the user's there.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_LARGEST_FILE = 2**20  # bytes; an entry has a few hundred
_NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)  # nor wait for a pipe's writer


def state_folder() -> Path:
    """The folder of this library in the user's state folder of the platform; it need not exist."""
    from platformdirs import user_state_path

    return user_state_path("requests-thingspace", appauthor=False)


def make_private_folder(folder: Path) -> None:
    """See to it that `folder` exists and is its owner's alone.

    Raises:
        OSError: it cannot be made, or others can read or write it.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    _refuse_shared(folder, folder.stat())


def read_private(path: Path) -> bytes | None:
    """The content of a file, ``None`` where there is no file.

    Raises:
        OSError: it is no plain file, or not its owner's alone, or cannot be read.
        ValueError: it is larger than any that this library writes.
    """
    try:
        opened = os.open(path, os.O_RDONLY | _NO_FOLLOW)
    except FileNotFoundError:
        return None
    with os.fdopen(opened, "rb") as file:
        found = os.fstat(opened)
        if not stat.S_ISREG(found.st_mode):
            raise OSError(f"{path} is no plain file: give the path of a file that may be made there")
        _refuse_shared(path, found)
        content = file.read(_LARGEST_FILE + 1)
    if len(content) > _LARGEST_FILE:
        raise ValueError(f"{path} is larger than {_LARGEST_FILE} bytes")
    return content


def write_private(path: Path, content: bytes) -> None:
    """Replace a file by `content`, in one step that a crash cannot interrupt.

    The caller holds a lock, since the new file has always the same name: a killed process leaves one
    at most, and the next one removes it.

    Raises:
        OSError: it cannot be written; the file is as it was.
    """
    new = path.with_name(f"{path.name}.new")
    try:
        with suppress(FileNotFoundError):
            os.unlink(new)
        opened = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(opened, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(opened)
        os.replace(new, path)
    except OSError:
        with suppress(OSError):
            os.unlink(new)
        raise
    _sync_folder(path.parent)


@contextmanager
def file_lock(path: Path, seconds: float) -> Iterator[None]:
    """Hold the lock file at `path`, which the end of the process gives up.

    Each use has a lock object of its own: it excludes other threads as well as other processes, and a
    forked child inherits none.

    Raises:
        TimeoutError: others held it for all of `seconds`.
        OSError: it cannot be made, or its folder is refused.
    """
    from filelock import FileLock

    make_private_folder(path.parent)
    with FileLock(path, timeout=seconds, mode=0o600):
        yield


def _refuse_shared(path: Path, found: os.stat_result) -> None:
    """Refuse what others can read, write or own."""
    if not hasattr(os, "geteuid"):  # pragma: no cover - Windows alone
        return
    if found.st_uid != os.geteuid():
        raise PermissionError(f"{path} belongs to another user: it is not used for tokens")
    if found.st_mode & 0o077:
        mode = "700" if stat.S_ISDIR(found.st_mode) else "600"
        raise PermissionError(f"{path} is open to other users: chmod {mode} it to have tokens kept there")


def _sync_folder(folder: Path) -> None:
    """Bring a folder's new entry to the disk."""
    if not hasattr(os, "O_DIRECTORY"):  # pragma: no cover - Windows alone
        return
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
