"""ThingSpace's OAuth endpoints: fetch a token, revoke a token.

oauthlib writes the token request and requests-oauthlib sends it, over this library's bounded exchange;
what comes back is judged before oauthlib sees it. requests-oauthlib logs what passes through it at DEBUG,
so it is shown stand-ins for the credentials and the token.

This is the only module that imports oauthlib and requests_oauthlib. Their import takes longer than that
of everything else here, so it is imported when the first token is asked for.
"""

from __future__ import annotations

import hashlib
import hmac
from base64 import b64encode
from collections.abc import Callable
from contextvars import copy_context
from typing import Any

import requests
from oauthlib.oauth2 import BackendApplicationClient
from requests.auth import AuthBase, HTTPBasicAuth
from requests_oauthlib import OAuth2Session

from .._errors import TokenRequestError
from .._settings import Settings
from .._tokens import OAuthToken
from .._values import Secret
from .answers import Answer, json_or_raise
from .exchange import HEADERS, Exchange, Transport, quiet

_HEADERS = {**HEADERS, "Content-Type": "application/x-www-form-urlencoded"}
_STAND_IN_URL = "https://thingspace.invalid"  # oauthlib refuses http even to loopback, which is allowed here
_HINT = {
    400: "Check the scopes and the token URL.",
    401: "Check client_id and client_secret.",
    403: "Check client_id and client_secret, and that they belong to this environment.",
    404: "Check the environment's token_url and revoke_url.",
}


class OAuthEndpoints:
    """The token and revoke endpoints, as one client sees them (RFC 6749 section 4.4)."""

    def __init__(self, settings: Settings) -> None:
        """Remember whom to ask and how."""
        self._settings = settings

    def fetch(self, client_secret: Secret[str], transport: Transport) -> OAuthToken:
        """Ask the token endpoint for a token.

        ThingSpace returns the same token, with its remaining life, until it expires ("Get
        Credentials" page): a fetched token need not be a new one.

        Raises:
            TokenRequestError: it refused or gave no usable answer.
            InvalidTokenError: its token cannot be sent as a bearer token.
            requests.RequestException: it could not be reached in time.
        """
        basic, exchange = self._basic(client_secret), self._exchange(client_secret, transport)
        scope = " ".join(self._settings.scopes) or None

        def ask(request: requests.PreparedRequest) -> OAuthToken:
            answer = exchange.call(basic(request), repeatable=True)
            document = self._judged(answer, "token request", client_secret, exchange)
            # its expiry counts from the sending, whatever other moments the answer names
            names = ("access_token", "token_type", "expires_in", "scope")
            return OAuthToken.from_dict(
                {name: document.reveal().get(name) for name in names}, now=answer.sent_at
            )

        with _JudgedSession(self._settings, ask) as session:
            context = copy_context()  # its own, of which an interrupt leaves nothing behind
            context.run(quiet.set, True)  # else the stand-ins that requests-oauthlib is shown would be logged
            context.run(session.fetch_token, _STAND_IN_URL, auth=AuthBase(), headers=_HEADERS, scope=scope)
            return session.found

    def revoke(self, client_secret: Secret[str], token: OAuthToken, transport: Transport) -> int:
        """Revoke a token: the next token request gives a new one ("Get Credentials" page).

        Returns:
            The HTTP status.

        Raises:
            TokenRequestError: the revoke endpoint refused.
            requests.RequestException: it could not be reached in time.
        """
        request = requests.Request(
            "POST",
            self._settings.environment.revoke_url,
            data={"grant_type": "client_credentials", "token": token.access_token},
            headers=_HEADERS,
            auth=self._basic(client_secret),
        ).prepare()
        exchange = self._exchange(client_secret, transport, token.secret)
        answer = exchange.call(request, repeatable=True)
        if not answer.is_success:
            self._judged(answer, "revocation", client_secret, exchange)
        return answer.status

    def fingerprint(self, client_secret: Secret[str]) -> str:
        """A keyed hash by which these credentials are known again, without holding them."""
        words = f"{self._settings.environment.token_url}\0{self._settings.client_id}".encode()
        return hmac.new(client_secret.reveal().encode(), words, hashlib.sha256).hexdigest()

    def _basic(self, client_secret: Secret[str]) -> HTTPBasicAuth:
        """HTTP Basic in UTF-8 (RFC 7617), as RFC 6749 section 2.3.1 has it."""
        return HTTPBasicAuth(self._settings.client_id.encode(), client_secret.reveal().encode())

    def _exchange(self, client_secret: Secret[str], transport: Transport, *more: Secret[str]) -> Exchange:
        """How the endpoints are talked to; what HTTP Basic makes of the secret is one too."""
        timeout, wall = self._settings.timeout, self._settings.clock.wall
        pair = Secret(f"{self._settings.client_id}:{client_secret.reveal()}".encode())
        secrets = (client_secret, Secret(b64encode(pair.reveal()).decode()), *more)
        return Exchange(transport, timeout, TokenRequestError, secrets, wall)

    def _judged(
        self, answer: Answer, what: str, client_secret: Secret[str], exchange: Exchange
    ) -> Secret[dict[str, Any]]:
        """The document of a good answer.

        Raises:
            TokenRequestError: it is not one; the error says whether the credentials were refused.
        """
        try:
            hint = _HINT.get(answer.status, "")
            return json_or_raise(answer, what, TokenRequestError, exchange.secrets, hint)
        except TokenRequestError as error:
            if answer.status in (401, 403) or error.code in ("invalid_client", "unauthorized_client"):
                error.refused_credentials = self.fingerprint(client_secret)
            raise


class _JudgedSession(OAuth2Session):  # type: ignore[misc,unused-ignore]  # it has types only in a stub package
    """An OAuth2Session that sends by a given way and tells oauthlib only what it may know.

    ``fetch_token`` logs the request's headers, the answer's text and the token at DEBUG, in a logger
    that belongs to others. So the answer that it sees is a stand-in; the real one stays here.
    """

    found: OAuthToken

    def __init__(self, settings: Settings, ask: Callable[[requests.PreparedRequest], OAuthToken]) -> None:
        super().__init__(client=BackendApplicationClient(settings.client_id))
        self._url, self._ask = settings.environment.token_url, ask

    def request(self, *_: Any, **asked: Any) -> requests.Response:
        """Send the token request, keep its token, and return a stand-in for the answer."""
        asked = {name: asked[name] for name in ("method", "data", "headers")}
        self.found = self._ask(requests.Request(url=self._url, **asked).prepare())
        stand_in = requests.Response()
        stand_in.status_code = 200
        stand_in.request = requests.Request("POST", self._url).prepare()
        stand_in._content = b'{"access_token": "(kept out of the log)", "token_type": "Bearer"}'
        return stand_in
