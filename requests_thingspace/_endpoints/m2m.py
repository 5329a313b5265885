"""ThingSpace's M2M session: log in, log out, and never lock the account.

ThingSpace locks an account after five failed logins in a row, and only Verizon's support can unlock it
("Start Connectivity Management Session" page). So a login that may have arrived is not sent again, its
answer is heard even if its caller has gone, and the first refusal is the last until the credentials change.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from typing import Any, NamedTuple

import requests

from .._environment import SESSION_HEADER
from .._errors import LoginError, LoginRefusedError, ThingspaceError, copy_of
from .._settings import Settings
from .._tokens import OAuthToken, SessionToken
from .._values import Secret, keyed_hash
from .answers import Answer, is_session_error, json_object, json_or_raise
from .exchange import LONGEST_WAIT, NOTHING, Exchange, Transport
from .worker import Call

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

    call: Call[Any]
    credentials: _Credentials
    since: float
    pid: int


_NO_LOGIN = _Attempt(Call(object), _Credentials(Secret(""), ""), 0.0, 0)  # like one that never began


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
        self._attempt = _NO_LOGIN
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
        if not self._was_left_an_answer():
            self._log_in(self._credentials(), transport)
        try:
            return self._session()
        except LoginRefusedError as refusal:
            now = self._credentials()
            if now.fingerprint == refusal.refused_credentials:
                raise
        self._log_in(now, transport)  # the password has changed in the meantime
        return self._session()

    def logout(self, token: SessionToken, transport: Transport) -> int:
        """End a session ("End Connectivity Management Session" page); one that is over already is fine.

        Returns:
            The HTTP status.

        Raises:
            LoginError: ThingSpace did not end it.
            requests.RequestException: it could not be reached in time.
        """
        url, header = self._settings.environment.logout_url, Secret({SESSION_HEADER: token.session_token})
        answer = self._post(url, transport, token.secret, _is_over, headers=header)
        if not answer.is_success and not _is_over(answer):
            json_or_raise(answer, "logout", LoginError)
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
        words = Secret([place, self._settings.username, password.reveal()])
        return _Credentials(password, keyed_hash(self._key(), words))

    def _was_left_an_answer(self) -> bool:
        """Whether the login whose caller has gone has an answer of use, which is waited for if need be.

        Raises:
            requests.Timeout: it is still on its way.
        """
        attempt = self._attempt
        if attempt.call.cancel():  # interrupted before it began
            return False
        if attempt.pid == os.getpid() and not attempt.call.wait(self._settings.timeout):
            if self._clock.monotonic() - attempt.since < LONGEST_WAIT:
                raise requests.Timeout("an earlier login is still unanswered, and no other is sent.")
            attempt.call.end()
        self._settle(is_given_up=True)
        answer = self._attempt.call.returned
        return answer is not None and (answer.is_success or _refuses_credentials(answer))

    def _settle(self, *, is_given_up: bool = False) -> None:
        """Drop a login that ended without an answer; the next one waits longer."""
        call = self._attempt.call
        is_over, outcome = call.over or is_given_up, call.returned  # in this order: it goes on meanwhile
        if isinstance(outcome, Answer):
            self._unanswered = 0
        elif is_over:
            if outcome is None or outcome.was_sent:
                until = self._clock.monotonic() + min(_FIRST_PAUSE * 2**self._unanswered, _LONGEST_PAUSE)
                self._unanswered, self._not_before = self._unanswered + 1, until
            self._attempt = _NO_LOGIN

    def _log_in(self, credentials: _Credentials, transport: Transport) -> None:
        """Send a login, and leave its answer behind.

        Raises:
            requests.RequestException: there is no answer, or not yet.
        """
        self._refuse_again(credentials)
        wait = self._not_before - self._clock.monotonic()
        if wait > 0:
            said = f"{self._unanswered} logins in a row had no answer: the next is sent in {wait:.0f} s."
            raise LoginError(said, retryable=True, retry_after=wait)

        def keep(call: Call[Any]) -> None:
            self._settle()  # the one with another bearer
            self._attempt = _Attempt(call, credentials, self._clock.monotonic(), os.getpid())

        user = {"username": self._settings.username}
        body = Secret({"json": {**user, "password": credentials.password.reveal()}})
        url = self._settings.environment.login_url
        try:
            self._post(url, transport, credentials.password, _refuses_credentials, body=body, keep=keep)
        finally:
            self._settle()

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

    def _post(
        self,
        url: str,
        transport: Transport,
        secret: Secret[str],
        is_heard: Callable[[Answer], bool],
        headers: Secret[Any] = NOTHING,
        **more: Any,
    ) -> Answer:
        """Send what has a `secret` in it, with another bearer once more if that was the trouble.

        A 401 that does not show that the platform `is_heard` is the gateway's before it.
        """

        def send(bearer: OAuthToken) -> Answer:
            exchange = Exchange(transport, self._settings, LoginError, (secret, bearer.secret))
            signed = Secret({"Authorization": bearer.authorization, **headers.reveal()})
            return exchange.post(url, signed, **more)

        bearer = self._bearers.get(transport)
        answer = send(bearer)
        is_gateways = answer.status == 401 and not is_heard(answer)
        other = self._bearers.replace(bearer.secret, transport) if is_gateways else None
        return answer if other is None else send(other)

    def _session(self) -> SessionToken:
        """The session token of a good answer; a refusal is remembered.

        The attempt is over once its outcome is kept, so that an interrupt in between loses neither.
        """
        answer: Any = self._attempt.call.returned
        try:
            document = json_or_raise(answer, "login", LoginError)
            token = SessionToken(document.reveal().get("sessionToken"))  # type: ignore[arg-type]  # it is checked
        except ThingspaceError as error:
            credentials = self._attempt.credentials
            if _refuses_credentials(answer):
                self._remember(error)
            self._attempt = _NO_LOGIN
            self._refuse_again(credentials)
            raise
        self.refusals.clear()
        self._attempt = _NO_LOGIN
        return token

    def _remember(self, error: ThingspaceError) -> None:
        """Keep a refusal, without the frames that led to it."""
        fingerprint = self._attempt.credentials.fingerprint
        said: Any = {"status": error.status, "code": error.code}
        refusal = LoginRefusedError(
            f"{error} {_HOW_TO_GO_ON}", description=error.description, response=error.response, **said
        )
        refusal.refused_credentials = fingerprint
        self.refusals[fingerprint] = refusal
        duration = self._clock.monotonic() - self._attempt.since
        self._settings.events.publish("login_refused", "session", duration=duration, error=str(error), **said)


def _is_over(answer: Answer) -> bool:
    """Whether an answer says that the session is over."""
    return is_session_error(answer.body.reveal())


def _refuses_credentials(answer: Answer) -> bool:
    """Whether the platform said no, and neither the gateway before it nor a failing server.

    Its errors have an ``errorCode``. What it says to a wrong password is not documented, so any other
    JSON object with 400 or 403 counts too: a needless ``reset()`` costs less than a locked account.
    """
    document = json_object(answer.body.reveal()) or {}
    if document.get("errorCode"):
        return answer.status < 500
    return answer.status in (400, 403) and bool(document) and "fault" not in document
