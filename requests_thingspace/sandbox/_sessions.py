"""A session lives while it is used: each accepted use gives it its idle time again.

"A session token will remain valid as long as your application continues to use it, but it will expire after
20 minutes of inactivity"; "The ThingSpace Platform will lock a contact record after 5 consecutive failed log
in attempts"
(https://thingspace.verizon.com/resources/documentation/connectivity/API_Reference/Start_Connectivity_Management_Session/).
Several sessions of one contact live side by side; whether they do on ThingSpace is not documented.
"""

from __future__ import annotations

import threading
import uuid

from ._clock import SandboxClock
from ._http import Answer, Request, json_answer

_FAILURES_TO_LOCK = 5
# Verizon documents the codes of the session token; those of a refused login or body are the sandbox's own.
INPUT_INVALID = "UnifiedWebService.INPUT_INVALID.Request.Invalid"
_REFUSED = "UnifiedWebService.REQUEST_FAILED."
_SESSION_UNKNOWN = "UnifiedWebService.INPUT_INVALID.SessionToken.Invalid"
_HOW_TO_LOG_IN = (
    "The session token is missing from the header. Give ThingspaceAuth username= and password= as well; "
    "those of the sandbox are sandbox.username and sandbox.password."
)


class M2MError(Exception):
    """The M2M platform refuses, with this answer."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code)
        self.answer = json_answer({"errorCode": code, "errorMessage": message}, 400)


class Contact:
    """The contact record of one UWS user, its sessions, and the endpoints for them.

    A session is dead after `idle` seconds without use. A lenient contact lets everybody log in.
    """

    def __init__(
        self, clock: SandboxClock, username: str, password: str, idle: float, *, lenient: bool
    ) -> None:
        self._clock = clock
        self._username = username
        self.password = password
        self._idle = idle
        self._lenient = lenient
        self._lock = threading.Lock()  # guards all below
        self._failures = 0
        self._last_use: dict[str, float | None] = {}  # of each session; None once it has ended

    @property
    def locked(self) -> bool:
        """Whether even the right password is refused."""
        with self._lock:
            return self._failures >= _FAILURES_TO_LOCK

    def login(self, request: Request) -> Answer:
        """``POST /api/m2m/v1/session/login``: a new session token.

        Only failures with the known username count: another has no record here that could be locked.
        """
        given = request.json()
        given = given if isinstance(given, dict) else {}
        username, password = given.get("username"), given.get("password")
        if not isinstance(username, str) or not isinstance(password, str):
            raise M2MError(INPUT_INVALID, "The body holds username and password, both strings.")
        with self._lock:
            known = self._lenient or username == self._username
            if known and self._failures >= _FAILURES_TO_LOCK:
                raise M2MError(_REFUSED + "LoginLocked", "The contact is locked. Ask Verizon Support.")
            if not (known and (self._lenient or password == self.password)):
                self._failures += known
                raise M2MError(_REFUSED + "LoginFailed", "The username or the password is wrong.")
            self._failures = 0
            session_token = str(uuid.uuid4())
            self._last_use[session_token] = self._clock.monotonic()
        return json_answer({"sessionToken": session_token})

    def use(self, session_token: str | None) -> None:
        """Let one call with this session token in, and renew its idle time."""
        if not session_token:
            raise M2MError(_REFUSED + "SessionToken.Format", _HOW_TO_LOG_IN)
        with self._lock:
            if session_token not in self._last_use:
                raise M2MError(_SESSION_UNKNOWN, "The session token is not a valid GUID of a session.")
            last_use, now = self._last_use[session_token], self._clock.monotonic()
            if last_use is None or now - last_use >= self._idle:
                self._last_use[session_token] = None
                raise M2MError(_REFUSED + "SessionToken.Expired", "The session has expired. Log in again.")
            self._last_use[session_token] = now

    def logout(self, request: Request) -> Answer:
        """``POST /api/m2m/v1/session/logout``: end this session."""
        session_token = request.headers.get("vz-m2m-token")
        self.use(session_token)
        with self._lock:
            self._last_use[str(session_token)] = None
        return json_answer({"sessionToken": session_token})

    def end_sessions(self) -> None:
        """End all sessions; their tokens stay known, as expired ones."""
        with self._lock:
            self._last_use = dict.fromkeys(self._last_use)

    def unlock(self) -> None:
        """Forget the failed logins, as Verizon Support does."""
        with self._lock:
            self._failures = 0
