"""One token per client and set of scopes: the same one, with the life that is left, until it expires.

"The token will be valid for one hour from when it was first issued, and any further token requests during
that hour will return the same token"; after a revocation "the next token request will return a new token"
(https://thingspace.verizon.com/documentation/apis/device-diagnostics/getting-started/get-credentials.html).
oauthlib's `BackendApplicationServer` judges the requests (RFC 6749 section 4.4, RFC 7009).
"""

from __future__ import annotations

import base64
import hmac
import secrets
import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from oauthlib.oauth2 import BackendApplicationServer, InvalidClientError, RequestValidator

from ._answers import Answer, missing_credentials
from ._clock import SandboxClock
from ._requests import Request

FULL_ACCESS = ("ts.application.ro", "ts.mec.fullaccess")
"""What a request without a scope is granted (5G Edge, "Getting Started")."""

SCOPES = frozenset(
    (
        *FULL_ACCESS,
        *("ts.mec.limitaccess", "read", "write", "discovery:read", "edge:discovery:read"),
        *("serviceprofile:read", "serviceprofile:write"),
        *("serviceregistry:read", "serviceregistry:write"),
        *("edge:serviceprofile:read", "edge:serviceprofile:write"),
        *("edge:serviceregistry:read", "edge:serviceregistry:write"),
    )
)
"""All that Verizon's SDK 1.7.0 lists (``OauthScopeThingspaceOauthEnum``)."""


@dataclass(frozen=True)
class _Grant:
    """A token and the sandbox's monotonic time in seconds at which it was first issued."""

    access_token: str = field(repr=False)
    issued_at: float


class _TokenDict(dict[str, Any]):
    """A token answer that prints without its token: oauthlib logs at DEBUG what it issues."""

    def __repr__(self) -> str:
        return "<token answer>"


class TokenLedger:
    """The tokens that are alive, on the sandbox's clock."""

    def __init__(self, clock: SandboxClock, life: float) -> None:
        """Begin without tokens.

        Args:
            clock: decides how old a token is.
            life: seconds from the first issue of a token to its expiry.
        """
        self._clock = clock
        self._life = life
        self._lock = threading.Lock()  # guards _current and _alive
        self._current: dict[tuple[str, frozenset[str]], _Grant] = {}
        self._alive: dict[str, _Grant] = {}

    def grant(self, client_id: str, scopes: Collection[str]) -> tuple[str, int]:
        """The token of this client and these scopes, and the whole seconds that it has left.

        A token with less than one second left is not given out again: ``expires_in`` is never 0.
        """
        key = client_id, frozenset(scopes)
        with self._lock:
            now = self._clock.monotonic()
            grant = self._current.get(key)
            if grant is None or grant.access_token not in self._alive or self._left(grant, now) < 1:
                grant = _Grant(secrets.token_hex(16), now)
                self._current[key] = self._alive[grant.access_token] = grant
            return grant.access_token, int(self._left(grant, now))

    def accepts(self, access_token: str) -> bool:
        """Whether an API call with this bearer is let in."""
        with self._lock:
            grant = self._alive.get(access_token)
            return grant is not None and self._left(grant, self._clock.monotonic()) > 0

    def revoke(self, access_token: str) -> None:
        """End this token; an unknown one is no error (RFC 7009 section 2.2)."""
        with self._lock:
            self._alive.pop(access_token, None)

    def reset(self) -> None:
        """End all tokens."""
        with self._lock:
            self._current.clear()
            self._alive.clear()

    def _left(self, grant: _Grant, now: float) -> float:
        return self._life - (now - grant.issued_at)


class _Client(RequestValidator):
    """What oauthlib's server side asks about the one client that the sandbox knows."""

    def __init__(self, client_id: str, client_secret: str, ledger: TokenLedger) -> None:
        self._client_id = client_id
        self._credentials = f"{client_id}:{client_secret}".encode()
        self._ledger = ledger

    def authenticate_client(self, request: Any, *args: Any, **kwargs: Any) -> bool:
        """HTTP Basic (RFC 6749 section 2.3.1); WSO2's words for a wrong key or secret."""
        encoded = request.headers.get("Authorization", "").partition(" ")[2]
        try:
            given = base64.b64decode(encoded, validate=True)
        except ValueError:
            given = b""
        if not hmac.compare_digest(given, self._credentials):
            raise InvalidClientError(description="Client Authentication failed.", request=request)
        request.client = SimpleNamespace(client_id=self._client_id)
        return True

    def validate_grant_type(
        self, client_id: str, grant_type: str, client: Any, request: Any, *args: Any, **kwargs: Any
    ) -> bool:
        return grant_type == "client_credentials"

    def get_default_scopes(self, client_id: str, request: Any, *args: Any, **kwargs: Any) -> list[str]:
        return list(FULL_ACCESS)

    def validate_scopes(
        self, client_id: str, scopes: list[str], client: Any, request: Any, *args: Any, **kwargs: Any
    ) -> bool:
        return SCOPES.issuperset(scopes)

    def save_bearer_token(self, token: Any, request: Any, *args: Any, **kwargs: Any) -> None:
        """The ledger has it already."""

    def revoke_token(self, token: str, token_type_hint: str, request: Any, *args: Any, **kwargs: Any) -> None:
        self._ledger.revoke(token)

    def life_left(self, request: Any) -> int:
        """Seconds for ``expires_in``; oauthlib asks this first, so that the token is found here."""
        request.granted, left = self._ledger.grant(request.client_id, request.scopes)
        return left

    def access_token(self, request: Any) -> str:
        return str(request.granted)


class OAuthEndpoints:
    """The token and the revoke endpoint."""

    def __init__(self, client_id: str, client_secret: str, ledger: TokenLedger) -> None:
        """Serve this one client."""
        client = _Client(client_id, client_secret, ledger)
        self._server = BackendApplicationServer(
            client, token_generator=client.access_token, token_expires_in=client.life_left
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


def _ask(respond: Callable[..., Any], request: Request) -> Answer:
    """What oauthlib answers; parameters in the query of the URL do not reach it."""
    if request.authorization.partition(" ")[0].lower() != "basic":
        return missing_credentials("Basic")
    headers, content, status = respond(
        f"https://localhost{request.path}",
        http_method="POST",
        body=request.start.decode("utf-8", "replace"),
        headers={"Authorization": request.authorization},
    )
    return Answer(status, content.encode(), headers)


def _as_thingspace_says_it(token: dict[str, Any], *_: Any) -> dict[str, Any]:
    """Verizon's sample: the fields in its order, the scope with its leading space."""
    return _TokenDict(
        access_token=token["access_token"],
        scope=f" {token['scope']}",
        token_type=token["token_type"],
        expires_in=token["expires_in"],
    )
