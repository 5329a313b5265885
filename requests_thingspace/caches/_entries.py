"""What a cache keeps under a key: a token, who fetched it, and what ThingSpace refused.

An entry is a JSON-safe dict, read with suspicion, since others may have written it. It never holds
credentials: a refusal is recognised by the fingerprint of what was refused. Later releases may add fields:
those that this release does not know are kept. If what a field means has to change, so does the version.
"""

from __future__ import annotations

import os
import socket
import time
from typing import Any

from .._endpoints.answers import json_object
from .._errors import LoginRefusedError, ThingspaceError, TokenRequestError
from .._manager import COOL_DOWN, TokenManager
from .._tokens import SessionToken, seconds_from

VERSION = 1

_MOST_FETCHES = 100  # that are kept of the last hour
_LOCKING_SOON = (
    "ThingSpace has refused two passwords of this M2M user one after the other. No other is tried, since "
    "five failed logins lock the account: correct username and password, then call auth.reset()."
)


def entry_from(text: str | bytes | None) -> dict[str, Any] | None:
    """The JSON object that was stored as `text`; a ValueError, which does not quote it, if it is none."""
    if text is None:
        return None
    document = json_object(text)
    if document is None:
        raise ValueError("what the token cache holds is not a JSON object")
    return document


def readable(entry: Any) -> dict[str, Any]:
    """The entry; an empty one if there is none. Of another version's only the refusals are read."""
    if entry is None:
        return {}
    if not isinstance(entry, dict) or not isinstance(entry.get("v"), int):
        raise ValueError("what the token cache holds is not one of its entries")  # noqa: TRY004 - bad data
    return entry if entry["v"] == VERSION else {"refused": entry.get("refused")}


def with_token(entry: dict[str, Any], token: Any, *, confirmed: bool) -> dict[str, Any]:
    """The successor of `entry` that holds `token`, which has just been fetched.

    `confirmed`: ThingSpace gave the token that was already there, and gives no other before that expires.
    A login that was accepted ends a row of refused ones.
    """
    now = time.time()
    refusals = refusals_in(entry)
    if isinstance(token, SessionToken):
        refusals = {name: {**said, "in_a_row": False} for name, said in refusals.items()}
    return {
        **entry,
        "v": VERSION,
        "token": token.to_dict(),
        "confirmed": confirmed,
        "fetched_at": now,
        "fetched_by": {"host": socket.gethostname(), "pid": os.getpid()},
        "fetches": [*_fetches_in(entry, now), now][-_MOST_FETCHES:],
        "refused": refusals,
    }


def with_refusal(entry: dict[str, Any], refusal: ThingspaceError) -> dict[str, Any]:
    """The successor of `entry` that remembers `refusal` beside its token and its other refusals.

    Two services with two wrong passwords would otherwise forget each other's, and lock the account.
    """
    login = isinstance(refusal, LoginRefusedError)
    said = {
        "login": login,
        "message": str(refusal),
        "status": refusal.status,
        "code": refusal.code,
        "description": refusal.description,
        "until": None if login else time.time() + COOL_DOWN,
        "in_a_row": login,
    }
    return {**entry, "v": VERSION, "refused": {**refusals_in(entry), str(refusal.refused_credentials): said}}


def refusal_for(entry: dict[str, Any], manager: TokenManager[Any]) -> ThingspaceError | None:
    """The refusal in `entry` that concerns the credentials of `manager`, also if its words were lost.

    It raises what the file or function raises that has the secret.
    """
    refusals = refusals_in(entry)
    if not refusals:
        return None
    fingerprint = manager.fingerprint()
    said = refusals.get(fingerprint)
    if said is None:
        in_a_row = [one for one in refusals.values() if one.get("in_a_row", one.get("login", True))]
        if len(in_a_row) < 2:
            return None
        said = {"message": _LOCKING_SOON}
    kind: type[ThingspaceError] = LoginRefusedError if said.get("login", True) else TokenRequestError
    status, code, description = seconds_from(said.get("status")), said.get("code"), said.get("description")
    refusal = kind(
        str(said.get("message", "ThingSpace has refused these credentials before.")),
        status=None if status is None else int(status),
        code=code if isinstance(code, str) else None,
        description=description if isinstance(description, str) else None,
    )
    refusal.refused_credentials = fingerprint
    return refusal


def refusals_in(entry: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The refusals in an entry that still count, by the fingerprints of the credentials."""
    refusals, now = entry.get("refused"), time.time()
    if not isinstance(refusals, dict):
        return {}
    kept = {}
    for fingerprint, said in refusals.items():
        words = said if isinstance(said, dict) else {}  # the refusal holds, whatever has become of its words
        until = seconds_from(words.get("until"))
        if until is None or now < until <= now + COOL_DOWN:
            kept[fingerprint] = words
    return kept


def described(entry: dict[str, Any]) -> dict[str, Any]:
    """What may be shown of an entry."""
    token, by = entry.get("token"), entry.get("fetched_by")
    by = by if isinstance(by, dict) else {}
    return {
        "has_token": token is not None,
        "fetched_at": seconds_from(entry.get("fetched_at")),
        "expires_at": seconds_from(token.get("expires_at")) if isinstance(token, dict) else None,
        "host": by.get("host"),
        "pid": by.get("pid"),
        "fetches_this_hour": len(_fetches_in(entry, time.time())),
        "refused_logins": sum(bool(said.get("login", True)) for said in refusals_in(entry).values()),
    }


def _fetches_in(entry: dict[str, Any], now: float) -> list[float]:
    """When tokens were fetched in the hour before `now`, as Unix times."""
    fetches = entry.get("fetches")
    found = [seconds_from(at) for at in fetches] if isinstance(fetches, list) else []
    return [at for at in found if at is not None and now - 3600.0 < at <= now]
