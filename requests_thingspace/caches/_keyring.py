"""A token cache in the keyring of the operating system.

The keyring keeps the entries. Lock files in the user's state folder make up for the lock that it lacks, and
keep its accesses apart: a keyring that is a file may lose what two write at once.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from ._cache import LOCK_TIMEOUT, TokenCache, require
from ._entries import entry_from
from ._private import file_lock, state_folder


class KeyringTokenCache(TokenCache):
    """Tokens in the keyring of the operating system, for the programs of one desktop user; extra ``keyring``.

    If the keyring is locked the system may ask its user to unlock it, so it is unsuitable for servers. What
    the many kinds of keyrings raise has no class in common, so that any exception means trouble.
    """

    def __init__(self, service: str = "requests-thingspace", *, lock_timeout: float = LOCK_TIMEOUT) -> None:
        """Remember the name; the keyring is asked when a token is needed.

        Args:
            service: the name under which the keyring shows the entries; an attribute too.
            lock_timeout: seconds to wait at most for another process that fetches.

        Raises:
            ImportError: the extra is not installed.
        """
        super().__init__(lock_timeout=lock_timeout)
        require(("keyring", "platformdirs", "filelock"), "keyring")
        self.service = service

    def lock(self, key: str) -> AbstractContextManager[object]:
        name = hashlib.sha256(f"{self.service}\0{key}".encode()).hexdigest()
        return file_lock(state_folder() / f"keyring.{name[:32]}.lock", 0.0)

    def load(self, key: str) -> dict[str, Any] | None:
        with self._keyring() as keyring:
            text = keyring.get_password(self.service, key)
        return entry_from(text)

    def save(self, key: str, entry: dict[str, Any], ttl: float) -> None:  # noqa: ARG002 - nothing expires there
        with self._keyring() as keyring:
            keyring.set_password(self.service, key, json.dumps(entry))

    def clear(self, key: str) -> None:
        with self._keyring() as keyring:
            if keyring.get_password(self.service, key) is not None:
                keyring.delete_password(self.service, key)

    def __repr__(self) -> str:
        return f"<KeyringTokenCache {self.service!r}>"

    @contextmanager
    def _keyring(self) -> Iterator[Any]:
        """The keyring, under a lock: the system may be asking its user for a password meanwhile."""
        import keyring

        with file_lock(state_folder() / "keyring.lock", self.lock_timeout):
            yield keyring
