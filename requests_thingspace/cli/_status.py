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

from ._credentials import NOT_KEPT, PAIRS, auth_with, shared_cache, sources_of_user
from ._output import answered, span


def status(options: Namespace) -> int:
    """Report what is in use; 0 if there is a usable token, else 1."""
    sources = sources_of_user(options.profile, secrets=False)
    found: dict[str, Any] = {"profile": sources.profile, "client_id": None, "username": None, "origin": None}
    found |= {"sources": sources.of, "token": None, "session": None, "refused": None, "cache": None}
    if "client_id" in sources.of:
        arguments = sources.arguments
        for owner, secret in PAIRS:  # nothing here needs a secret
            arguments |= {owner: arguments.get(owner), secret: "-" if owner in sources.of else None}
        auth = auth_with(arguments, options.profile)
        found |= {"client_id": auth.client_id, "username": auth.username}
        found |= {"origin": auth.environment.origins[0], **_stored(shared_cache(), auth)}
    found["next"] = _next_step(found)
    if options.json:
        sys.stdout.write(f"{json.dumps(found, indent=2)}\n")
    else:
        sys.stdout.write("".join(f"{name:<10} {text}\n" for name, text in _lines(found).items() if text))
    return 0 if found["token"] is not None else 1


def _stored(cache: Any, auth: ThingspaceAuth) -> dict[str, Any]:
    """What the cache holds for `auth`, and how it is; nothing without a cache."""
    if cache is None:
        return {}
    try:
        bearer, session = (_entry(cache, auth.cache_keys[kind]) for kind in ("bearer", "session"))
    except (OSError, ValueError) as trouble:
        return {"cache": {"where": str(cache.path), "state": f"does not work: {trouble}"}}
    return {
        "token": bearer["token"],
        "session": session["token"],
        "refused": session["refused"] or bearer["refused"],
        "cache": {"where": str(cache.path), "state": "works"},
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
    return answered(f"ThingSpace refused the {what}", said.get("status"), said.get("code"))


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
    if found["cache"]["state"] != "works":
        return "fix the token cache; until then each call fetches a token of its own"
    return None if found["token"] else f"fetch a token with: thingspace token{option}"


def _lines(found: dict[str, Any]) -> dict[str, str | None]:
    """The same for a person; what has no text is not shown."""
    of, elsewhere, cache = found["sources"], "the keyring, or a prompt", found["cache"]
    key = user = None
    if found["client_id"] is not None:
        key = f"{found['client_id']} at {found['origin']}, from {of['client_id']}"
    if found["username"] is not None:
        user = f"{found['username']}, from {of['username']}; password from {of.get('password', elsewhere)}"
    return {
        "profile": found["profile"] or "none",
        "client ID": key,
        "secret": key and f"from {of.get('client_secret', elsewhere)}",
        "UWS user": user,
        "token": _in_words(found["token"], "token calls"),
        "session": _in_words(found["session"], "logins"),
        "refused": found["refused"],
        "cache": cache and f"{cache['where']}, {cache['state']}",
        "next": found["next"],
    }


def _in_words(told: dict[str, Any] | None, calls: str) -> str:
    if told is None:
        return "none is stored"
    words: dict[str, Any] = {
        "fingerprint": str,
        "seconds_left": lambda left: f"expires in {span(left)}",
        "since": lambda at: f"since {time.strftime('%Y-%m-%d %H:%M:%S', time.localtime(at))}",
        "by": lambda process: f"fetched by {process}",
        "fetches_this_hour": lambda count: f"{calls} this hour: {count}",
    }
    return ", ".join(say(told[name]) for name, say in words.items() if name in told)
