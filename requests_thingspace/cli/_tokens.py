"""``thingspace token``, ``revoke`` and ``logout``: the tokens of this user, for other programs.

stdout holds the token that was asked for and nothing else.
"""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from functools import partial
from typing import Any

from requests_thingspace import LoginRefusedError, SessionToken, ThingspaceAuth

from ._credentials import auth_of_user, shared_cache
from ._refused_logins import LoginOfScript


def token(options: Namespace) -> int:
    """Print a current token; renewed first if need be."""
    cache = partial(shared_cache, or_notice=True)
    auth = auth_of_user(login=options.session, cache=cache, profile=options.profile)
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
    auth = auth_of_user(login=True, cache=_StoredSession, profile=options.profile)
    sys.stdout.write(f"{_ended(auth)}\n")
    cache = shared_cache()
    if cache is not None:
        cache.forget(LoginOfScript(auth, str(auth.username)))  # a refused one may be tried again
    return 0


def _ended(auth: ThingspaceAuth) -> str:
    try:
        auth.get_session_token()
        auth.logout()
    except _NothingStoredError:
        return "There is no M2M session to end."
    except LoginRefusedError:
        auth.reset()
        return "There is no M2M session to end. A refused login was remembered, and is forgotten."
    return "The M2M session is ended."


class _NothingStoredError(Exception):
    """There is no session token in the cache."""


class _StoredSession:
    """The file cache as a provider that gives the session token which is stored, and never logs in."""

    def __init__(self) -> None:
        self._cache = shared_cache(or_notice=True)

    def __call__(self, last_token: Any, manager: Any, /) -> Any:
        if manager.token_class is SessionToken:
            manager = _WithoutLogin(manager)
        return manager.fetch_token() if self._cache is None else self._cache(last_token, manager)

    def forget(self, manager: Any) -> None:
        self._cache.forget(manager)


class _WithoutLogin:
    """A TokenManager that cannot fetch."""

    def __init__(self, manager: Any) -> None:
        self._manager = manager

    def __getattr__(self, name: str) -> Any:
        return getattr(self._manager, name)

    def fetch_token(self) -> Any:
        raise _NothingStoredError
