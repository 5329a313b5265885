"""ThingSpace in memory: an adapter that answers as ThingSpace does, and counts what it is asked.

It gives the same token with the life that remains until that token expires or is revoked, accepts a session
token from one login at a time, and keeps every request to its API. Its clock, which a test sets, is also that
of the auth.
"""

from __future__ import annotations

import io
import json
from base64 import b64encode
from collections import Counter
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

import requests
from requests.adapters import HTTPAdapter

from requests_thingspace import PRODUCTION, Clock, ThingspaceAdapter, ThingspaceAuth

ORIGIN = PRODUCTION.origins[0]
API = f"{ORIGIN}/api/ts/v1/things"
M2M = f"{ORIGIN}/api/m2m/v1/devices"
AWAY = M2M + "/away"  # redirects to `ELSEWHERE`, which is not ThingSpace
ELSEWHERE = "https://example.com/"
LIFE = 3600.0  # seconds for which a token lives
_ENDPOINTS = {
    urlsplit(getattr(PRODUCTION, f"{name}_url")).path: name for name in ("token", "revoke", "login", "logout")
}
BASIC = f"Basic {b64encode(b'id:secret').decode()}"
_UNAUTHORIZED = 401, {"fault": {"code": "900901"}}

WORK: ContextVar[Any] = ContextVar("work", default=None)
"""On whose behalf a request is made; threads of the package inherit it from their callers."""


@dataclass
class Call:
    """One request to the API or elsewhere: on whose behalf, what it carried, and how it was answered."""

    work: Any
    url: str
    body: str
    bearer: str | None
    session: str | None
    status: int = 200


class ThingSpace:
    """The server: its tokens, its sessions, its users, and what it was asked."""

    def __init__(self, alice: str = "right"):
        self.time, self.set_back, self.slept = 1_800_000_000.0, 0.0, 0.0
        self.passwords = {"alice": alice, "bob": "right"}
        self.number = 0  # of the current token
        self.ends: dict[str, float] = {}  # when each token expires
        self.dead: set[str] = set()  # revoked tokens
        self.sessions: set[str] = set()  # that are alive
        self.owners: dict[str, str] = {}  # session token -> user, also of those that have ended
        self.ended: list[tuple[Any, str]] = []  # on whose behalf which token was revoked or logged out
        self.wrong_passwords = 0
        self.calls: list[Call] = []
        self.counts, self.at_once, self.most_at_once = Counter(), Counter(), Counter()
        self.failures: list[int | Exception] = []  # of the token calls to come
        self.is_giving_others = False  # each token call gives another token
        self.on_request = lambda name: None

    @property
    def token(self) -> str:
        """The current one."""
        return f"token-{self.number}"

    @property
    def clock(self) -> Clock:
        """Both clocks of an auth, which stand still until :meth:`advance`."""
        return Clock(lambda: self.time - self.set_back, lambda: self.time - self.slept - 1_700_000_000.0)

    def advance(self, seconds: float, *, slept: float = 0.0, set_back: float = 0.0) -> None:
        """Let time pass, for some of which the computer sleeps, and then set its wall clock back."""
        self.time += seconds
        self.slept += slept
        self.set_back += set_back

    def revoke_all(self) -> None:
        """Another client revokes the token: the next token call gives another."""
        self.dead.add(self.token)

    def is_alive(self, token: str) -> bool:
        return token not in self.dead and self.time < self.ends.get(token, 0.0)

    def answer(self, url: str, headers, body: str) -> tuple[int, dict]:
        """The status and the JSON document of the answer to one request."""
        name = _ENDPOINTS.get(urlsplit(url).path, "api")
        self.counts[name] += 1
        self.at_once[name] += 1
        self.most_at_once[name] = max(self.most_at_once[name], self.at_once[name])
        try:
            self.on_request(name)
            status, document = getattr(self, f"_{name}")(url, headers, body)
            self.on_request(f"{name} answered")
        finally:
            self.at_once[name] -= 1
        return status, document

    def give(self) -> dict[str, Any]:
        """A token, as the token endpoint gives it."""
        if self.is_giving_others or not self.is_alive(self.token):
            self.number += 1
            self.ends[self.token] = self.time + LIFE
        left = int(self.ends[self.token] - self.time)
        return {"access_token": self.token, "token_type": "Bearer", "expires_in": left}

    def _token(self, url, headers, body):
        if self.failures:
            failure = self.failures.pop(0)
            if isinstance(failure, Exception):
                raise failure
            return failure, {"error": "temporarily_unavailable"}
        if headers["Authorization"] != BASIC:
            return 401, {"error": "invalid_client"}
        return 200, self.give()

    def _revoke(self, url, headers, body):
        token = parse_qs(body)["token"][0]
        self.dead.add(token)
        self.ended.append((WORK.get(), token))
        return 200, {"status": "revoked"}

    def _accepts(self, headers) -> bool:
        return headers.get("Authorization") == f"Bearer {self.token}" and self.is_alive(self.token)

    def _login(self, url, headers, body):
        if not self._accepts(headers):
            return _UNAUTHORIZED
        given = json.loads(body)
        if self.passwords.get(given["username"]) != given["password"]:
            self.wrong_passwords += 1
            return 400, {"errorCode": "UnifiedWebService.REQUEST_FAILED.Unexpected", "errorMessage": "no"}
        session = f"session-{len(self.owners) + 1}"
        self.sessions.add(session)
        self.owners[session] = given["username"]
        return 200, {"sessionToken": session}

    def _logout(self, url, headers, body):
        if not self._accepts(headers):
            return _UNAUTHORIZED
        session = headers["VZ-M2M-Token"]
        self.sessions.discard(session)
        self.ended.append((WORK.get(), session))
        return 200, {"sessionToken": session}

    def _api(self, url, headers, body):
        bearer = str(headers.get("Authorization", "")).removeprefix("Bearer ")
        call = Call(WORK.get(), url, body, bearer or None, headers.get("VZ-M2M-Token"))
        self.calls.append(call)
        document = {}
        if url == ELSEWHERE:
            pass
        elif not self._accepts(headers):
            call.status, document = _UNAUTHORIZED
        elif url.startswith(M2M) and call.session not in self.sessions:
            call.status, document = 400, {"errorCode": "UnifiedWebService.SessionToken.Expired"}
        elif url == AWAY:
            call.status = 302
        return call.status, document


