"""A session lives while it is used: each accepted use gives it its idle time again.

"A session token will remain valid as long as your application continues to use it, but it will expire after
20 minutes of inactivity"; "The ThingSpace Platform will lock a contact record after 5 consecutive failed log
in attempts"
(https://thingspace.verizon.com/resources/documentation/connectivity/API_Reference/Start_Connectivity_Management_Session/).
Several sessions of one contact live side by side; whether they do on ThingSpace is not documented.
"""

from __future__ import annotations

import hmac
import threading
import uuid

from ._clock import SandboxClock

FAILED_LOGINS_TO_LOCK = 5

LOGIN_FAILED = "UnifiedWebService.REQUEST_FAILED.LoginFailed"
"""The sandbox's own: Verizon does not document the code of a wrong username or password."""

LOGIN_LOCKED = "UnifiedWebService.REQUEST_FAILED.LoginLocked"
"""The sandbox's own: Verizon does not document the code of a locked contact record."""

SESSION_EXPIRED = "UnifiedWebService.REQUEST_FAILED.SessionToken.Expired"
SESSION_MISSING = "UnifiedWebService.REQUEST_FAILED.SessionToken.Format"
SESSION_UNKNOWN = "UnifiedWebService.INPUT_INVALID.SessionToken.Invalid"


class M2MError(Exception):
    """The M2M platform refuses: its error code and its message."""

    def __init__(self, code: str, message: str) -> None:
        """Keep what the answer says."""
        super().__init__(code)
        self.code = code
        self.message = message


class Contact:
    """The contact record of one UWS user, and its sessions."""

    def __init__(self, clock: SandboxClock, username: str, password: str, idle: float) -> None:
        """Begin unlocked and without sessions.

        Args:
            clock: decides how long a session was idle.
            username: the UWS username.
            password: the UWS password.
            idle: seconds without use after which a session is dead.
        """
        self._clock = clock
        self._username = username.encode()
        self._password = password.encode()
        self._idle = idle
        self._lock = threading.Lock()  # guards all below
        self._failures = 0
        # The time of the last use of each session; None once it was ended.
        self._last_use: dict[str, float | None] = {}

    @property
    def locked(self) -> bool:
        """Whether no password is good enough any more."""
        with self._lock:
            return self._failures >= FAILED_LOGINS_TO_LOCK

    def login(self, username: str, password: str) -> str:
        """A new session token.

        Only failures with the known username count: another has no record here that could be locked.

        Raises:
            M2MError: wrong username or password, or a locked contact.
        """
        known = hmac.compare_digest(username.encode("utf-8", "replace"), self._username)
        right = hmac.compare_digest(password.encode("utf-8", "replace"), self._password)
        with self._lock:
            if known and self._failures >= FAILED_LOGINS_TO_LOCK:
                raise M2MError(LOGIN_LOCKED, "The contact record is locked. Contact Verizon Support.")
            if not (known and right):
                self._failures += known
                raise M2MError(LOGIN_FAILED, "The username or the password is wrong.")
            self._failures = 0
            session_token = str(uuid.uuid4())
            self._last_use[session_token] = self._clock.monotonic()
            return session_token

    def use(self, session_token: str | None) -> None:
        """Let one call with this session token in, and renew its idle time.

        Raises:
            M2MError: the token is missing, unknown, idle for too long, or ended.
        """
        if not session_token:
            raise M2MError(SESSION_MISSING, _HOW_TO_LOG_IN)
        with self._lock:
            if session_token not in self._last_use:
                raise M2MError(SESSION_UNKNOWN, "The session token is not a valid GUID of a session.")
            last_use, now = self._last_use[session_token], self._clock.monotonic()
            if last_use is None or now - last_use >= self._idle:
                self._last_use[session_token] = None
                raise M2MError(SESSION_EXPIRED, "The session has expired. Log in again.")
            self._last_use[session_token] = now

    def logout(self, session_token: str | None) -> None:
        """End this session.

        Raises:
            M2MError: as `use`.
        """
        self.use(session_token)
        with self._lock:
            self._last_use[str(session_token)] = None

    def end_sessions(self) -> None:
        """End all sessions; their tokens stay known, as expired ones."""
        with self._lock:
            self._last_use = dict.fromkeys(self._last_use)

    def unlock(self) -> None:
        """What Verizon Support does."""
        with self._lock:
            self._failures = 0

    def reset(self) -> None:
        """Unlock, and forget all sessions."""
        with self._lock:
            self._failures = 0
            self._last_use.clear()


_HOW_TO_LOG_IN = (
    "The session token is missing from the header. Give ThingspaceAuth username= and password= as well; "
    "those of the sandbox are sandbox.username and sandbox.password."
)
