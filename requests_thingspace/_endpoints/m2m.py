"""ThingSpace's M2M session: log in, log out, and never lock the account.

ThingSpace locks an account after five failed logins in a row, and only Verizon's support can unlock it
("Start Connectivity Management Session" page). So a login that may have arrived is not sent again, its
answer is heard even if its caller has gone, and the first refusal is the last until the credentials change.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping
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

_START = 1.0  # seconds in which the thread of a login begins, unless it was interrupted before
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


class Logins:
    """What came of one user's logins: the refusals, and the login that is on its way.

    A login is ready, unanswered, answered or refused. This outlives the endpoints, which go when an attribute
    is set. Copies of an auth share it; a pickle holds the refusals.
    """

    __slots__ = ("attempt", "not_before", "refusals", "unanswered")

    def __init__(self, refusals: Mapping[str, LoginRefusedError] | None = None) -> None:
        self.refusals = dict(refusals or {})  # by fingerprint
        self.attempt = _NO_LOGIN
        self.unanswered, self.not_before = 0, -math.inf  # logins in a row, monotonic seconds

    def __deepcopy__(self, _: Any) -> Logins:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return Logins, (self.refusals,)

    def refuse_again(self, fingerprint: str) -> None:
        """Raise the refusal of these credentials, or the last one after two passwords in a row."""
        known = self.refusals.get(fingerprint)
        if known is None and len(self.refusals) >= _MOST_REFUSALS:
            known = list(self.refusals.values())[-1]
        if known is not None:
            raise copy_of(known)

    def settle(self, attempt: _Attempt, now: float, *, is_given_up: bool = False) -> None:
        """Drop a login that ended without an answer; the next one waits longer."""
        call = attempt.call
        ended, outcome = call.over or is_given_up, call.returned  # in this order: it goes on meanwhile
        if isinstance(outcome, Answer):
            self.unanswered = 0
        elif ended:
            if self.attempt is attempt and (outcome is None or outcome.was_sent):
                until = now + min(_FIRST_PAUSE * 2**self.unanswered, _LONGEST_PAUSE)
                self.unanswered, self.not_before = self.unanswered + 1, until
            self.drop(attempt)

    def drop(self, attempt: _Attempt) -> None:
        """Forget a login that is over, unless another one has followed it."""
        if self.attempt is attempt:
            self.attempt = _NO_LOGIN


class M2MEndpoints:
    """The login and logout of one M2M user.

    The session's manager lets one caller at a time log in; the attempt that an interrupted caller, or other
    endpoints of the user, have left behind is the next one's to conclude.
    """

    __slots__ = ("_bearer", "_clock", "_logins", "_settings", "password")

    def __init__(self, settings: Settings, bearer: Any, logins: dict[Any, Logins]) -> None:
        """Log in with the OAuth token that `bearer` manages; `logins` is what came of it so far, by user."""
        self.password = settings.password  # None if there is only a session token
        self._settings, self._clock = settings, settings.clock
        self._bearer, self._logins = bearer, logins.setdefault(settings.username, Logins())

    def fingerprint(self) -> str:
        """A keyed hash by which these credentials are known again, without holding them."""
        return self._credentials()[1]

    def fetch(self, transport: Transport) -> SessionToken:
        """Log in, unless an earlier login has been answered meanwhile."""
        attempt = self._answered_meanwhile() or self._log_in(*self._credentials(), transport)
        return self._session(attempt)

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

    def _answered_meanwhile(self) -> _Attempt | None:
        """The login that was left behind if its answer is of use; it is waited for if need be."""
        attempt = self._logins.attempt
        timeout = self._settings.timeout
        if attempt is _NO_LOGIN or (not attempt.call.wait(min(_START, timeout)) and attempt.call.cancel()):
            return None
        if attempt.pid == os.getpid() and not attempt.call.wait(timeout):
            if self._clock.monotonic() - attempt.since < LONGEST_WAIT:
                raise requests.Timeout("an earlier login is still unanswered, and no other is sent.")
            attempt.call.end()
        self._logins.settle(attempt, self._clock.monotonic(), is_given_up=True)
        answer = attempt.call.returned
        is_answer = isinstance(answer, Answer) and (answer.is_success or _refuses_credentials(answer))
        return attempt if is_answer else None

    def _log_in(self, password: Secret[str], fingerprint: str, transport: Transport) -> _Attempt:
        """Send a login, and leave its answer behind."""
        logins, now, attempt = self._logins, self._clock.monotonic, _NO_LOGIN
        logins.refuse_again(fingerprint)
        wait = logins.not_before - now()
        if wait > 0:
            said = f"{logins.unanswered} logins in a row had no answer: the next is sent in {wait:.0f} s."
            raise LoginError(said, retryable=True, retry_after=wait)

        def keep(call: Call[Any]) -> None:
            nonlocal attempt
            logins.settle(attempt, now())  # the one with another bearer
            logins.attempt = attempt = _Attempt(call, fingerprint, now(), os.getpid())

        exchange = Exchange(transport, self._settings, LoginError, (password,))
        sent = Secret({"json": {"username": self._settings.username, "password": password.reveal()}})
        try:
            self._post(exchange, self._settings.environment.login_url, _refuses_credentials, sent, keep)
        finally:
            logins.settle(attempt, now())
        return attempt

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

    def _session(self, attempt: _Attempt) -> SessionToken:
        """The session token of a good answer; a refusal is remembered.

        The attempt is over once its outcome is kept, so that an interrupt in between loses neither.
        """
        answer: Any = attempt.call.returned
        try:
            document = json_or_raise(answer, "login", LoginError)
            token = SessionToken(document.reveal().get("sessionToken"))  # type: ignore[arg-type]  # it is checked
        except ThingspaceError as error:
            if _refuses_credentials(answer):
                self._remember(error, attempt)
            self._logins.drop(attempt)
            self._logins.refuse_again(attempt.fingerprint)
            raise
        self._logins.refusals.clear()
        self._logins.drop(attempt)
        return token

    def _remember(self, error: ThingspaceError, attempt: _Attempt) -> None:
        """Keep a refusal, without the frames that led to it."""
        said: Any = {"status": error.status, "code": error.code}
        refusal = LoginRefusedError(
            f"{error} {_HOW_TO_GO_ON}", description=error.description, response=error.response, **said
        )
        refusal.refused_credentials = attempt.fingerprint
        self._logins.refusals[attempt.fingerprint] = refusal
        duration = self._clock.monotonic() - attempt.since
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
