"""ThingSpace's M2M session: log in, log out, and never lock the account.

The law here: ThingSpace locks an account after five failed logins in a row and only Verizon's support
can unlock it ("Start Connectivity Management Session" page). So a login that may have arrived is not
sent again, and the first refusal is the last until the credentials change.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any, Protocol

import requests

from ._answers import Answer, json_object, judged
from ._environment import Environment
from ._errors import LoginError, LoginRefusedError, same_again
from ._tokens import OAuthToken, SessionToken
from ._wire import Route, exchange

_HOW_TO_GO_ON = (
    "It is not tried again, since five failed logins lock the account: "
    "correct username and password, then call auth.reset()."
)


class BearerSource(Protocol):
    """Where a login gets its bearer: the manager of the OAuth token."""

    def get(self, route: Route) -> OAuthToken:
        """The current token."""

    def replace(self, value: str, route: Route) -> OAuthToken | None:
        """Another token than the rejected `value`, ``None`` where there is none."""


class SessionLogin:
    """The login of one M2M user, and the latch that protects the account.

    Attributes:
        refused: the refusal that is latched, ``None`` where there is none.
    """

    def __init__(
        self,
        username: str,
        password: str,
        environment: Environment,
        bearers: BearerSource,
        *,
        timeout: float = 30.0,
    ) -> None:
        """Remember whom to log in and how; nothing is sent.

        Args:
            username: the UWS user.
            password: its password.
            environment: where the endpoints are.
            bearers: gives the OAuth token that a login needs.
            timeout: seconds for one whole exchange.
        """
        self._username = username
        self._password = password
        self._environment = environment
        self._bearers = bearers
        self._timeout = timeout
        self.refused: LoginRefusedError | None = None

    def fingerprint(self, key: str) -> str:
        """A keyed hash by which these credentials are known again, without holding them.

        Args:
            key: the client secret; without it the hash cannot be used to guess the password.
        """
        words = json.dumps([self._environment.login_url, self._username, self._password])
        return hmac.new(key.encode(), words.encode(), hashlib.sha256).hexdigest()

    def fetch(self, route: Route) -> SessionToken:
        """Log in.

        A 401 speaks of the bearer, not of the user: it is replaced once and the login sent again.

        Raises:
            LoginRefusedError: ThingSpace refuses these credentials, now or before.
            LoginError: it gave no usable answer; nothing is latched.
            InvalidTokenError: its session token cannot be sent as a header.
            requests.RequestException: it could not be reached in time.
        """
        if self.refused is not None:
            raise same_again(self.refused)
        bearer = self._bearers.get(route)
        answer = self._send_login(bearer, route)
        if answer.status == 401 and not _refuses_credentials(answer):
            other = self._bearers.replace(bearer.access_token, route)
            if other is not None:
                bearer, answer = other, self._send_login(other, route)
        return self._session_from(answer, bearer)

    def logout(self, token: SessionToken, route: Route) -> None:
        """End a session ("End Connectivity Management Session" page).

        Raises:
            LoginError: ThingSpace did not end it.
            requests.RequestException: it could not be reached in time.
        """
        bearer = self._bearers.get(route)
        headers = {"VZ-M2M-Token": token.session_token}
        answer = self._send(self._environment.logout_url, bearer, route, headers=headers)
        if not 200 <= answer.status < 300:
            judged(answer, "M2M logout", LoginError, (bearer.access_token, token.session_token))

    def _send_login(self, bearer: OAuthToken, route: Route) -> Answer:
        """Send the login once."""
        body = json.dumps({"username": self._username, "password": self._password})
        headers = {"Content-Type": "application/json"}
        return self._send(self._environment.login_url, bearer, route, headers=headers, body=body)

    def _send(
        self, url: str, bearer: OAuthToken, route: Route, *, headers: dict[str, str], body: str | None = None
    ) -> Answer:
        """One exchange that is repeated only where there was no connection to send it on."""
        headers = {
            "Accept": "application/json",
            "Accept-Encoding": "identity",
            "Authorization": bearer.authorization,
            "User-Agent": requests.utils.default_user_agent(),
            **headers,
        }
        request = requests.Request("POST", url, data=body, headers=headers).prepare()
        secrets = (bearer.access_token, self._password)
        return exchange(request, route, self._timeout, repeatable=False, error=LoginError, secrets=secrets)

    def _session_from(self, answer: Answer, bearer: OAuthToken) -> SessionToken:
        """The session token of a good answer; a refusal is latched."""
        try:
            document = judged(answer, "M2M login", LoginError, (self._password, bearer.access_token))
        except LoginError as error:
            if not _refuses_credentials(answer):
                raise
            self.refused = LoginRefusedError(
                f"{error} {_HOW_TO_GO_ON}",
                status=error.status,
                code=error.code,
                description=error.description,
            )
            raise self.refused from None
        session_token: Any = document.get("sessionToken")
        return SessionToken(session_token)


def _refuses_credentials(answer: Answer) -> bool:
    """Whether the platform said no, and neither the gateway before it nor a failing server.

    Its errors have an ``errorCode``. What it says to a wrong password is not documented, so that any
    other JSON object with 400 or 403 counts too: a needless ``reset()`` costs less than a locked account.
    """
    document = json_object(answer.body) or {}
    if document.get("errorCode"):
        return answer.status < 500
    return answer.status in (400, 403) and bool(document) and "fault" not in document
