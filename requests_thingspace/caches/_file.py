"""A token cache for the processes of one machine.

The law here: one file holds all entries and is replaced as a whole; each key has a lock file of its own, so
that a client never waits for another client's fetch.
"""

from __future__ import annotations

import json
import os
import time
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from .._tokens import seconds_from
from ._cache import LOCK_TIMEOUT, TokenCache
from ._entries import entry_from
from ._extras import require
from ._private import file_lock, make_private_folder, read_private, state_folder, write_private

_WRITE_TIMEOUT = 5.0  # seconds; a write takes milliseconds


class FileTokenCache(TokenCache):
    """Tokens in a JSON file that only its owner may see: no server needed, extra ``file``.

    The file has mode 0600, its folder must have mode 0700 and is made if it does not exist. A file or folder
    that others can read, write or own is not used, and that is logged. The folder must be on a disk of
    this machine: locks of network file systems cannot be relied upon.

    Attributes:
        path: the file.
    """

    def __init__(
        self, path: str | os.PathLike[str] | None = None, *, lock_timeout: float = LOCK_TIMEOUT
    ) -> None:
        """Remember where the file is; it is made with the first token.

        Args:
            path: a file in a folder of its own; by default ``tokens.json`` in the user's state folder of
                the platform, such as ``~/.local/state/requests-thingspace/``.
            lock_timeout: seconds to wait for another process that fetches.

        Raises:
            ImportError: the extra is not installed.
        """
        super().__init__(lock_timeout=lock_timeout)
        require(("filelock", "platformdirs"), "file")
        # absolute, so that it stays the same file when the process changes its folder
        self.path = (state_folder() / "tokens.json" if path is None else Path(path).expanduser()).absolute()

    def lock(self, key: str) -> AbstractContextManager[object]:
        """A lock file beside the file."""
        return file_lock(self.path.with_name(f"{self.path.name}.{key[:32]}.lock"), self.lock_timeout)

    def load(self, key: str) -> dict[str, Any] | None:
        """Read the file without a lock: it is whole at any time."""
        entry: dict[str, Any] | None = self._read().get(key, {}).get("entry")
        return entry

    def save(self, key: str, entry: dict[str, Any], ttl: float) -> None:
        """Replace the file, without the entries of other clients that have had their time."""
        with self._writing():
            now = time.time()
            kept = {k: one for k, one in self._readable().items() if (seconds_from(one["until"]) or 0) > now}
            self._write({**kept, key: {"until": now + ttl, "entry": entry}})

    def clear(self, key: str) -> None:
        """Replace the file by one without the entry."""
        if read_private(self.path) is None:
            return
        with self._writing():
            self._write({k: one for k, one in self._readable().items() if k != key})

    def __repr__(self) -> str:
        """Where the file is."""
        return f"<FileTokenCache {str(self.path)!r}>"

    def _writing(self) -> AbstractContextManager[object]:
        """The lock of the file itself, held for a moment."""
        return file_lock(self.path.with_name(f"{self.path.name}.lock"), _WRITE_TIMEOUT)

    def _read(self) -> dict[str, Any]:
        """The whole document.

        Raises:
            ValueError: it is none of ours.
            OSError: it cannot be read, or is refused.
        """
        content = read_private(self.path)
        if content is None:
            return {}
        make_private_folder(self.path.parent)
        document = entry_from(content)
        if not all(isinstance(one, dict) and one.keys() == {"until", "entry"} for one in document.values()):
            raise ValueError(f"{self.path} holds no token cache")
        return document

    def _readable(self) -> dict[str, Any]:
        """The whole document, empty where it cannot be read and is to be replaced."""
        try:
            return self._read()
        except ValueError:
            return {}

    def _write(self, document: dict[str, Any]) -> None:
        write_private(self.path, json.dumps(document).encode())
