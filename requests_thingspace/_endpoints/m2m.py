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
from .._tokens import SessionToken
from .._values import Secret, keyed_hash
from .answers import Answer, is_session_error, json_object, json_or_raise
from .exchange import LONGEST_WAIT, Exchange, Transport
from .worker import Call

_FIRST_PAUSE, _LONGEST_PAUSE = 2.0, 300.0  # seconds before the next login after unanswered ones
_MOST_REFUSALS = 2  # different passwords in a row; the account is locked after five
_HOW_TO_GO_ON = (
    "It is not tried again, since five failed logins lock the account: correct username and password, or "
    "have Verizon's support unlock the account, then call auth.reset()."
)


class _Attempt(NamedTuple):
    """A login on its way: of which credentials, since when (monotonic seconds), and by which process."""

    call: Call[Any]
    fingerprint: str
    since: float
    pid: int


_NO_LOGIN = _Attempt(Call(object), "", 0.0, 0)  # like one that never began


class M2MEndpoints:
    """The login and logout of one M2M user.

    A login is ready, unanswered, answered or refused. The session's manager lets one caller at a time
    log in; the attempt that an interrupted caller has left behind is the next one's to conclude.
    """

    __slots__ = (
        "_attempt", "_bearer", "_clock", "_not_before", "_settings", "_unanswered", "password", "refusals",
    )  # fmt: skip

    def __init__(self, settings: Settings, bearer: Any) -> None:
        """Log in with the OAuth token that `bearer` manages."""
        self.password = settings.password  # None if there is only a session token
        self.refusals: dict[str, LoginRefusedError] = {}  # by fingerprint
        self._settings, self._clock = settings, settings.clock
        self._bearer, self._attempt = bearer, _NO_LOGIN
        self._unanswered, self._not_before = 0, -math.inf  # logins in a row, monotonic seconds

    def fingerprint(self) -> str:
        """A keyed hash by which these credentials are known again, without holding them."""
        return self._credentials()[1]

    def fetch(self, transport: Transport) -> SessionToken:
        """Log in, unless an earlier login has been answered meanwhile."""
        if not self._was_left_an_answer():
            self._log_in(*self._credentials(), transport)
        return self._session()

    def logout(self, token: SessionToken, transport: Transport) -> int:
        """End a session ("End Connectivity Management Session" page); one that is over already is fine."""
        exchange = Exchange(transport, self._settings, LoginError, (token.secret,))
        sent = Secret({"headers": {SESSION_HEADER: token.session_token}})
        answer = self._post(exchange, self._settings.environment.logout_url, _is_over, sent)
        if not answer.is_success and not _is_over(answer):
            json_or_raise(answer, "logout", LoginError)
        return answer.status

    def _credentials(self) -> tuple[Secret[str], str]:
        """The password as it is now, and the fingerprint by which the credentials are known again."""
        if self.password is None:
            raise LoginError("the M2M session is over, and there is no username to log in with.")
        password, place = self.password.ask(), self._settings.environment.login_url
        words = Secret([place, self._settings.username, password.reveal()])
        return password, keyed_hash(self._bearer.secret.ask(), words)  # the key keeps it from being guessed

    def _was_left_an_answer(self) -> bool:
        """Whether the login whose caller has gone has an answer of use, which is waited for if need be."""
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
        ended, outcome = call.over or is_given_up, call.returned  # in this order: it goes on meanwhile
        if isinstance(outcome, Answer):
            self._unanswered = 0
        elif ended:
            if outcome is None or outcome.was_sent:
                until = self._clock.monotonic() + min(_FIRST_PAUSE * 2**self._unanswered, _LONGEST_PAUSE)
                self._unanswered, self._not_before = self._unanswered + 1, until
            self._attempt = _NO_LOGIN

    def _log_in(self, password: Secret[str], fingerprint: str, transport: Transport) -> None:
        """Send a login, and leave its answer behind."""
        self._refuse_again(fingerprint)
        wait = self._not_before - self._clock.monotonic()
        if wait > 0:
            said = f"{self._unanswered} logins in a row had no answer: the next is sent in {wait:.0f} s."
            raise LoginError(said, retryable=True, retry_after=wait)

        def keep(call: Call[Any]) -> None:
            self._settle()  # the one with another bearer
            self._attempt = _Attempt(call, fingerprint, self._clock.monotonic(), os.getpid())

        exchange = Exchange(transport, self._settings, LoginError, (password,))
        sent = Secret({"json": {"username": self._settings.username, "password": password.reveal()}})
        try:
            self._post(exchange, self._settings.environment.login_url, _refuses_credentials, sent, keep)
        finally:
            self._settle()

    def _refuse_again(self, fingerprint: str) -> None:
        """Raise the refusal of these credentials, or the last one after two passwords in a row."""
        known = self.refusals.get(fingerprint)
        if known is None and len(self.refusals) >= _MOST_REFUSALS:
            known = list(self.refusals.values())[-1]
        if known is not None:
            raise copy_of(known)

    def _post(self, exchange: Exchange, url: str, is_final: Callable[[Answer], bool], *what: Any) -> Answer:
        """Send `what` there is to send, and once more with another bearer after a 401 that is not final.

        Such a 401 is the gateway's: the request did not reach the platform.
        """
        bearer = self._bearer.get(exchange.transport)
        answer = exchange.call(url, Secret(bearer.authorization), *what)
        if answer.status == 401 and not is_final(answer):
            other = self._bearer.replace(bearer.secret, exchange.transport)
            if other is not None:
                return exchange.call(url, Secret(other.authorization), *what)
        return answer

    def _session(self) -> SessionToken:
        """The session token of a good answer; a refusal is remembered.

        The attempt is over once its outcome is kept, so that an interrupt in between loses neither.
        """
        answer: Any = self._attempt.call.returned
        try:
            document = json_or_raise(answer, "login", LoginError)
            token = SessionToken(document.reveal().get("sessionToken"))  # type: ignore[arg-type]  # it is checked
        except ThingspaceError as error:
            fingerprint = self._attempt.fingerprint
            if _refuses_credentials(answer):
                self._remember(error)
            self._attempt = _NO_LOGIN
            self._refuse_again(fingerprint)
            raise
        self.refusals.clear()
        self._attempt = _NO_LOGIN
        return token

    def _remember(self, error: ThingspaceError) -> None:
        """Keep a refusal, without the frames that led to it."""
        fingerprint = self._attempt.fingerprint
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
