"""``thingspace token``, ``revoke`` and ``logout``: the tokens of this user, for other programs.

stdout holds the token that was asked for and nothing else.
"""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from contextlib import suppress
from functools import partial
from typing import Any

from requests_thingspace import SessionToken

from ._credentials import auth_of_user, shared_cache
from ._refused_logins import LoginOfScript

_CACHE = partial(shared_cache, or_notice=True)


def token(options: Namespace) -> int:
    """Print a current token; renewed first if need be."""
    auth = auth_of_user(login=options.session, cache=_CACHE, profile=options.profile)
    current = auth.get_session_token() if options.session else auth.get_token()
    text = json.dumps(current.to_dict()) if options.json else current.value
    if options.header:
        name = auth.environment.session_header_for(auth.environment.logout_url)
        text = f"{name}: {text}" if options.session else f"Authorization: Bearer {text}"
    sys.stdout.write(f"{text}\n")
    return 0


def revoke(options: Namespace) -> int:
    """Revoke the OAuth token that ThingSpace gives at present, which may not be the stored one."""
    auth = auth_of_user(cache=shared_cache, profile=options.profile)
    auth.reset()
    auth.get_token()
    auth.revoke()
    sys.stdout.write("The OAuth token is revoked: whoever shared it needs a new one.\n")
    return 0


def logout(options: Namespace) -> int:
    """End the M2M session that the processes of this user share; never log in for that."""
    auth = auth_of_user(login=True, cache=_CACHE, profile=options.profile)
    shared: Any = auth.cache
    entry: dict[str, Any] = {}
    with suppress(OSError, ValueError):  # of a cache that is broken we tell below
        entry = {} if shared is None else shared.load(auth.cache_keys["session"]) or {}
    told = "There is no M2M session to end."
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
