"""A keyring as a desktop has one, for tests: its entries are a JSON file in the user's home."""

from __future__ import annotations

import json
from pathlib import Path

from keyring.backend import KeyringBackend
from keyring.errors import KeyringLocked


class Keyring(KeyringBackend):
    """Recommended, as those of the systems are; locked while its file is a folder."""

    priority = 5
    name = "a keyring for tests"

    def get_password(self, service, username):
        return self._entries().get(f"{service}/{username}")

    def set_password(self, service, username, password):
        self._path().write_text(json.dumps({**self._entries(), f"{service}/{username}": password}))

    def delete_password(self, service, username):
        entries = self._entries()
        del entries[f"{service}/{username}"]
        self._path().write_text(json.dumps(entries))

    def _entries(self):
        if self._path().is_dir():
            raise KeyringLocked
        return json.loads(self._path().read_text()) if self._path().exists() else {}

    def _path(self):
        return Path.home() / "keyring.json"
