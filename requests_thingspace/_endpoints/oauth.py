"""ThingSpace's OAuth endpoints: fetch a token, revoke a token.

oauthlib writes the token request and requests-oauthlib sends it, over this library's bounded exchange;
what comes back is judged before oauthlib sees it. requests-oauthlib logs what passes through it at DEBUG,
so it is shown stand-ins for the credentials and the token.

This is the only module that imports oauthlib and requests_oauthlib. Their import takes longer than that
of everything else here, so it is imported when the first token is asked for.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from contextvars import copy_context
from typing import Any, NamedTuple

import requests
from oauthlib.oauth2 import BackendApplicationClient
from requests.auth import AuthBase
from requests_oauthlib import OAuth2Session

from .._errors import TokenRequestError
from .._settings import Settings
from .._tokens import OAuthToken
from .._values import Secret, keyed_hash
from .answers import Answer, json_or_raise
from .exchange import Exchange, Transport, quiet

_STAND_IN_URL = "https://thingspace.invalid"  # oauthlib refuses http even to loopback, which is allowed here
_HINT = {
    400: "Check the scopes and the token URL.",
    401: "Check client_id and client_secret.",
    403: "Check client_id and client_secret, and that they belong to this environment.",
    404: "Check the environment's token_url and revoke_url.",
}


class OAuthEndpoints(NamedTuple):
    """The token and revoke endpoints, as one client sees them (RFC 6749 section 4.4)."""

    settings: Settings

    def fetch(self, client_secret: Secret[str], transport: Transport) -> OAuthToken:
        """Ask the token endpoint for a token.

        ThingSpace returns the same token, with its remaining life, until it expires ("Get
        Credentials" page): a fetched token need not be a new one.
        """
        scope = " ".join(self.settings.scopes) or None

        def ask(form: Secret[Any]) -> OAuthToken:
            answer = self._post(self.settings.environment.token_url, form, client_secret, transport)
            document = self._judged(answer, "token request", client_secret)
            # its expiry counts from the sending, whatever other moments the answer names
            names = ("access_token", "token_type", "expires_in", "scope")
            return OAuthToken.from_dict(
                {name: document.reveal().get(name) for name in names}, now=answer.sent_at
            )

        with _JudgedSession(self.settings.client_id, ask) as session:
            context = copy_context()  # its own, of which an interrupt leaves nothing behind
            context.run(quiet.set, True)  # else the stand-ins that requests-oauthlib is shown would be logged
            context.run(session.fetch_token, _STAND_IN_URL, auth=AuthBase(), scope=scope)
            return session.found

    def revoke(self, client_secret: Secret[str], token: OAuthToken, transport: Transport) -> int:
        """Revoke a token: the next token request gives a new one ("Get Credentials" page)."""
        form = Secret({"grant_type": "client_credentials", "token": token.access_token})
        url = self.settings.environment.revoke_url
        answer = self._post(url, form, client_secret, transport)
        if not answer.is_success:
            self._judged(answer, "revocation", client_secret)
        return answer.status

    def fingerprint(self, client_secret: Secret[str]) -> str:
        """A keyed hash by which these credentials are known again, without holding them."""
        words = Secret([self.settings.environment.token_url, self.settings.client_id])
        return keyed_hash(client_secret, words)

    def _post(self, url: str, form: Secret[Any], client_secret: Secret[str], transport: Transport) -> Answer:
        """Send a form with HTTP Basic in UTF-8 (RFC 7617), as RFC 6749 section 2.3.1 has it."""
        pair = Secret(f"{self.settings.client_id}:{client_secret.reveal()}".encode())
        basic = Secret(f"Basic {b64encode(pair.reveal()).decode()}")
        secrets = (client_secret, Secret(form.reveal().get("token", "")))
        exchange = Exchange(transport, self.settings, TokenRequestError, secrets, repeatable=True)
        return exchange.call(url, basic, Secret({"data": form.reveal()}))

    def _judged(self, answer: Answer, what: str, client_secret: Secret[str]) -> Secret[dict[str, Any]]:
        """The document of a good answer; the error of any other says whether the credentials were refused."""
        try:
            return json_or_raise(answer, what, TokenRequestError, _HINT.get(answer.status, ""))
        except TokenRequestError as error:
            if answer.status in (401, 403) or error.code in ("invalid_client", "unauthorized_client"):
                error.refused_credentials = self.fingerprint(client_secret)
            raise


class _JudgedSession(OAuth2Session):  # type: ignore[misc,unused-ignore]  # it has types only in a stub package
    """An OAuth2Session that is shown a stand-in for the answer.

    ``fetch_token`` logs headers, answer and token at DEBUG, in a logger that belongs to others.
    """

    found: OAuthToken

    def __init__(self, client_id: str, ask: Callable[[Secret[Any]], OAuthToken]) -> None:
        super().__init__(client=BackendApplicationClient(client_id))
        self._ask = ask

    def request(self, *_: Any, **asked: Any) -> requests.Response:
        """Send the token request, keep its token, and return a stand-in for the answer."""
        self.found = self._ask(Secret(asked["data"]))
        stand_in = requests.Response()
        stand_in.status_code = 200
        stand_in.request = requests.Request("POST", _STAND_IN_URL).prepare()
        stand_in._content = b'{"access_token": "(kept out of the log)", "token_type": "Bearer"}'
        return stand_in
