"""What a cache keeps under a key: a token, or the refusals of a login.

The law here: an entry is a JSON-safe dict. It is read with suspicion, since others may have written it, and
it never holds credentials: a refused login is known again by a keyed hash.
"""

from __future__ import annotations

import json
from typing import Any

from .._errors import LoginRefusedError
from .._manager import TokenManager
from .._tokens import seconds_from

_REFUSED = "refused"


def entry_from(text: str | bytes) -> dict[str, Any]:
    """The JSON object that was stored as `text`.

    Raises:
        ValueError: it is none; the message does not quote it, since there may be a token in it.
    """
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise ValueError("what the token cache holds is no JSON object")  # noqa: TRY004 - it is bad data
    return document


def token_in(entry: dict[str, Any], manager: TokenManager[Any]) -> Any:
    """The token in `entry` if it is of use to `manager`, else ``None``.

    Raises:
        LoginRefusedError: the entry says that ThingSpace has refused these M2M credentials.
        ValueError: the entry cannot be read.
    """
    if not isinstance(entry, dict):
        raise ValueError("an entry of the token cache is no dict")  # noqa: TRY004 - it is bad data
    if _REFUSED in entry:
        refusals = _refusals_in(entry)
        if manager.fingerprint in refusals:
            raise _refusal_from(refusals[manager.fingerprint])
        return None
    token = manager.token_class.from_dict(entry)
    return token if manager.accepts(token) else None


def with_refusal(
    entry: dict[str, Any] | None, fingerprint: str, refusal: LoginRefusedError
) -> dict[str, Any]:
    """An entry that remembers `refusal` beside those that `entry` holds.

    Two services with two wrong passwords would otherwise forget each other's, and lock the account.
    """
    said = {
        "message": str(refusal),
        "status": refusal.status,
        "code": refusal.code,
        "description": refusal.description,
    }
    return {_REFUSED: {**_refusals_in(entry), fingerprint: said}}


def _refusals_in(entry: object) -> dict[str, Any]:
    """The refusals in an entry by the fingerprints of the credentials."""
    refusals = entry.get(_REFUSED) if isinstance(entry, dict) else None
    return refusals if isinstance(refusals, dict) else {}


def _refusal_from(said: object) -> LoginRefusedError:
    """The refusal that an entry tells of; also where it is no longer clear what ThingSpace said."""
    words = said if isinstance(said, dict) else {}
    status = seconds_from(words.get("status"))
    code, description = words.get("code"), words.get("description")
    return LoginRefusedError(
        str(words.get("message", "ThingSpace has refused these M2M credentials before.")),
        status=None if status is None else int(status),
        code=code if isinstance(code, str) else None,
        description=description if isinstance(description, str) else None,
    )
