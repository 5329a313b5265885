"""``thingspace status``: which credentials and tokens are in use, without a network.

Nothing is asked of ThingSpace, of a person or of a keyring: a profile's secrets are not needed to find its
tokens in the cache.
"""

from __future__ import annotations

import hashlib
import json
import sys
import time
from argparse import Namespace
from typing import Any

from requests_thingspace import OAuthToken, SessionToken, ThingspaceAuth

from ._credentials import NOT_KEPT, PAIRS, Sources, auth_with, shared_cache, sources_of_user, text_of
from ._output import span


def status(options: Namespace) -> int:
    """Report what is in use; 0 if there is a usable token, else 1."""
    sources = sources_of_user(options.profile, secrets=False)
    found: dict[str, Any] = {"profile": sources.profile, "client_id": None, "username": None, "origin": None}
    found |= {"sources": sources.of, "token": None, "session": None, "refused": None, "cache": None}
    if "client_id" in sources.of:
        auth, cache = _auth(sources, options.profile), shared_cache()
        found |= {"client_id": auth.client_id, "username": auth.username}
        found["origin"] = auth.environment.origins[0]
        found |= {} if cache is None else _stored(cache, auth)
    found["next"] = _next_step(found)
    if options.json:
        sys.stdout.write(f"{json.dumps(found, indent=2)}\n")
    else:
        sys.stdout.write("".join(f"{name:<10} {text}\n" for name, text in _lines(found)))
    return 0 if found["token"] is not None else 1


def _auth(sources: Sources, profile: str | None) -> ThingspaceAuth:
    """An auth that knows who it is for, and cannot fetch anything."""
    arguments: dict[str, Any] = dict(sources.arguments)
    for owner, secret in PAIRS:
        place = sources.of.get(owner)
        if owner not in arguments:
            arguments[owner] = None if place is None else text_of(place)
        arguments[secret] = None if place is None else "-"  # nothing here needs it
    return auth_with(arguments, profile)


def _stored(cache: Any, auth: ThingspaceAuth) -> dict[str, Any]:
    """What the cache holds for `auth`, and how it is."""
    where = str(getattr(cache, "path", cache))
    try:
        bearer, session = (_entry(cache, auth.cache_keys[kind]) for kind in ("bearer", "session"))
    except (OSError, ValueError) as trouble:
        return {"cache": {"where": where, "health": f"does not work: {trouble}"}}
    return {
        "token": bearer["token"],
        "session": session["token"],
        "refused": session["refused"] or bearer["refused"],
        "cache": {"where": where, "health": "works"},
    }


def _entry(cache: Any, key: str | None) -> dict[str, Any]:
    """What a cache says of an entry: its ``token`` if that is usable, and what was ``refused``."""
    entry = (cache.load(key) if key else None) or {}
    stored, refusals = entry.get("token"), entry.get("refused")
    said = [one for one in refusals.values() if isinstance(one, dict)] if isinstance(refusals, dict) else []
    return {
        "token": None if stored is None else _told(stored, cache.describe(key)),
        "refused": next(filter(None, map(_refusal, reversed(said))), None),
    }


def _refusal(said: dict[str, Any]) -> str | None:
    """A refusal in words; ``None`` if it is over: by a login since then, or by the cool-down of a key."""
    is_login = said.get("login", True)
    if not (said.get("in_a_row", True) if is_login else (said.get("until") or 0) > time.time()):
        return None
    what = "login" if is_login else "token request"
    return f"ThingSpace refused the {what}: HTTP {said.get('status')} {said.get('code') or ''}".rstrip()


def _told(stored: dict[str, Any], described: dict[str, Any]) -> dict[str, Any] | None:
    """What is known of a token, which the log shows by its fingerprint too; ``None`` if it has expired."""
    kind: Any = SessionToken if "session_token" in stored else OAuthToken
    token, host = kind.from_dict(stored), described.get("host")
    left = None if token.expires_at is None else round(token.expires_at - time.time())
    if left is not None and left <= 0:
        return None
    known = {
        "fingerprint": hashlib.sha256(token.value.encode()).hexdigest()[:8],
        "expires_at": token.expires_at,
        "since": described.get("fetched_at"),
        "fetches_this_hour": described.get("fetches_this_hour"),
        "by": None if host is None else f"{host}, process {described.get('pid')}",
        "seconds_left": left,
    }
    return {name: value for name, value in known.items() if value is not None}


def _next_step(found: dict[str, Any]) -> str | None:
    """What to do if there is no usable token, or a refusal is remembered."""
    option = "" if found["profile"] in (None, "default") else f" --profile {found['profile']}"
    if found["client_id"] is None:
        return "keep your credentials with: thingspace login"
    if found["refused"] is not None:
        hint = f"after an unlock: thingspace logout{option}"
        return f"correct the credentials, which are then tried at once; {hint}"
    if found["cache"] is None:
        return NOT_KEPT
    if found["cache"]["health"] != "works":
        return "fix the token cache; until then each call fetches a token of its own"
    return None if found["token"] else f"fetch a token with: thingspace token{option}"


def _lines(found: dict[str, Any]) -> list[tuple[str, str]]:
    """The same for a person, as names and texts."""
    of, elsewhere = found["sources"], "the keyring, or a prompt"
    lines = [("profile", found["profile"] or "none")]
    if found["client_id"] is not None:
        lines.append(("client ID", f"{found['client_id']} at {found['origin']}, from {of['client_id']}"))
        lines.append(("secret", f"from {of.get('client_secret', elsewhere)}"))
    if found["username"] is not None:
        password = of.get("password", elsewhere)
        lines.append(("UWS user", f"{found['username']}, from {of['username']}; password from {password}"))
    lines.append(("token", _in_words(found["token"], "token calls")))
    lines.append(("session", _in_words(found["session"], "logins")))
    if found["cache"] is not None:
        found = {**found, "cache": f"{found['cache']['where']}, {found['cache']['health']}"}
    return lines + [(name, found[name]) for name in ("refused", "cache", "next") if found[name] is not None]


def _in_words(told: dict[str, Any] | None, calls: str) -> str:
    if told is None:
        return "none is stored"
    words = [told["fingerprint"]]
    if "seconds_left" in told:
        words.append(f"expires in {span(told['seconds_left'])}")
    if "since" in told:
        words.append(f"since {time.strftime('%Y-%m-%d %H:%M:%S', time.localtime(told['since']))}")
    if "by" in told:
        words.append(f"fetched by {told['by']}")
    if "fetches_this_hour" in told:
        words.append(f"{calls} this hour: {told['fetches_this_hour']}")
    return ", ".join(words)
