"""ThingSpace's M2M session: log in, log out, and never lock the account.

ThingSpace locks an account after five failed logins in a row, and only Verizon's support can unlock it
("Start Connectivity Management Session" page). So a login that may have arrived is not sent again, its
answer is heard even if its caller has gone, and the first refusal is the last until the credentials change.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import math
import os
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import requests

from .._environment import SESSION_HEADER
from .._errors import LoginError, LoginRefusedError, ThingspaceError, copy_of
from .._settings import Settings
from .._tokens import OAuthToken, SessionToken
from .._values import Secret
from .answers import Answer, is_session_error, json_object, json_or_raise
from .exchange import HEADERS, PAUSES, Exchange, Failure, Transport
from .worker import Call

LONGEST_WAIT = 60.0
"""Seconds for which the answer to a login is waited for when its caller has gone."""

_FIRST_PAUSE, _LONGEST_PAUSE = 2.0, 300.0  # seconds before the next login after unanswered ones
_MOST_REFUSALS = 2  # different passwords in a row; the account is locked after five
_HOW_TO_GO_ON = (
    "It is not tried again, since five failed logins lock the account: correct username and password, or "
    "have Verizon's support unlock the account, then call auth.reset()."
)


class _Credentials(NamedTuple):
    """A password as it was when it was asked for, and the fingerprint by which it is known again."""

    password: Secret[str]
    fingerprint: str


class _Attempt(NamedTuple):
    """A login on its way: what was sent since when (monotonic seconds), and by which process."""

    call: Call[Answer | Failure]
    credentials: _Credentials
    bearer: OAuthToken
    since: float
    pid: int

    @property
    def answer(self) -> Any:
        """The Answer, once the call is done and was answered."""
        return self.call.result()


class M2MEndpoints:
    """The login and logout of one M2M user.

    A login is ready, unanswered, answered or refused. The session's manager lets one caller at a time
    log in; the attempt that an interrupted caller has left behind is the next one's to conclude.

    Attributes:
        password: where the password comes from; ``None`` if there is only a session token.
        refusals: what was refused, by fingerprint.
    """

    __slots__ = (
        "_attempt", "_bearers", "_clock", "_key", "_not_before", "_settings", "_unanswered",
        "password", "refusals",
    )  # fmt: skip

    def __init__(self, settings: Settings, bearers: Any, key: Callable[[], Secret[str]]) -> None:
        """Remember whom to log in and how; nothing is sent.

        `bearers` manages the OAuth token that a login needs. `key` gives the client secret, without which
        a fingerprint cannot be used to guess the password.
        """
        self.password, self._settings, self._clock = settings.password, settings, settings.clock
        self.refusals: dict[str, LoginRefusedError] = {}
        self._bearers, self._key = bearers, key
        self._attempt: _Attempt | None = None
        self._unanswered, self._not_before = 0, -math.inf  # logins in a row, monotonic seconds

    def fingerprint(self) -> str:
        """A keyed hash by which these credentials are known again, without holding them."""
        return self._credentials().fingerprint

    def fetch(self, transport: Transport) -> SessionToken:
        """Log in.

        Raises:
            LoginRefusedError: ThingSpace refuses these credentials, now or before.
            LoginError: it gave no usable answer; that is not remembered.
            InvalidTokenError: its session token cannot be sent as a header.
            requests.RequestException: it could not be reached in time.
        """
        attempt = self._left_behind()
        if attempt is None or not (attempt.answer.is_success or _refuses_credentials(attempt.answer)):
            attempt = self._log_in(self._credentials(), transport)
        try:
            return self._session_from(attempt)
        except LoginRefusedError:
            now = self._credentials()
            if now.fingerprint == attempt.credentials.fingerprint:
                raise
        return self._session_from(self._log_in(now, transport))  # the password has changed in the meantime

    def logout(self, token: SessionToken, transport: Transport) -> int:
        """End a session ("End Connectivity Management Session" page); one that is over already is fine.

        Returns:
            The HTTP status.

        Raises:
            LoginError: ThingSpace did not end it.
            requests.RequestException: it could not be reached in time.
        """
        bearer = self._bearers.get(transport)
        answer = self._log_out(token, bearer, transport)
        if answer.status == 401 and not is_session_error(answer.body.reveal()):
            other = self._bearers.replace(bearer.secret, transport)
            if other is not None:
                bearer, answer = other, self._log_out(token, other, transport)
        if not answer.is_success and not is_session_error(answer.body.reveal()):
            json_or_raise(answer, "logout", LoginError, (bearer.secret, token.secret))
        return answer.status

    def _credentials(self) -> _Credentials:
        """The credentials as they are now.

        Raises:
            LoginError: there is only a session token, which was dropped.
            ThingspaceError: the password is not available.
        """
        if self.password is None:
            raise LoginError("the M2M session is over, and there is no username to log in with.")
        password, place = self.password.ask(), self._settings.environment.login_url
        pair = Secret(json.dumps([place, self._settings.username, password.reveal()]).encode())
        digest = hmac.new(self._key().reveal().encode(), pair.reveal(), hashlib.sha256)
        return _Credentials(password, digest.hexdigest())

    def _left_behind(self) -> _Attempt | None:
        """The login whose caller has gone, if it was answered; its answer is waited for if need be.

        Raises:
            requests.Timeout: it is still on its way.
        """
        attempt = self._attempt
        if attempt is not None and attempt.call.cancel():  # interrupted before it began
            attempt = self._attempt = None
        if attempt is None:
            return None
        if attempt.pid == os.getpid() and not attempt.call.wait(self._settings.timeout):
            if self._clock.monotonic() - attempt.since < LONGEST_WAIT:
                raise requests.Timeout("an earlier login is still unanswered, and no other is sent.")
            attempt.call.end()
        return attempt if self._was_answered(attempt) else None

    def _was_answered(self, attempt: _Attempt) -> bool:
        """Whether a login that is over was answered; if not, the next one waits longer."""
        outcome, raised = attempt.call.outcome
        if isinstance(outcome, Answer):
            self._unanswered = 0
            return True
        if outcome is None or outcome.was_sent:
            until = self._clock.monotonic() + min(_FIRST_PAUSE * 2**self._unanswered, _LONGEST_PAUSE)
            self._unanswered, self._not_before = self._unanswered + 1, until
        self._attempt = None
        if raised is not None:  # no Exception, since the exchange makes Failures of those
            raise raised
        return False

    def _log_in(self, credentials: _Credentials, transport: Transport) -> _Attempt:
        """Send a login, with another bearer once more if that was the trouble.

        A 401 that does not speak of the user is the gateway's, before the login reached the platform.
        """
        self._refuse_again(credentials)
        wait = self._not_before - self._clock.monotonic()
        if wait > 0:
            said = f"{self._unanswered} logins in a row had no answer: the next is sent in {wait:.0f} s."
            raise LoginError(said, retryable=True, retry_after=wait)
        bearer = self._bearers.get(transport)
        attempt = self._send(credentials, bearer, transport)
        if attempt.answer.status == 401 and not _refuses_credentials(attempt.answer):
            other = self._bearers.replace(bearer.secret, transport)
            if other is not None:
                return self._send(credentials, other, transport)
        return attempt

    def _refuse_again(self, credentials: _Credentials) -> None:
        """Do not send what ThingSpace has refused.

        Raises:
            LoginRefusedError: it has refused these credentials, or two passwords in a row.
        """
        known = self.refusals.get(credentials.fingerprint)
        if known is None and len(self.refusals) >= _MOST_REFUSALS:
            known = list(self.refusals.values())[-1]
        if known is not None:
            raise copy_of(known)

    def _send(self, credentials: _Credentials, bearer: OAuthToken, transport: Transport) -> _Attempt:
        """Send a login once; again only if no connection could be made.

        Raises:
            requests.RequestException: there is no answer, or not yet.
        """
        exchange = self._exchange(transport, credentials.password, bearer.secret)
        request = self._request(self._settings.environment.login_url, bearer)
        request.prepare_body(
            None, None, {"username": self._settings.username, "password": credentials.password.reveal()}
        )
        timeout = self._settings.timeout
        longest, deadline = max(timeout, LONGEST_WAIT), time.monotonic() + timeout
        for pause in (*PAUSES, None):  # pragma: no branch - the last attempt returns or raises
            call: Call[Answer | Failure] = Call(lambda: exchange.attempt(request, longest))
            since, pid = self._clock.monotonic(), os.getpid()
            attempt = self._attempt = _Attempt(call, credentials, bearer, since, pid)
            call.start()
            if not call.wait(deadline - time.monotonic()):
                raise exchange.sanitized(requests.Timeout(), request)
            if self._was_answered(attempt):
                break
            failure: Any = call.result()
            if failure.was_sent or pause is None:
                raise failure.error
            time.sleep(pause)
        return attempt

    def _request(self, url: str, bearer: OAuthToken) -> requests.PreparedRequest:
        """A request with the bearer."""
        request = requests.Request("POST", url, headers=HEADERS).prepare()
        request.headers["Authorization"] = bearer.authorization
        return request

    def _log_out(self, token: SessionToken, bearer: OAuthToken, transport: Transport) -> Answer:
        """Send a logout."""
        request = self._request(self._settings.environment.logout_url, bearer)
        request.headers[SESSION_HEADER] = token.session_token
        return self._exchange(transport, bearer.secret, token.secret).call(request, repeatable=False)

    def _exchange(self, transport: Transport, *secrets: Secret[str]) -> Exchange:
        """How the endpoints are talked to."""
        return Exchange(transport, self._settings.timeout, LoginError, secrets, self._clock.wall)

    def _session_from(self, attempt: _Attempt) -> SessionToken:
        """The session token of a good answer; a refusal is remembered.

        The attempt is over once its outcome is kept, so that an interrupt in between loses neither.
        """
        secrets = (attempt.credentials.password, attempt.bearer.secret)
        try:
            document = json_or_raise(attempt.answer, "login", LoginError, secrets)
            token = SessionToken(document.reveal().get("sessionToken"))  # type: ignore[arg-type]  # it is checked
        except ThingspaceError as error:
            if _refuses_credentials(attempt.answer):
                self._remember(error, attempt)
            self._attempt = None
            self._refuse_again(attempt.credentials)
            raise
        self.refusals.clear()
        self._attempt = None
        return token

    def _remember(self, error: ThingspaceError, attempt: _Attempt) -> None:
        """Keep a refusal, without the frames that led to it."""
        said: Any = {"status": error.status, "code": error.code}
        refusal = LoginRefusedError(
            f"{error} {_HOW_TO_GO_ON}", description=error.description, response=error.response, **said
        )
        refusal.refused_credentials = attempt.credentials.fingerprint
        self.refusals[attempt.credentials.fingerprint] = refusal
        duration = self._clock.monotonic() - attempt.since
        self._settings.events.publish("login_refused", "session", duration=duration, error=str(error), **said)


def _refuses_credentials(answer: Answer) -> bool:
    """Whether the platform said no, and neither the gateway before it nor a failing server.

    Its errors have an ``errorCode``. What it says to a wrong password is not documented, so any other
    JSON object with 400 or 403 counts too: a needless ``reset()`` costs less than a locked account.
    """
    document = json_object(answer.body.reveal()) or {}
    if document.get("errorCode"):
        return answer.status < 500
    return answer.status in (400, 403) and bool(document) and "fault" not in document
