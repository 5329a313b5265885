"""``thingspace token``, ``revoke``, ``logout`` and ``status``: the tokens of this user, for other programs.

stdout holds what was asked for and nothing else. ``status`` asks no network, person or keyring.
"""

from __future__ import annotations

import hashlib
import json
import sys
import time
from argparse import Namespace
from contextlib import suppress
from typing import Any

from requests_thingspace import OAuthToken, SessionToken, ThingspaceAuth

from ._credentials import NOT_KEPT, PAIRS, auth_of_user, auth_with, shared_cache, sources_of_user
from ._own_calls import LoginOfScript
from ._words import answered, complain, span


def token(options: Namespace) -> int:
    auth = auth_of_user(options.profile, login=options.session)
    if auth.cache is None:
        complain(NOT_KEPT)
    current = auth.get_session_token() if options.session else auth.get_token()
    text = json.dumps(current.to_dict()) if options.json else current.value
    if options.header:
        name = auth.environment.session_header_for(auth.environment.logout_url)
        text = f"{name}: {text}" if options.session else f"Authorization: Bearer {text}"
    sys.stdout.write(f"{text}\n")
    return 0


def revoke(options: Namespace) -> int:
    """Revoke the OAuth token that ThingSpace gives at present, which may not be the stored one."""
    auth = auth_of_user(options.profile)
    auth.reset()
    auth.get_token()
    auth.revoke()
    sys.stdout.write("The OAuth token is revoked: whoever shared it needs a new one.\n")
    return 0


def logout(options: Namespace) -> int:
    """End the M2M session that the processes of this user share; never log in for that."""
    auth = auth_of_user(options.profile, login=True)
    shared: Any = auth.cache
    told = "There is no M2M session to end."
    entry: dict[str, Any] = {}
    if shared is None:
        complain(NOT_KEPT)
    with suppress(OSError, ValueError):  # of a cache that is broken we tell below
        entry = (shared and shared.load(auth.cache_keys["session"])) or {}
    if entry.get("token"):
        auth.session_token = SessionToken.from_dict(entry["token"])
        auth.logout()
        told = "The M2M session is ended."
    elif entry.get("refused"):
        auth.reset()
        told += " A refused login was remembered, and is forgotten."
    if shared is not None:
        shared.forget(LoginOfScript(auth, str(auth.username)))  # a refused one may be tried again
    sys.stdout.write(f"{told}\n")
    return 0


def status(options: Namespace) -> int:
    """Report what is in use; 0 if there is a usable token, else 1."""
    profile, of, arguments = sources_of_user(options.profile, secrets=False)
    found: dict[str, Any] = {"profile": profile, "client_id": None, "username": None, "origin": None}
    found |= {"sources": of, "token": None, "session": None, "refused": None, "cache": None}
    if "client_id" in of:
        for owner, secret in PAIRS:  # nothing here needs a secret
            arguments |= {owner: arguments.get(owner), secret: "-" if owner in of else None}
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
    found: dict[str, Any] = {"cache": {"where": str(cache.path), "state": "works"}}
    try:
        for name, kind in (("token", "bearer"), ("session", "session")):
            key = auth.cache_keys[kind]
            entry = (cache.load(key) if key else None) or {}
            if entry.get("token") is not None:
                found[name] = _told(entry["token"], cache.describe(key))
            found["refused"] = _refusal_in(entry) or found.get("refused")
    except (OSError, ValueError) as trouble:
        return {"cache": {"where": str(cache.path), "state": f"does not work: {trouble}"}}
    return found


def _refusal_in(entry: dict[str, Any]) -> str | None:
    """The last refusal that is not over, by a login since then or by the cool-down of a key."""
    refusals = entry.get("refused")
    refusals = refusals.values() if isinstance(refusals, dict) else ()
    for said in reversed([one for one in refusals if isinstance(one, dict)]):
        is_login = said.get("login", True)
        if said.get("in_a_row", True) if is_login else (said.get("until") or 0) > time.time():
            what = "login" if is_login else "token request"
            return answered(f"ThingSpace refused the {what}", said.get("status"), said.get("code"))
    return None


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
    key, user = found["client_id"], found["username"]
    return {
        "profile": found["profile"] or "none",
        "client ID": key and f"{key} at {found['origin']}, from {of['client_id']}",
        "secret": key and f"from {of.get('client_secret', elsewhere)}",
        "UWS user": user and f"{user}, from {of['username']}; password from {of.get('password', elsewhere)}",
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
