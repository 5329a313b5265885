"""What ``thingspace login`` keeps: one JSON object per profile, in the system's keyring or in a private file.

The file ``profiles.json`` in the user's configuration folder names every profile. For one in the keyring it
holds everything but the secrets, so that finding out what exists neither loads nor unlocks a keyring.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ._endpoints.answers import json_object
from .caches._private import file_lock, read_private, write_private

_SERVICE, _ENTRY = "requests-thingspace", "profile {}"  # as the keyring knows them
_OPEN, _SECRETS = ("client_id", "username", "base_url"), ("client_secret", "password")
_KEYRING = "keyring"  # marks, in the file, a profile whose secrets the keyring holds


def load(name: str = "default") -> dict[str, str]:
    """The credentials that a profile holds; a ValueError names those that exist if it does not."""
    kept = _read().get(name)
    if kept is not None and _KEYRING not in kept:
        return kept
    found = _profile_in(_from_keyring(name))
    if found is not None:
        return found
    if kept is not None:
        login = "thingspace login" if name == "default" else f"thingspace login --profile {name}"
        raise ValueError(f"the keyring does not give profile {name!r}: unlock it, or run {login} again.")
    existing = ", ".join(names()) or "none, until thingspace login keeps one"
    raise ValueError(f"there is no profile {name!r}; those that exist: {existing}.")


def save(name: str, profile: Mapping[str, str]) -> str:
    """Keep a profile, in place of one of that name; returns in words where it is now."""
    kept = {field: profile[field] for field in (*_OPEN, *_SECRETS) if profile.get(field)}
    place = _to_keyring(name, json.dumps(kept))
    if place is None:
        _change(name, kept)
        return f"the file {_path()}, which only you can read"
    _change(name, {**{field: kept[field] for field in _OPEN if field in kept}, _KEYRING: place})
    return f"the system's keyring ({place})"


def forget(name: str) -> bool:
    """Take a profile away; whether there was one."""
    was_in_keyring, was_in_file = _from_keyring(name) is not None, name in _read()
    if was_in_keyring:
        import keyring

        keyring.delete_password(_SERVICE, _ENTRY.format(name))
    if was_in_file:
        _change(name, None)
    return was_in_keyring or was_in_file


def names() -> list[str]:
    """The profiles that exist; none if the extra is missing or the file cannot be read."""
    try:
        return sorted(_read())
    except (ImportError, OSError, ValueError):
        return []


def without_secrets(name: str) -> dict[str, str]:
    """What a profile says beside its secrets, without asking the keyring; ``{}`` if there is none."""
    kept = _read().get(name, {})
    return {field: kept[field] for field in _OPEN if field in kept}


def require_extra() -> None:
    """Raise an ImportError that names the extra if it is missing."""
    _path()


def _path() -> Path:
    """``profiles.json`` in the user's configuration folder, such as ``~/.config/requests-thingspace``."""
    try:
        from platformdirs import user_config_path
    except ImportError as missing:
        hint = "pip install 'requests-thingspace[file]' (or [keyring], to use the system's keyring)"
        raise ImportError(f"profiles need platformdirs: {hint}", name=missing.name) from None
    try:
        return user_config_path("requests-thingspace", appauthor=False) / "profiles.json"
    except RuntimeError as homeless:  # neither HOME nor an entry in passwd
        raise OSError(str(homeless)) from None


def _read() -> dict[str, dict[str, str]]:
    """All profiles, by name."""
    found = json_object(read_private(_path()) or b"{}")
    profiles = {name: _profile_in(one) for name, one in (found or {}).items()}
    if found is None or None in profiles.values():
        raise ValueError(f"{_path()} holds no profiles: move it away, and run thingspace login again.")
    return profiles  # type: ignore[return-value]  # none of them is None


def _change(name: str, profile: dict[str, str] | None) -> None:
    """Write the file with another profile of that name, or without it."""
    path = _path()
    with file_lock(path.with_name(f"{path.name}.lock"), 10.0):
        kept = {**_read(), name: profile}
        document = {one: fields for one, fields in kept.items() if fields is not None}
        write_private(path, json.dumps(document, indent=2).encode())


def _from_keyring(name: str) -> str | None:
    """The keyring's entry; ``None`` if there is none, or no keyring that opens."""
    try:
        import keyring

        return keyring.get_password(_SERVICE, _ENTRY.format(name))
    except Exception:  # noqa: BLE001 - an ImportError, and whatever a backend raises
        return None


def _to_keyring(name: str, text: str) -> str | None:
    """Set the keyring's entry; the keyring's own name, or ``None`` if it does not keep it.

    keyring calls a backend of a lower priority than 1 not recommended: a plain file, or none at all.
    """
    try:
        import keyring

        backend, entry = keyring.get_keyring(), (_SERVICE, _ENTRY.format(name))
        if backend.priority < 1:
            return None
        backend.set_password(*entry, text)
        return str(backend.name) if backend.get_password(*entry) == text else None
    except Exception:  # noqa: BLE001 - an ImportError, and whatever a backend raises
        return None


def _profile_in(stored: Any) -> dict[str, str] | None:
    """A profile as it was stored, in JSON or already read from it; ``None`` if it is none."""
    found = json_object(stored) if isinstance(stored, str) else stored
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        return None
    known = (*_OPEN, *_SECRETS, _KEYRING)
    return {field: value for field, value in found.items() if value and field in known}
