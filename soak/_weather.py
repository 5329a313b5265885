"""The weather over a sandbox: what goes wrong, at random but seeded.

Callers may notice little of it: a revoked token, an ended session, a slow endpoint explain nothing.

What the library lets through on purpose is kept rare enough to be told apart. A new token that is refused
is not tested again for a minute, so that no token dies within seconds of its predecessor; and a 401 that a
current token gets is followed by a calm until that token has expired.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from threading import Event
from typing import Any

from requests_thingspace.sandbox import Sandbox

from . import AUTH_TIMEOUT, READ_TIMEOUT, TOKEN_LIFE
from ._fault_log import SLACK, FaultLog

_COOL_DOWN = 2.0  # seconds for which a failed renewal is shared, unless the server asks for more
_DEAD_SESSION = {"errorCode": "UnifiedWebService.REQUEST_FAILED.SessionToken.Expired", "errorMessage": "x"}
_HTML = "<html>maintenance</html>"

_TOKEN_FAULTS: dict[str, dict[str, Any]] = {
    **{f"TokenRequestError {status}": {"status": status} for status in (500, 502, 503, 504)},
    "TokenRequestError 429": {"status": 429, "headers": {"Retry-After": "3"}},
    "TokenRequestError 200": {"status": 200, "body": _HTML},
    "ConnectionError": {"status": None},
}
_LOGIN_FAULTS: dict[str, dict[str, Any]] = {
    "LoginError 500": {"status": 500},
    "LoginError 503": {"status": 503},
    "LoginError 200": {"status": 200, "body": _HTML},
    "ConnectionError": {"status": None},
}


class TokenWeather:
    """Tokens expire by themselves; here they are revoked, sessions end, and the endpoints fail."""

    def __init__(self, sandbox: Sandbox, log: FaultLog, seed: int, stop: Event) -> None:
        """Prepare.

        Args:
            sandbox: what goes wrong.
            log: where it is written down.
            seed: of everything that is random.
            stop: ends `run`.
        """
        self._sandbox = sandbox
        self._log = log
        self._chance = random.Random(f"tokens {seed}")
        self._stop = stop
        self._expiry = 0.0

    def note_token(self) -> None:
        """Take note that a token was given: the sandbox gives the same one until it expires."""
        now = time.monotonic()
        if now >= self._expiry:
            self._expiry = now + TOKEN_LIFE

    def run(self) -> None:
        """One episode after the other, until it is told to stop."""
        kinds: dict[Callable[[], None], int] = {
            self._revocation: 5,
            self._ended_session: 5,
            self._both_at_once: 3,
            self._slow_endpoints: 3,
            self._outage: 6,
            self._outage_while_due: 2,
            self._hanging_endpoint: 2,
            self._failing_login: 5,
            self._refused_session: 3,
            self._refused_bearer: 1,
        }
        while not self._stop.wait(self._chance.uniform(3.0, 6.0)):
            (make,) = self._chance.choices(list(kinds), list(kinds.values()))
            self._wait_until_no_token_expires()
            make()

    def _revocation(self) -> None:
        with self._log.episode("token revoked"):
            self._revoke()

    def _ended_session(self) -> None:
        with self._log.episode("session ended"):
            self._sandbox.end_sessions()

    def _both_at_once(self) -> None:
        with self._log.episode("token revoked and session ended"):
            self._revoke()
            self._sandbox.end_sessions()

    def _slow_endpoints(self) -> None:
        with self._log.episode("token endpoint and login slow"):
            for endpoint in ("token", "login"):
                self._sandbox.slow(endpoint, self._chance.uniform(0.2, 0.8))
            self._revoke()
            self._sandbox.end_sessions()
            self._stop.wait(4.0)
            for endpoint in ("token", "login"):
                self._sandbox.slow(endpoint, 0)

    def _outage(self) -> None:
        """One to eight failures in a row: up to two are not noticed, for the third there is an error."""
        outcome = self._chance.choice(list(_TOKEN_FAULTS))
        times, fault = self._chance.randint(1, 8), _TOKEN_FAULTS[outcome]
        after = float(fault.get("headers", {}).get("Retry-After", _COOL_DOWN)) + SLACK
        with (
            self._log.episode(f"token endpoint fails ({outcome})", outcome, after=after),
            self._log.faults("token", times, **fault),
        ):
            self._revoke()
            if self._chance.random() < 0.3:
                self._sandbox.end_sessions()
        self._expiry = 0.0  # what was noted so far may have been a broken answer

    def _outage_while_due(self) -> None:
        """Three failures before a token expires: nobody notices."""
        with (
            self._log.episode("token endpoint fails while the token is due"),
            self._log.faults("token", 3, status=503),
        ):
            pass

    def _hanging_endpoint(self) -> None:
        after = AUTH_TIMEOUT + _COOL_DOWN + SLACK
        with (
            self._log.episode("token endpoint hangs", "Timeout", "ReadTimeout", after=after),
            self._log.faults("token", 1, status=503, delay=AUTH_TIMEOUT + 2),
        ):
            self._revoke()

    def _failing_login(self) -> None:
        outcome = self._chance.choice(list(_LOGIN_FAULTS))
        times, after = self._chance.randint(1, 3), _COOL_DOWN + SLACK
        with (
            self._log.episode(f"login fails ({outcome})", outcome, after=after),
            self._log.faults("login", times, **_LOGIN_FAULTS[outcome]),
        ):
            self._sandbox.end_sessions()
            if self._chance.random() < 0.3:
                self._revoke()

    def _refused_session(self) -> None:
        self._log.one_answer("session refused", f"session {time.monotonic()}", 400, _DEAD_SESSION)

    def _refused_bearer(self) -> None:
        self._log.one_answer("current token refused", f"bearer {time.monotonic()}", 401)
        self._stop.wait(TOKEN_LIFE + SLACK)

    def _revoke(self) -> None:
        self._expiry = 0.0
        self._sandbox.revoke_tokens()

    def _wait_until_no_token_expires(self) -> None:
        """A token that dies by age and its successor by revocation are two deaths within a second."""
        left = self._expiry - time.monotonic()
        if abs(left) < 2 * SLACK:
            self._stop.wait(left + 2 * SLACK)


class ApiWeather:
    """The API itself: errors, broken connections and broken answers."""

    def __init__(self, sandbox: Sandbox, log: FaultLog, seed: int, stop: Event) -> None:
        """Prepare; the arguments are those of `TokenWeather`."""
        self._sandbox = sandbox
        self._log = log
        self._chance = random.Random(f"api {seed}")
        self._stop = stop

    def run(self) -> None:
        """One episode after the other, until it is told to stop."""
        kinds: dict[Callable[[], None], int] = {
            self._error: 12,
            self._dropped_connection: 3,
            self._broken_answer: 2,
            self._no_answer: 1,
            self._slow: 2,
        }
        while not self._stop.wait(self._chance.uniform(0.3, 1.5)):
            (make,) = self._chance.choices(list(kinds), list(kinds.values()))
            make()

    def _error(self) -> None:
        status = self._chance.choice((403, 404, 409, 429, 500, 502, 503, 504))
        self._log.one_answer(f"API answers {status}", f"error {time.monotonic()}", status)

    def _dropped_connection(self) -> None:
        with (
            self._log.episode("API drops the connection", "ConnectionError"),
            self._log.faults("api", 1, status=None),
        ):
            pass

    def _broken_answer(self) -> None:
        with (
            self._log.episode("API breaks off", "ChunkedEncodingError"),
            self._log.faults("api", 1, status=200, body="x", headers={"Content-Length": "1000"}),
        ):
            pass

    def _no_answer(self) -> None:
        with (
            self._log.episode("API hangs", "ReadTimeout", after=READ_TIMEOUT + SLACK),
            self._log.faults("api", 1, status=503, delay=READ_TIMEOUT + 1),
        ):
            pass

    def _slow(self) -> None:
        with self._log.episode("API slow"):
            self._sandbox.slow("api", self._chance.uniform(0.05, 0.3))
            self._stop.wait(self._chance.uniform(1.0, 3.0))
            self._sandbox.slow("api", 0)