class Wire(HTTPAdapter):
    """An adapter behind which is a ThingSpace."""

    def __init__(self, thingspace: ThingSpace):
        super().__init__()
        self.thingspace = thingspace

    def send(self, request, stream=False, timeout=None, verify=True, cert=None, proxies=None):
        """Give the answer of the ThingSpace, as requests' own adapter would."""
        body = request.body.read() if hasattr(request.body, "read") else request.body or ""
        text = body.decode() if isinstance(body, bytes) else str(body)
        response = requests.Response()
        response.status_code, document = self.thingspace.answer(request.url, request.headers, text)
        response.url, response.request, response.connection = request.url, request, self
        response.headers["Content-Type"] = "application/json"
        if response.status_code == 302:
            response.headers["Location"] = ELSEWHERE
        response.raw = io.BytesIO(json.dumps(document).encode())
        return response


class WiredAdapter(ThingspaceAdapter, Wire):
    """Face two over the wire."""


def wired_session(thingspace: ThingSpace) -> requests.Session:
    session = requests.Session()
    session.trust_env = False
    session.mount("https://", Wire(thingspace))
    return session


def connect(thingspace: ThingSpace, face: str, **arguments) -> tuple[requests.Session, ThingspaceAuth]:
    """A Session over the wire that has an auth by `face`, and that auth."""
    session = wired_session(thingspace)
    defaults = {"session": session, "clock": thingspace.clock, "timeout": 20.0}
    auth = ThingspaceAuth("id", "secret", **{**defaults, **arguments})
    if face == "auth":
        session.auth = auth
    else:
        session = wired_session(thingspace)
        session.mount(ORIGIN, WiredAdapter(auth, thingspace=thingspace))
    return session, auth
