"""What a sandbox knows from one reset to the next: its settings, its tokens and sessions, and its calls.

A call is counted when it arrives, a fault may answer it, and it is reported before its answer is sent; so a
client that has an answer finds it counted already. Faults happen in the order in which they were asked for.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass

from ._messages import Answer

ENDPOINTS = ("token", "revoke", "login", "logout", "api")
MOST_FAILED_LOGINS = 5  # after which even the right password is refused


@dataclass(frozen=True)
class Call:
    """One call that was answered.

    Attributes:
        endpoint: one of ``token``, ``revoke``, ``login``, ``logout``, and ``api`` for all else.
        method: the HTTP method.
        path: the path, without the query.
        status: the HTTP status of the answer.
        seconds: real time from the request's last byte to the answer.
    """

    endpoint: str
    method: str
    path: str
    status: int
    seconds: float


@dataclass(repr=False)  # it holds secrets
class State:
    """First what was asked for, then what has happened since."""

    now: Callable[[], float]
    client_id: str
    client_secret: str
    username: str
    password: str
    token_life: float  # seconds
    session_idle: float  # seconds without use that end a session
    m2m_sessions: bool
    lenient: bool
    on_call: Callable[[Call], object] | None

    def __post_init__(self) -> None:
        self.hurry = threading.Event()  # once it is set, no answer is delayed or slow
        self.changed = threading.Condition()  # guards what takes more than one step
        self.received = dict.fromkeys(ENDPOINTS, 0)
        self.answered = Counter[tuple[str, int]]()
        self.faults: dict[str, deque[tuple[Answer, float]]] = {endpoint: deque() for endpoint in ENDPOINTS}
        self.latency = dict.fromkeys(ENDPOINTS, 0.0)
        self.planned: list[tuple[int, Callable[[], None]]] = []  # by the number of API calls before it
        self.api_calls = 0  # since the plan was made
        self.tokens: dict[tuple[str, frozenset[str]], str] = {}  # the current one by client and scopes
        self.issued_at: dict[str, float] = {}  # all tokens that were not revoked
        self.last_use: dict[str, float] = {}  # by session token; -inf if the session has ended
        self.failed_logins = 0

    def receive(self, endpoint: str) -> Answer | None:
        """Count one arrival, wait as long as was asked for, and return the next fault, if there is one."""
        with self.changed:
            self.received[endpoint] += 1
            self.changed.notify_all()
            faults = self.faults[endpoint]
            fault, delay = faults.popleft() if faults else (None, 0.0)
            delay += self.latency[endpoint]
        self.hurry.wait(delay)
        return fault

    def report(self, call: Call) -> None:
        """Count one answer, do what is planned after it, and tell `on_call`."""
        with self.changed:
            self.answered[call.endpoint, call.status] += 1
            due = []
            if call.endpoint == "api":
                self.api_calls += 1
                due = [action for after, action in self.planned if after == self.api_calls]
        for action in due:
            action()
        try:
            if self.on_call is not None:
                self.on_call(call)
        except Exception:  # whatever a test's callback raises, the client gets its answer
            logging.getLogger("requests_thingspace.sandbox").warning("on_call raised", exc_info=True)
