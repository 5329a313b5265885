"""A token cache for the processes of one machine.

One file holds all entries and is replaced as a whole. Each key has its own lock file, so that no client waits
for another's fetch.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Any

from .._tokens import seconds_from
from ._cache import LOCK_TIMEOUT, TokenCache, require
from ._entries import entry_from, refusals_in
from ._private import file_lock, make_private_folder, read_private, state_folder, write_private

_MARKED = 0.5  # seconds for which a try for the lock keeps others from trying; a killed one delays them


class _MarkedLock(file_lock):
    """A lock file that tells when it was last tried for: a look at it costs a hundredth of a try.

    Its time of change is that of the last try, and zero once it is released. Without it each process of a
    fleet would import filelock and start threads, only to find that another one has the lock.
    """

    def _look_first(self) -> None:
        with suppress(FileNotFoundError):
            if 0.0 <= time.time() - os.stat(self._path).st_mtime < _MARKED:
                raise TimeoutError(self._path)
        self._path.touch(0o600)

    def _release(self) -> None:
        was_held = bool(self._held)
        super()._release()
        if was_held:
            with suppress(OSError):
                os.utime(self._path, (0.0, 0.0))


class FileTokenCache(TokenCache):
    """Tokens in a JSON file that only its owner may see: no server needed, extra ``file``.

    The file has mode 0600, its folder must have mode 0700 and is made if it does not exist. A file or folder
    that others can read, write or own, or that is a symlink, is not used, and an event says so. The folder
    must be on a disk of this machine: locks of network file systems cannot be relied upon.
    """

    errors = (OSError, ValueError)

    def __init__(
        self, path: str | os.PathLike[str] | None = None, *, lock_timeout: float = LOCK_TIMEOUT
    ) -> None:
        """Remember where the file is; it is made with the first token.

        Args:
            path: a file in a folder of its own, by default ``tokens.json`` in the user's state folder,
                such as ``~/.local/state/requests-thingspace/``; an attribute too.
            lock_timeout: seconds to wait at most for another process that fetches.

        Raises:
            ImportError: the extra is not installed.
        """
        super().__init__(lock_timeout=lock_timeout)
        require(("platformdirs", "filelock"), "file")
        # absolute, so that it stays the same file when the process changes its folder
        self.path = (state_folder() / "tokens.json" if path is None else Path(path).expanduser()).absolute()
        self._seen: tuple[int, ...] = ()

    def lock(self, key: str) -> AbstractContextManager[object]:
        return _MarkedLock(Path(f"{self.path}.{key[:32]}.lock"), 0.0)

    def load(self, key: str) -> dict[str, Any] | None:
        return self._read().get(key, {}).get("entry")

    def save(self, key: str, entry: dict[str, Any], ttl: float) -> None:
        self._replace(key, {"until": time.time() + ttl, "entry": entry})

    def clear(self, key: str) -> None:
        if read_private(self.path) is not None:
            self._replace(key, {})

    def watch(self, key: str) -> Callable[[float], bool]:  # noqa: ARG002 - the file is the same for all
        """Sleep, and read the file only if it has been replaced since it was read."""
        seen = self._seen

        def wait(pause: float) -> bool:
            nonlocal seen
            time.sleep(pause)
            before, seen = seen, self._state()
            return seen != before

        return wait

    def __repr__(self) -> str:
        return f"<FileTokenCache {str(self.path)!r}>"

    def _state(self) -> tuple[int, ...]:
        """What changes when the file is replaced."""
        with suppress(OSError):
            found = os.stat(self.path)
            return found.st_ino, found.st_mtime_ns, found.st_size
        return ()

    def _read(self) -> dict[str, dict[str, Any]]:
        """The whole document, which is whole without a lock too."""
        self._seen = self._state()
        content = read_private(self.path)
        if content is not None:
            make_private_folder(self.path.parent)
        document = entry_from(content) or {}
        if not all(isinstance(one, dict) and isinstance(one.get("entry"), dict) for one in document.values()):
            raise ValueError(f"{self.path} holds no token cache")
        return document

    def _replace(self, key: str, stored: dict[str, Any]) -> None:
        """Replace what is stored under `key`, and drop what has had its time."""
        with file_lock(Path(f"{self.path}.lock"), 5.0):  # seconds; a write takes milliseconds
            try:
                document = self._read()
            except ValueError:  # it is overwritten
                document = {}
            kept = {
                name: one
                for name, one in {**document, key: stored}.items()
                if (seconds_from(one.get("until")) or 0) > time.time()
            }
            if kept != document:
                # Tokens may be lost in a power failure; refused logins may not.
                lasting = any(refusals_in(one["entry"]) for one in kept.values())
                write_private(self.path, json.dumps(kept).encode(), lasting=lasting)
