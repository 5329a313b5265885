"""The script's own token, login, logout and revoke calls.

A call is answered from the shared tokens only if it certainly asks for what we have: the same key and
secret and the same scopes, or the same user and password. Everything else is sent as it is, and a token
that ThingSpace then gives for another key or user is the script's own business. No frame that waits for the
network holds a secret.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import time
from collections.abc import Callable
from contextlib import suppress
from http.client import responses
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPResponse

from requests_thingspace import LoginRefusedError, ThingspaceAuth

from ._credentials import secret_now
from ._output import complain
from ._refused_logins import LoginOfScript, RefusedLogins, json_object

_MOST_REMEMBERED = 1000  # tokens of other keys and users
_UNKNOWN_LIFE = 3600  # seconds; what a script is told of a token without an expiry


class Call(NamedTuple):
    """A call that is about to be sent."""

    request: requests.PreparedRequest
    send: Callable[[], requests.Response]  # as it is
    renew: Callable[[str], None]  # gets a current "bearer" or "session" with this call's proxies and verify


class OwnCalls:
    """Answers calls for the credentials of `auth`; if it `adopts`, those that the script shows first."""

    def __init__(self, auth: ThingspaceAuth, *, adopts: bool = False) -> None:
        here = auth.environment
        self.auth = auth
        self._answers = {
            urlsplit(here.token_url).path: self._token,
            urlsplit(here.login_url).path: self._login,
            urlsplit(here.logout_url).path: self._logout,
            urlsplit(here.revoke_url).path: self._revoke,
        }
        self._adopts = {"key", "user"} if adopts else set()
        self._refused = RefusedLogins(auth.cache)
        self._anothers: dict[str, None] = {}  # fingerprints of tokens of other keys and users
        self._told: set[str] = set()

    def concern(self, url: str) -> bool:
        """Whether `url` is that of a token, login, logout or revoke call."""
        return urlsplit(url).path in self._answers

    def is_anothers(self, value: str | bytes) -> bool:
        """Whether this token was given to the script for another key or user."""
        return _fingerprint(value) in self._anothers

    def answer(self, call: Call) -> requests.Response | None:
        """Answer a token or session call of the script's own; ``None``: send it like any other."""
        url = str(call.request.url)
        if call.request.method != "POST" or "?" in url or not self.concern(url):
            return None
        return self._answers[urlsplit(url).path](call)

    def _token(self, call: Call) -> requests.Response:
        """Answer with the shared token and the life that it has left."""
        is_ours, form = self._is_for_our_key(call.request), _form_in(call.request)
        if is_ours is None:
            return call.send()
        scopes = " ".join(form.pop("scope", [])).split()
        if not is_ours or set(scopes) != set(self.auth.scopes):
            return self._noted(call.send(), "access_token")
        if form != {"grant_type": ["client_credentials"]}:
            return call.send()
        token = self._current(call, "bearer")
        if token is None:
            return self._adopted(call.send(), "token")
        left = _UNKNOWN_LIFE if token.expires_at is None else int(token.expires_at - time.time())
        document = {"access_token": token.access_token, "scope": " ".join(("", *token.scope))}
        document |= {"token_type": "Bearer", "expires_in": max(left, 1)}
        return self._response(call, "token call", document)

    def _login(self, call: Call) -> requests.Response:
        """Answer with the shared session token, or with ThingSpace's earlier refusal of this login."""
        login = self._login_in(call)
        if login is None:
            return call.send()
        try:
            token = self._current(call, "session") if login.is_ours else None
            if token is not None:
                return self._response(call, "login", {"sessionToken": token.session_token})
            response = self._refused.send(login)
        except LoginRefusedError as refusal:
            document = {"errorCode": str(refusal.code), "errorMessage": str(refusal.description)}
            return self._response(call, "refused login", document, refusal.status or 400)
        if login.is_ours:
            return self._adopted(response, "session_token")
        return self._noted(response, "sessionToken")

    def _logout(self, call: Call) -> requests.Response | None:
        """Answer as if the shared session had ended; a session of the script's own really ends."""
        value = call.request.headers.get("VZ-M2M-Token")
        if self.auth.username is None or value is None or self.is_anothers(value):
            return None
        return self._response(call, "logout", {"sessionToken": _text(value)})

    def _revoke(self, call: Call) -> requests.Response:
        """Send it, and drop the token that it revoked, here and in the cache."""
        response, held = call.send(), self.auth.token
        given = _form_in(call.request).get("token", [""])[0]
        if response.ok and held is not None and given == held.access_token:
            self.auth.token = None
            cache: Any = self.auth.cache
            with suppress(Exception):  # there is none, or a broken one, of which a fetch tells
                cache.clear(self.auth.cache_keys["bearer"])
        return response

    def _is_for_our_key(self, request: requests.PreparedRequest) -> bool | None:
        """Whether it carries our key and secret; ``None`` if it carries none."""
        scheme, _, encoded = _text(request.headers.get("Authorization", "")).partition(" ")
        try:
            given = base64.b64decode(encoded, validate=True).decode()
        except ValueError:
            return None
        if scheme.lower() != "basic":
            return None
        if "key" in self._adopts:
            self._adopts.discard("key")
            self.auth.client_id, _, self.auth.client_secret = given.partition(":")
        return given == f"{self.auth.client_id}:{secret_now(self.auth.client_secret)}"

    def _login_in(self, call: Call) -> LoginOfScript | None:
        """The login, if the body is one and nothing else."""
        body = call.request.body
        given = json_object(body) if isinstance(body, (str, bytes)) else {}
        if given.keys() != {"username", "password"} or not all(isinstance(v, str) for v in given.values()):
            return None
        username, password = given["username"], given["password"]
        if "user" in self._adopts:
            self._adopts.discard("user")
            self.auth.username, self.auth.password = username, password
        key = secret_now(self.auth.client_secret)
        login = LoginOfScript(self.auth, username, password, key=key, send=call.send)
        login.is_ours = (username, password) == (self.auth.username, secret_now(self.auth.password))
        return login

    def _current(self, call: Call, credential: str) -> Any:
        """A current token of ours, ``None`` if none could be obtained; a LoginRefusedError passes."""
        try:
            call.renew(credential)
        except LoginRefusedError:
            raise
        except (OSError, ValueError):  # every requests.RequestException is an OSError
            return None
        return self.auth.token if credential == "bearer" else self.auth.session_token

    def _noted(self, response: requests.Response, name: str) -> requests.Response:
        """Remember the token of another key or user that `response` brings."""
        value = json_object(response.content).get(name) if response.ok else None
        if not isinstance(value, str):
            return response
        self._anothers[_fingerprint(value)] = None
        for oldest in list(self._anothers)[:-_MOST_REMEMBERED]:
            self._anothers.pop(oldest, None)
        if name not in self._told and (name == "access_token" or self.auth.username is not None):
            self._told.add(name)
            whose = "key, or other scopes," if name == "access_token" else "user or password"
            complain(f"the script has another {whose} than you: the tokens it gets for that are not renewed")
        return response

    def _adopted(self, response: requests.Response, name: str) -> requests.Response:
        """Adopt the token that the script got for our key or user when we could not."""
        with suppress(ValueError):  # no JSON, or not a usable token
            if response.ok:  # pragma: no branch - a refusal is the script's own
                setattr(self.auth, name, response.json())
        return response

    def _response(self, call: Call, kind: str, document: Any, status: int = 200) -> requests.Response:
        """A response as it comes from ThingSpace, though nothing was sent."""
        credential = "bearer" if kind == "token call" else "session"
        self.auth.publish("call_answered", credential=credential, status=status, reason=kind)
        body, kind_of_body = io.BytesIO(json.dumps(document).encode()), {"Content-Type": "application/json"}
        words = responses.get(status, "")
        raw = HTTPResponse(body, headers=kind_of_body, status=status, reason=words, preload_content=False)
        response: requests.Response = HTTPAdapter().build_response(call.request, raw)
        return response


def _form_in(request: requests.PreparedRequest) -> dict[str, list[str]]:
    """The fields of a form, empty if the body is none."""
    kind = _text(request.headers.get("Content-Type", ""))
    body = request.body if isinstance(request.body, (str, bytes)) else ""
    return parse_qs(_text(body)) if kind.startswith("application/x-www-form-urlencoded") else {}


def _fingerprint(value: str | bytes) -> str:
    return hashlib.sha256(_text(value).encode()).hexdigest()


def _text(value: str | bytes) -> str:
    return value if isinstance(value, str) else value.decode("latin-1")
