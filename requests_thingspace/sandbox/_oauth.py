"""One token per client and set of scopes: the same one, with the life that is left, until it expires.

"The token will be valid for one hour from when it was first issued, and any further token requests during
that hour will return the same token"; after a revocation "the next token request will return a new token"
(https://thingspace.verizon.com/documentation/apis/device-diagnostics/getting-started/get-credentials.html).
oauthlib's `BackendApplicationServer` judges the requests (RFC 6749 section 4.4, RFC 7009).
"""

from __future__ import annotations

import base64
import secrets
import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from oauthlib.oauth2 import BackendApplicationServer, InvalidClientError, RequestValidator

from ._answers import missing_credentials
from ._clock import SandboxClock
from ._http import Answer, Request

FULL_ACCESS = ("ts.application.ro", "ts.mec.fullaccess")
"""What a request without a scope is granted (5G Edge, "Getting Started")."""

SCOPES = {*FULL_ACCESS, "ts.mec.limitaccess", "read", "write", "discovery:read", "edge:discovery:read"} | {
    f"{kind}:{access}"
    for kind in ("serviceprofile", "serviceregistry", "edge:serviceprofile", "edge:serviceregistry")
    for access in ("read", "write")
}
"""All that Verizon's SDK 1.7.0 lists (``OauthScopeThingspaceOauthEnum``)."""


class _TokenDict(dict[str, Any]):
    """A token answer that prints without its token: oauthlib logs at DEBUG what it issues."""

    def __repr__(self) -> str:
        return "<token answer>"


class OAuth(RequestValidator):
    """The tokens of one client, the endpoints for them, and what oauthlib asks about the client.

    A token lives for `life` seconds on the sandbox's clock. A lenient one takes every key and secret, and
    gives each key a token of its own.
    """

    def __init__(
        self, clock: SandboxClock, client_id: str, client_secret: str, life: float, *, lenient: bool
    ) -> None:
        self._clock = clock
        self._client_id = client_id
        self.client_secret = client_secret
        self._life = life
        self._lenient = lenient
        self._lock = threading.Lock()  # guards _current and _issued_at
        self._current: dict[tuple[str, frozenset[str]], str] = {}
        self._issued_at: dict[str, float] = {}
        self._server = BackendApplicationServer(
            self, token_generator=lambda request: str(request.granted), token_expires_in=self._grant
        )
        self._server.credentials_grant.register_token_modifier(_as_thingspace_says_it)

    def token(self, request: Request) -> Answer:
        """``POST /api/ts/v1/oauth2/token``.

        An unknown scope is ``invalid_scope`` (RFC 6749 section 5.2); what ThingSpace says to it, and to
        the wrong secret, Verizon does not document.
        """
        return _ask(self._server.create_token_response, request)

    def revoke(self, request: Request) -> Answer:
        """``POST /api/ts/v1/oauth2/revoke``: "there is no response body".

        Verizon says that a header holds the revoked token, but not which, so the sandbox sends none.
        """
        return _ask(self._server.create_revocation_response, request)

    def accepts(self, access_token: str) -> bool:
        """Whether an API call with this bearer is let in."""
        with self._lock:
            return self._left(access_token) > 0

    def revoke_all(self) -> None:
        """End all tokens."""
        with self._lock:
            self._issued_at.clear()

    def _grant(self, request: Any) -> int:
        """Seconds for ``expires_in``; oauthlib asks this first, so the token is found here.

        A token with less than one second left is not given out again: ``expires_in`` is never 0.
        """
        key = request.client_id, frozenset(request.scopes)
        with self._lock:
            token = self._current.get(key, "")
            left = self._left(token)
            if left < 1:
                token, left = secrets.token_hex(16), self._life
                self._current[key] = token
                self._issued_at[token] = self._clock.monotonic()
        request.granted = token
        return int(left)

    def _left(self, access_token: str) -> float:
        issued_at = self._issued_at.get(access_token)
        return 0 if issued_at is None else self._life - (self._clock.monotonic() - issued_at)

    # oauthlib's questions

    def authenticate_client(self, request: Any, *args: Any, **kwargs: Any) -> bool:
        """HTTP Basic (RFC 6749 section 2.3.1); WSO2's words for a wrong key or secret."""
        encoded = request.headers.get("Authorization", "").partition(" ")[2]
        try:
            given = base64.b64decode(encoded, validate=True)
        except ValueError:
            given = b""
        client_id, colon, _ = given.partition(b":")
        right = given == f"{self._client_id}:{self.client_secret}".encode()
        if not (right or (self._lenient and colon)):
            raise InvalidClientError(description="Client Authentication failed.", request=request)
        request.client = SimpleNamespace(client_id=client_id.decode("utf-8", "replace"))
        return True

    def validate_grant_type(self, client_id: str, grant_type: str, *args: Any, **kwargs: Any) -> bool:
        return grant_type == "client_credentials"

    def get_default_scopes(self, *args: Any, **kwargs: Any) -> list[str]:
        return list(FULL_ACCESS)

    def validate_scopes(self, client_id: str, scopes: list[str], *args: Any, **kwargs: Any) -> bool:
        return SCOPES.issuperset(scopes)

    def save_bearer_token(self, *args: Any, **kwargs: Any) -> None:
        """The ledger has it already."""

    def revoke_token(self, token: str, *args: Any, **kwargs: Any) -> None:
        """End this token; an unknown one is no error (RFC 7009 section 2.2)."""
        with self._lock:
            self._issued_at.pop(token, None)


def _ask(respond: Callable[..., Any], request: Request) -> Answer:
    """What oauthlib answers; parameters in the query of the URL do not reach it."""
    authorization = request.headers.get("authorization", "")
    if not authorization.lower().startswith("basic "):
        return missing_credentials("Basic")
    body = request.start.decode("utf-8", "replace")
    url = f"https://localhost{request.path}"
    headers, content, status = respond(url, "POST", body, {"Authorization": authorization})
    return Answer(status, content.encode(), headers)


def _as_thingspace_says_it(token: dict[str, Any], *_: Any) -> dict[str, Any]:
    """Verizon's sample: the fields in its order, the scope with its leading space."""
    order = ("access_token", "scope", "token_type", "expires_in")
    return _TokenDict({name: token[name] for name in order}, scope=f" {token['scope']}")
