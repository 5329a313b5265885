"""A token cache in the keyring of the operating system.

The law here: the keyring keeps the entries; lock files in the user's state folder make up for the lock that
it lacks, and keep its accesses apart, since a keyring that is a file may lose what two write at once.
"""

from __future__ import annotations

import hashlib
import json
from contextlib import AbstractContextManager
from typing import Any

from ._cache import LOCK_TIMEOUT, TokenCache
from ._entries import entry_from
from ._extras import require
from ._private import file_lock, state_folder


class KeyringTokenCache(TokenCache):
    """Tokens in the keyring of the operating system, for the programs of one desktop user; extra ``keyring``.

    Where the keyring is locked the system may ask its user to unlock it, so that it is nothing for servers.

    Attributes:
        service: the name under which the keyring shows the entries.
    """

    def __init__(self, service: str = "requests-thingspace", *, lock_timeout: float = LOCK_TIMEOUT) -> None:
        """Remember the name; the keyring is asked when a token is needed.

        Args:
            service: the name under which the keyring shows the entries.
            lock_timeout: seconds to wait for another process that fetches.

        Raises:
            ImportError: the extra is not installed.
        """
        super().__init__(lock_timeout=lock_timeout)
        require(("keyring", "filelock", "platformdirs"), "keyring")
        self.service = service

    def lock(self, key: str) -> AbstractContextManager[object]:
        """A lock file in the user's state folder."""
        name = hashlib.sha256(f"{self.service}\0{key}".encode()).hexdigest()
        return self._lock_file(f"keyring.{name[:32]}.lock")

    def load(self, key: str) -> dict[str, Any] | None:
        """Read the keyring's password of that name."""
        import keyring

        with self._access():
            text = keyring.get_password(self.service, key)
        return None if text is None else entry_from(text)

    def save(self, key: str, entry: dict[str, Any], ttl: float) -> None:  # noqa: ARG002 - nothing expires there
        """Set the keyring's password of that name."""
        import keyring

        with self._access():
            keyring.set_password(self.service, key, json.dumps(entry))

    def clear(self, key: str) -> None:
        """Delete the keyring's password of that name."""
        import keyring

        with self._access():
            if keyring.get_password(self.service, key) is not None:
                keyring.delete_password(self.service, key)

    def __repr__(self) -> str:
        """Under which name the entries are."""
        return f"<KeyringTokenCache {self.service!r}>"

    def _access(self) -> AbstractContextManager[object]:
        """The lock of the keyring itself, held for one access."""
        return self._lock_file("keyring.lock")

    def _lock_file(self, name: str) -> AbstractContextManager[object]:
        return file_lock(state_folder() / name, self.lock_timeout)
