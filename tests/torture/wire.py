"""ThingSpace in memory: an adapter that answers as ThingSpace does, and counts what it is asked.

It gives the same token with the life that remains until that token expires or is revoked, accepts a session
token from one login at a time, and keeps every request to its API. It has a clock that a test sets, which is
also the clock of the auth.
"""

from __future__ import annotations

import io
import json
from base64 import b64decode
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any
from urllib.parse import parse_qs, urlsplit

import requests
from requests.adapters import HTTPAdapter

from requests_thingspace import PRODUCTION, Clock, ThingspaceAdapter, ThingspaceAuth, mount

API = "https://thingspace.verizon.com/api/ts/v1/things"
M2M = "https://thingspace.verizon.com/api/m2m/v1/devices"
AWAY = M2M + "/away"  # redirects to `ELSEWHERE`, which is not ThingSpace
ELSEWHERE = "https://example.com/"
LIFE = 3600.0  # seconds for which a token lives
_PATHS = {
    urlsplit(url).path: name
    for name, url in (
        ("token", PRODUCTION.token_url),
        ("revoke", PRODUCTION.revoke_url),
        ("login", PRODUCTION.login_url),
        ("logout", PRODUCTION.logout_url),
    )
}


WORK: ContextVar[Any] = ContextVar("work", default=None)
"""On whose behalf a request is made; threads of the package inherit it from their callers."""


class Call:
    """One request to the API or elsewhere: what it carried, on whose behalf, and how it was answered."""

    def __init__(self, url: str, body: str, bearer: str | None, session: str | None):
        self.work = WORK.get()
        self.url, self.body = url, body
        self.bearer = bearer
        self.session = session
        self.status = 0


class ThingSpace:
    """The server: its tokens, its sessions, its users, and what it was asked."""

    def __init__(self, passwords: dict[str, str] | None = None):
        self.time = 1_800_000_000.0
        self.passwords = {"alice": "right", "bob": "right"} if passwords is None else passwords
        self.number = 0  # of the current token
        self.expiry = 0.0
        self.dead: set[str] = set()  # revoked tokens
        self.sessions: set[str] = set()  # that are alive
        self.owners: dict[str, str] = {}  # session token -> user, also of those that have ended
        self.ended: list[tuple[Any, str]] = []  # on whose behalf which token was revoked or logged out
        self.counts = {"token": 0, "revoke": 0, "login": 0, "logout": 0, "api": 0}
        self.wrong_passwords: list[tuple[str, str]] = []
        self.calls: list[Call] = []
        self.at_once = dict.fromkeys(self.counts, 0)
        self.most_at_once = dict.fromkeys(self.counts, 0)
        self.failures: list[int | Exception] = []  # of the token calls to come
        self.on_request: Callable[[str], object] = lambda name: None

    @property
    def clock(self) -> Clock:
        """Both clocks of an auth, which stand still until :meth:`advance`."""
        return Clock(wall=lambda: self.time, monotonic=lambda: self.time - 1_700_000_000.0)

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.time += seconds

    def revoke_all(self) -> None:
        """Another client revokes the token: the next token call gives another."""
        self.dead.add(f"token-{self.number}")
        self.expiry = 0.0

    def answer(self, method: str, url: str, headers, body: str) -> tuple[int, dict]:
        """The status and the JSON document of the answer to one request."""
        name = _PATHS.get(urlsplit(url).path, "api")
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

    def _token(self, url, headers, body):
        if self.failures:
            failure = self.failures.pop(0)
            if isinstance(failure, Exception):
                raise failure
            return failure, {"error": "temporarily_unavailable"}
        if b64decode(headers["Authorization"].removeprefix("Basic ")) != b"id:secret":
            return 401, {"error": "invalid_client"}
        if self.time >= self.expiry:
            self.number, self.expiry = self.number + 1, self.time + LIFE
        left = int(self.expiry - self.time)
        return 200, {"access_token": f"token-{self.number}", "token_type": "Bearer", "expires_in": left}

    def _revoke(self, url, headers, body):
        token = parse_qs(body)["token"][0]
        self.dead.add(token)
        self.ended.append((WORK.get(), token))
        if token == f"token-{self.number}":
            self.expiry = 0.0
        return 200, {"status": "revoked"}

    def _accepts(self, headers) -> bool:
        bearer = headers.get("Authorization") == f"Bearer token-{self.number}"
        return bearer and self.time < self.expiry

    def _login(self, url, headers, body):
        if not self._accepts(headers):
            return 401, {"fault": {"code": "900901"}}
        given = json.loads(body)
        if self.passwords.get(given["username"]) != given["password"]:
            self.wrong_passwords.append((given["username"], given["password"]))
            return 400, {"errorCode": "UnifiedWebService.REQUEST_FAILED.Unexpected", "errorMessage": "no"}
        session = f"session-{len(self.owners) + 1}"
        self.sessions.add(session)
        self.owners[session] = given["username"]
        return 200, {"sessionToken": session}

    def _logout(self, url, headers, body):
        if not self._accepts(headers):
            return 401, {"fault": {"code": "900901"}}
        session = headers["VZ-M2M-Token"]
        self.sessions.discard(session)
        self.ended.append((WORK.get(), session))
        return 200, {"sessionToken": session}

    def _api(self, url, headers, body):
        sent = str(headers.get("Authorization", "")).removeprefix("Bearer ")
        call = Call(url, body, sent or None, headers.get("VZ-M2M-Token"))
        self.calls.append(call)
        call.status, document = 200, {}
        if url == ELSEWHERE:
            pass
        elif not self._accepts(headers):
            call.status, document = 401, {"fault": {"code": "900901"}}
        elif url.startswith(M2M) and call.session not in self.sessions:
            call.status, document = 400, {"errorCode": "UnifiedWebService.SessionToken.Expired"}
        elif url == AWAY:
            call.status = 302
        return call.status, document


class Wire(HTTPAdapter):
    """An adapter behind which is a ThingSpace."""

    thingspace: ThingSpace

    def send(self, request, stream=False, timeout=None, verify=True, cert=None, proxies=None):
        """Give the answer of the ThingSpace, as requests' own adapter would."""
        body = request.body.read() if hasattr(request.body, "read") else request.body or ""
        text = body.decode() if isinstance(body, bytes) else str(body)
        status, document = self.thingspace.answer(request.method, request.url, request.headers, text)
        response = requests.Response()
        response.status_code, response.url, response.request = status, request.url, request
        response.headers["Content-Type"] = "application/json"
        if status == 302:
            response.headers["Location"] = ELSEWHERE
        response.raw = io.BytesIO(json.dumps(document).encode())
        response.connection = self
        return response


class WiredAdapter(ThingspaceAdapter, Wire):
    """Face two over the wire."""


def connect(thingspace: ThingSpace, face: str, **arguments) -> tuple[requests.Session, ThingspaceAuth]:
    """A Session over the wire that has an auth by `face`, and that auth."""
    session = requests.Session()
    session.trust_env = False
    wire = Wire()
    wire.thingspace = thingspace
    session.mount("https://", wire)
    auth = ThingspaceAuth(
        "id", "secret", **{"session": session, "clock": thingspace.clock, "timeout": 20.0, **arguments}
    )
    if face == "auth":
        session.auth = auth
        return session, auth
    adapter = WiredAdapter(auth)
    adapter.thingspace = thingspace
    mounted = mount(requests.Session(), auth)
    mounted.trust_env = False
    mounted.mount("https://", wire)
    for prefix in [prefix for prefix in mounted.adapters if "verizon" in prefix]:
        mounted.mount(prefix, adapter)
    return mounted, auth
