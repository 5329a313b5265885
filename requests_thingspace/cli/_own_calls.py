"""The script's own token, login, logout and revoke calls.

A call is answered from the shared tokens only if it certainly asks for what we have: the same key, secret and
scopes, or the same user and password. Everything else is sent as it is, but for a login that ThingSpace has
refused before: five lock the account. No frame that waits for the network holds a secret.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import io
import json
import threading
import time
from collections.abc import Callable
from contextlib import nullcontext, suppress
from copy import copy
from http.client import responses
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPResponse

from requests_thingspace import LoginRefusedError, SessionToken, ThingspaceAuth

from ._credentials import secret_now
from ._words import complain

_MOST_REMEMBERED = 1000  # tokens of other keys and users


class Call(NamedTuple):
    request: requests.PreparedRequest
    send: Callable[[], requests.Response]  # as it is
    renew: Callable[[str], None]  # gets a current "bearer" or "session" with this call's proxies and verify


class OwnCalls:
    """Answers calls for the credentials of `auth`; if it `adopts`, those that the script shows first."""

    _one_login = threading.Lock()  # at a time in this process, if no cache sees to it

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
        self._refused: dict[str, LoginRefusedError] = {}  # by the fingerprints of the logins
        self._anothers: dict[str, None] = {}  # fingerprints of tokens of other keys and users
        self._told: set[str] = set()

    def concern(self, url: str) -> bool:
        return _path_of(url) in self._answers

    def is_anothers(self, value: str | bytes) -> bool:
        """Whether this token was given to the script for another key or user."""
        return _fingerprint(value) in self._anothers

    def answer(self, call: Call) -> requests.Response | None:
        """Answer a token or session call of the script's own; ``None``: send it like any other."""
        url = str(call.request.url)
        if call.request.method != "POST" or "?" in url or not self.concern(url):
            return None
        return self._answers[_path_of(url)](call)

    def _token(self, call: Call) -> requests.Response:
        """Answer with the shared token and the life that it has left."""
        is_ours, form = self._is_for_our_key(call.request), _form_in(call.request)
        scopes = " ".join(form.pop("scope", [])).split()
        is_plain = form == {"grant_type": ["client_credentials"]}
        del form  # which may hold a secret or a password
        if is_ours is None:
            return call.send()
        if not is_ours or set(scopes) != set(self.auth.scopes):
            return self._noted(call.send(), "access_token")
        if not is_plain:
            return call.send()
        token = self._current(call, "bearer")
        if token is None:
            return self._adopted(call.send(), "token")
        left = 3600 if token.expires_at is None else int(token.expires_at - time.time())
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
            response = self._sent_once(login)
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
        if "user" in self._adopts:
            self._adopts.discard("user")
            self.auth.username, self.auth.password = given["username"], given["password"]
        return LoginOfScript(self.auth, **given, send=call.send)

    def _sent_once(self, login: LoginOfScript) -> requests.Response:
        """ThingSpace's answer; a LoginRefusedError, and nothing is sent, if it was refused before."""
        name = login.fingerprint()
        cache: Any = self.auth.cache
        try:
            with self._one_login if cache is None else nullcontext(), suppress(_NotRefused):
                if name in self._refused:
                    raise copy(self._refused[name])
                login.fetch_token() if cache is None else cache(None, login)
        except LoginRefusedError as refusal:
            self._refused[name] = refusal
            if login.response is None:
                raise
        response: requests.Response = login.response
        return response

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
        body, headers = io.BytesIO(json.dumps(document).encode()), {"Content-Type": "application/json"}
        words = responses.get(status, "")
        raw = HTTPResponse(body, headers=headers, status=status, reason=words, preload_content=False)
        response: requests.Response = HTTPAdapter().build_response(call.request, raw)
        return response


class LoginOfScript:
    """A login of the script's own, in the shape of a manager, as a token cache asks for it.

    Only a refusal stays there, until ``thingspace logout`` forgets it: any other answer leaves it by an
    exception. The password is not kept, but a hash of it, whose key is the client secret.
    """

    token_class = SessionToken
    response: Any = None  # ThingSpace's answer, if it was asked

    def __init__(self, auth: ThingspaceAuth, username: str, password: str = "", send: Any = None) -> None:
        place, key = auth.environment.login_url, secret_now(auth.client_secret)
        words = json.dumps([place, username, password])
        self.cache_key = hashlib.sha256(f"thingspace run\0{place}\0{username}".encode()).hexdigest()
        self.is_ours = (username, password) == (auth.username, secret_now(auth.password))
        self.publish = auth.publish
        self.fingerprint = hmac.new(key.encode(), words.encode(), hashlib.sha256).hexdigest
        self._send = send

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
        refusal.refused_credentials = self.fingerprint()
        raise refusal

    def is_usable(self, *_: Any) -> bool:
        """No token that a cache may hold is one that the script has asked for."""
        return False

    was_reset = is_usable


class _NotRefused(Exception):  # noqa: N818 - a way out of the cache, which keeps only refusals
    pass


def json_object(text: str | bytes) -> dict[str, Any]:
    """What `text` says, empty if it is no JSON object."""
    with suppress(ValueError, RecursionError):
        document = json.loads(text)
        return document if isinstance(document, dict) else {}
    return {}


def _form_in(request: requests.PreparedRequest) -> dict[str, list[str]]:
    """The fields of a form, empty if the body is none."""
    kind = _text(request.headers.get("Content-Type", ""))
    body = request.body if isinstance(request.body, (str, bytes)) else ""
    return parse_qs(_text(body)) if kind.startswith("application/x-www-form-urlencoded") else {}


def _path_of(url: str) -> str:
    """Its path; requests sends one slash where it begins with more."""
    return f"/{urlsplit(url).path.lstrip('/')}"


def _fingerprint(value: str | bytes) -> str:
    return hashlib.sha256(_text(value).encode()).hexdigest()


def _text(value: str | bytes) -> str:
    return value if isinstance(value, str) else value.decode("latin-1")
