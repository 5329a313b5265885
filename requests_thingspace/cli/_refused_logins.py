"""A login of the script's own that ThingSpace has refused is not sent again.

Five failed logins lock the account until Verizon's support unlocks it, and a crontab needs five minutes
for that. Known again by a keyed hash, a refusal is remembered in this process and, with a token cache, in
every process that shares it, until the password changes or ``thingspace logout`` forgets it.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
from contextlib import nullcontext
from copy import copy
from typing import Any

import requests

from requests_thingspace import LoginRefusedError, SessionToken, ThingspaceAuth


class RefusedLogins:
    """The refusals that the script's own logins have met, in `cache` as well if there is one."""

    def __init__(self, cache: Any, known: dict[str, LoginRefusedError] | None = None) -> None:
        self._cache = cache
        self._known = known or {}
        self._lock = threading.Lock()  # one login at a time if no cache sees to it

    def send(self, login: LoginOfScript) -> requests.Response:
        """ThingSpace's answer; a LoginRefusedError, and nothing is sent, if it was refused before."""
        try:
            with self._lock if self._cache is None else nullcontext():
                known = self._known.get(login.fingerprint())
                if known is not None:
                    raise copy(known)
                login.fetch_token() if self._cache is None else self._cache(None, login)
        except _NotRefused:
            pass
        except LoginRefusedError as refusal:
            self._known[login.fingerprint()] = refusal
            if login.response is None:
                raise
        response: requests.Response = login.response
        return response

    def __reduce__(self) -> tuple[Any, ...]:
        return RefusedLogins, (self._cache, self._known)  # with a lock of its own


class LoginOfScript:
    """A login of the script's own, in the shape of a manager, as a token cache asks for it.

    Only a refusal stays in the cache: any other answer leaves it by an exception. The password is not kept,
    but a hash of it, whose key is the client secret.
    """

    token_class = SessionToken
    is_ours = False  # whether it is for our user, with our password
    response: Any = None  # ThingSpace's answer, if it was asked

    def __init__(
        self, auth: ThingspaceAuth, username: str, password: str = "", *, key: str = "", send: Any = None
    ) -> None:
        place = auth.environment.login_url
        words = json.dumps([place, username, password])
        self.cache_key = hashlib.sha256(f"thingspace run\0{place}\0{username}".encode()).hexdigest()
        self.publish = auth.publish
        self._fingerprint = hmac.new(key.encode(), words.encode(), hashlib.sha256).hexdigest()
        self._send = send

    def fingerprint(self) -> str:
        """The keyed hash of user and password."""
        return self._fingerprint

    def fetch_token(self) -> Any:
        """Send the login, and raise what came of it; the gateway and a failing server refuse nothing."""
        self.response = self._send()
        status, document = self.response.status_code, json_object(self.response.content)
        is_refusal = 400 <= status < 500 if document.get("errorCode") else status in (400, 403)
        if not document or "fault" in document or not is_refusal:
            raise _NotRefused
        refusal = LoginRefusedError(
            "ThingSpace refused a login of the script's own.",
            status=status,
            code=str(document.get("errorCode"))[:100],
            description=str(document.get("errorMessage"))[:300],
        )
        refusal.refused_credentials = self._fingerprint
        raise refusal

    def is_usable(self, *_: Any) -> bool:
        """No token that a cache may hold is one that the script has asked for."""
        return False

    was_reset = is_usable


class _NotRefused(Exception):  # noqa: N818 - a way out of the cache, which keeps only refusals
    pass


def json_object(text: str | bytes) -> dict[str, Any]:
    """What `text` says, empty if it is no JSON object."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}
