"""ThingSpace's OAuth endpoints: fetch a token, revoke a token.

The law here: oauthlib writes the token request and requests-oauthlib sends it, over this library's
bounded wire; what comes back is judged before oauthlib sees it. requests-oauthlib logs what passes
through it at DEBUG, so that it is shown stand-ins in place of the credentials and the token.

This is the only module that imports oauthlib and requests_oauthlib; their import takes longer than
that of all other rooms together, so it is imported when the first token is asked for.
"""

from __future__ import annotations

import time
from base64 import b64encode
from collections.abc import Callable
from typing import Any

import requests
from oauthlib.oauth2 import BackendApplicationClient
from requests.auth import HTTPBasicAuth
from requests_oauthlib import OAuth2Session

from ._answers import Answer, judged
from ._environment import Environment
from ._errors import TokenRequestError
from ._tokens import OAuthToken
from ._wire import Route, exchange

_HEADERS = {
    "Accept": "application/json",
    "Accept-Encoding": "identity",
    "Content-Type": "application/x-www-form-urlencoded",
    "User-Agent": requests.utils.default_user_agent(),
}
_HINT = {
    400: "Check the scopes and the token URL.",
    401: "Check client_id and client_secret.",
    403: "Check client_id and client_secret, and that they belong to this environment.",
    404: "Check the environment's token_url and revoke_url.",
}


class ClientCredentials:
    """An id and a secret that ThingSpace knows (RFC 6749 section 4.4)."""

    def __init__(
        self,
        client_id: str,
        client_secret: str,
        environment: Environment,
        *,
        scopes: tuple[str, ...] = (),
        timeout: float = 30.0,
        wall: Callable[[], float] = time.time,
    ) -> None:
        """Remember whom to ask and how.

        Args:
            client_id: the key of the key pair.
            client_secret: its secret.
            environment: where the endpoints are.
            scopes: scopes to ask for; none asks for what ThingSpace grants by itself.
            timeout: seconds for one whole exchange, retries included.
            wall: the wall clock, Unix time in seconds.
        """
        self._client_id = client_id
        self._basic = HTTPBasicAuth(client_id.encode(), client_secret.encode())
        self._secrets = (client_secret, b64encode(f"{client_id}:{client_secret}".encode()).decode())
        self._environment = environment
        self._scopes = scopes
        self._timeout = timeout
        self._wall = wall

    def fetch(self, route: Route) -> OAuthToken:
        """Ask the token endpoint for a token.

        ThingSpace gives the same token, with the life that remains, until it expires ("Get
        Credentials" page): a fetched token need not be a new one.

        Raises:
            TokenRequestError: it refused or gave no usable answer.
            InvalidTokenError: its token cannot be sent as a bearer token.
            requests.RequestException: it could not be reached in time.
        """

        def send(request: requests.PreparedRequest) -> Answer:
            return self._exchange(request, route)

        client = BackendApplicationClient(self._client_id)
        with _JudgedSession(client, self._environment.token_url, send, self._judge) as session:
            asked: dict[str, Any] = {"scope": " ".join(self._scopes)} if self._scopes else {}
            session.fetch_token(_as_https(session.url), auth=self._basic, headers=_HEADERS, **asked)
            return _token_from(session.document, session.sent_at)

    def revoke(self, access_token: str, route: Route) -> None:
        """Revoke a token: the next token request gives a new one ("Get Credentials" page).

        Raises:
            TokenRequestError: the revoke endpoint refused.
            requests.RequestException: it could not be reached in time.
        """
        request = requests.Request(
            "POST",
            self._environment.revoke_url,
            data={"grant_type": "client_credentials", "token": access_token},
            headers=_HEADERS,
            auth=self._basic,
        )
        answer = self._exchange(request.prepare(), route, access_token)
        if not 200 <= answer.status < 300:
            self._judge(answer, "revoke endpoint", access_token)

    def _exchange(self, request: requests.PreparedRequest, route: Route, *secrets: str) -> Answer:
        """One repeatable exchange with an OAuth endpoint."""
        return exchange(
            request,
            route,
            self._timeout,
            repeatable=True,
            error=TokenRequestError,
            secrets=(*self._secrets, *secrets),
            wall=self._wall,
        )

    def _judge(self, answer: Answer, who: str = "token endpoint", *secrets: str) -> dict[str, Any]:
        """The document of a good answer, an error for any other."""
        hint = _HINT.get(answer.status, "")
        return judged(answer, who, TokenRequestError, (*self._secrets, *secrets), hint)


class _JudgedSession(OAuth2Session):
    """An OAuth2Session that sends over a given wire and tells oauthlib only what it may know.

    ``fetch_token`` logs the request's headers, the answer's text and the token at DEBUG, in a logger
    that belongs to others. So the answer that it sees is a stand-in; the real one stays here.
    """

    def __init__(
        self,
        client: BackendApplicationClient,
        url: str,
        send: Callable[[requests.PreparedRequest], Answer],
        judge: Callable[[Answer], dict[str, Any]],
    ) -> None:
        super().__init__(client=client)
        self.url = url
        self.document: dict[str, Any] = {}
        self.sent_at = 0.0
        self._send_token_request = send
        self._judge = judge

    def request(self, *_: Any, **asked: Any) -> requests.Response:
        """Send the token request, keep the judged answer, and give back a stand-in for it."""
        asked = {name: asked[name] for name in ("method", "data", "headers", "auth")}
        real = requests.Request(url=self.url, **asked)
        answer = self._send_token_request(real.prepare())
        self.document, self.sent_at = self._judge(answer), answer.sent_at
        stand_in = requests.Response()
        stand_in.status_code = answer.status
        stand_in.request = requests.Request("POST", self.url).prepare()
        stand_in._content = b'{"access_token": "(kept out of the log)", "token_type": "Bearer"}'
        return stand_in


def _token_from(document: dict[str, Any], sent_at: float) -> OAuthToken:
    """The token of an answer, whose expiry counts from `sent_at`, whatever other moments it names."""
    names = ("access_token", "token_type", "expires_in", "scope")
    return OAuthToken.from_dict({name: document.get(name) for name in names}, now=sent_at)


def _as_https(url: str) -> str:
    """`url` as oauthlib accepts it: it refuses http even to loopback, where Environment allows it."""
    return url.replace("http://", "https://", 1) if url.startswith("http://") else url
