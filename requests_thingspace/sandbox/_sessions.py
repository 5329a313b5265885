"""A session lives while it is used: each accepted use gives it its idle time again.

"A session token will remain valid as long as your application continues to use it, but it will expire after
20 minutes of inactivity"; "The ThingSpace Platform will lock a contact record after 5 consecutive failed log
in attempts"
(https://thingspace.verizon.com/resources/documentation/connectivity/API_Reference/Start_Connectivity_Management_Session/).
Several sessions of one contact live side by side; whether they do on ThingSpace is not documented.
"""

from __future__ import annotations

import math
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field

from ._messages import Answer, Request, invalid_request, json_answer, m2m_refusal


@dataclass(repr=False)
class Contact:
    """The contact record of one UWS user, its sessions, and the endpoints for them.

    A lenient contact lets everybody log in.
    """

    now: Callable[[], float]
    username: str
    password: str
    idle: float  # seconds without use that end a session
    lenient: bool
    _lock: threading.Lock = field(default_factory=threading.Lock)  # guards all below
    _failures: int = 0
    _last_use: dict[str, float] = field(default_factory=dict)  # -inf if the session has ended

    @property
    def locked(self) -> bool:
        """Whether even the right password is refused."""
        return self._failures >= 5

    def login(self, request: Request) -> Answer:
        """``POST /api/m2m/v1/session/login``: a new session token.

        Only failures with the known username count: another has no record here that could be locked.
        """
        given = request.json()
        username, password = given.get("username"), given.get("password")
        if not isinstance(username, str) or not isinstance(password, str):
            raise invalid_request("The body holds username and password, both strings.")
        with self._lock:
            known = self.lenient or username == self.username
            if known and self.locked:
                raise m2m_refusal("REQUEST_FAILED.LoginLocked", "The contact is locked. Ask Verizon Support.")
            if not (known and (self.lenient or password == self.password)):
                self._failures += known
                raise m2m_refusal("REQUEST_FAILED.LoginFailed", "The username or the password is wrong.")
            self._failures = 0
            session_token = str(uuid.uuid4())
            self._last_use[session_token] = self.now()
        return json_answer({"sessionToken": session_token})

    def use(self, session_token: str, *, end: bool = False) -> None:
        """Let one call with this session token in, and renew its idle time or end it."""
        if not session_token:
            hint = "Give ThingspaceAuth username= and password=: sandbox.username and sandbox.password."
            message = f"The session token is missing from the header. {hint}"
            raise m2m_refusal("REQUEST_FAILED.SessionToken.Format", message)
        with self._lock:
            if session_token not in self._last_use:
                raise m2m_refusal("INPUT_INVALID.SessionToken.Invalid", "No session has this session token.")
            now = self.now()
            alive = now - self._last_use[session_token] < self.idle
            self._last_use[session_token] = now if alive and not end else -math.inf
        if not alive:
            raise m2m_refusal("REQUEST_FAILED.SessionToken.Expired", "The session has expired. Log in again.")

    def logout(self, request: Request) -> Answer:
        """``POST /api/m2m/v1/session/logout``: end this session."""
        session_token = request.headers.get("VZ-M2M-Token", "")
        self.use(session_token, end=True)
        return json_answer({"sessionToken": session_token})

    def end_sessions(self) -> None:
        """End all sessions; their tokens stay known, as expired ones."""
        with self._lock:
            self._last_use = dict.fromkeys(self._last_use, -math.inf)

    def unlock(self) -> None:
        with self._lock:
            self._failures = 0
