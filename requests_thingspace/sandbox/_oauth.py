"""One token per client and set of scopes: the same one, with the life that is left, until it expires.

"The token will be valid for one hour from when it was first issued, and any further token requests during
that hour will return the same token"; after a revocation "the next token request will return a new token"
(https://thingspace.verizon.com/documentation/apis/device-diagnostics/getting-started/get-credentials.html).
"""

from __future__ import annotations

import math
import secrets
import threading
from base64 import b64decode
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

from ._messages import Answer, Request, json_answer, missing_credentials, oauth_refusal, wrong_client

FULL_ACCESS = ("ts.application.ro", "ts.mec.fullaccess")
"""What a request without a scope is granted (5G Edge, "Getting Started")."""

SCOPES = {*FULL_ACCESS, "ts.mec.limitaccess", "read", "write", "discovery:read", "edge:discovery:read"} | {
    f"{kind}:{access}"
    for kind in ("serviceprofile", "serviceregistry", "edge:serviceprofile", "edge:serviceregistry")
    for access in ("read", "write")
}
"""All that Verizon's SDK 1.7.0 lists (``OauthScopeThingspaceOauthEnum``)."""


@dataclass(repr=False)
class OAuth:
    """The tokens of one client, and the endpoints for them.

    A lenient one takes every key and secret, and gives each key a token of its own.
    """

    now: Callable[[], float]
    client_id: str
    client_secret: str
    life: float  # of a token, in seconds
    lenient: bool
    _lock: threading.Lock = field(default_factory=threading.Lock)  # guards all below
    _current: dict[tuple[str, frozenset[str]], str] = field(default_factory=dict)
    _issued_at: dict[str, float] = field(default_factory=dict)

    def token(self, request: Request) -> Answer:
        """``POST /api/ts/v1/oauth2/token``: the fields of Verizon's sample, and its scope's leading space.

        What ThingSpace says to an unknown scope, Verizon does not document. A token with less than one second
        left is not given out again: ``expires_in`` is never 0.
        """
        client_id, form = self._client_of(request), _form_of(request)
        grant = form.get("grant_type")
        if grant != "client_credentials":
            error = "unsupported_grant_type" if grant else "invalid_request"
            raise oauth_refusal(error, "The grant_type is client_credentials.")
        scopes = form.get("scope", "").split() or FULL_ACCESS
        if not SCOPES.issuperset(scopes):
            raise oauth_refusal("invalid_scope", "ThingSpace does not know this scope.")
        key = client_id, frozenset(scopes)
        with self._lock:
            token = self._current.get(key, "")
            left = self._left(token)
            if left < 1:
                token, left = secrets.token_hex(16), self.life
                self._current[key], self._issued_at[token] = token, self.now()
        scope = f" {' '.join(scopes)}"
        told = {"access_token": token, "scope": scope, "token_type": "Bearer", "expires_in": int(left)}
        return json_answer(told, headers={"Cache-Control": "no-store"})

    def revoke(self, request: Request) -> Answer:
        """``POST /api/ts/v1/oauth2/revoke``: "there is no response body".

        Verizon says that a header holds the revoked token, but not which, so the sandbox sends none. An
        unknown token is no error (RFC 7009 section 2.2).
        """
        self._client_of(request)
        token = _form_of(request).get("token")
        if not token:
            raise oauth_refusal("invalid_request", "The token is missing.")
        with self._lock:
            self._issued_at.pop(token, None)
        return Answer(200)

    def accepts(self, access_token: str) -> bool:
        with self._lock:
            return self._left(access_token) > 0

    def revoke_all(self) -> None:
        with self._lock:
            self._issued_at.clear()

    def _left(self, access_token: str) -> float:
        return self.life - (self.now() - self._issued_at.get(access_token, -math.inf))

    def _client_of(self, request: Request) -> str:
        """The key by which a client has proved itself, with HTTP Basic (RFC 6749 section 2.3.1)."""
        scheme, _, encoded = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "basic":
            raise missing_credentials("Basic")
        try:
            given = b64decode(encoded, validate=True)
        except ValueError:
            raise wrong_client() from None
        client_id, colon, _ = given.partition(b":")
        if given != f"{self.client_id}:{self.client_secret}".encode() and not (self.lenient and colon):
            raise wrong_client()
        return client_id.decode("utf-8", "replace")


def _form_of(request: Request) -> dict[str, str]:
    """The parameters in the body; those in the query of the URL do not count."""
    return dict(parse_qsl(request.body.decode("utf-8", "replace")))
