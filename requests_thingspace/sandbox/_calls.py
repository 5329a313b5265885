"""A call is counted when it arrives, a fault may answer it, and it is reported before its answer is sent.

So a client that has an answer finds it counted already. Faults happen in the order in which they were asked
for. Setting `Calls.hurry` ends the wait for every delayed or slow answer.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from ._messages import Answer

ENDPOINTS = ("token", "revoke", "login", "logout", "api")
"""What is counted and can be made to fail; ``api`` is everything else."""

_log = logging.getLogger("requests_thingspace.sandbox")


@dataclass(frozen=True)
class Call:
    """One call that was answered.

    Attributes:
        endpoint: one of ``token``, ``revoke``, ``login``, ``logout``, ``api``.
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


class Fault(NamedTuple):
    """One failure to come."""

    answer: Answer | None  # None drops the connection
    delay: float  # real seconds


class Calls:
    """The counts, the faults to come, and the latency; `on_call` is called in the thread that answers."""

    def __init__(self, on_call: Callable[[Call], object]) -> None:
        self._on_call = on_call
        self.hurry = threading.Event()
        self._changed = threading.Condition()  # guards all below
        self.received = dict.fromkeys(ENDPOINTS, 0)
        self.answered = Counter[tuple[str, int]]()
        self._faults: dict[str, deque[Fault]] = {endpoint: deque() for endpoint in ENDPOINTS}
        self._latency = dict.fromkeys(ENDPOINTS, 0.0)

    def receive(self, endpoint: str) -> Fault | None:
        """Count one arrival, wait as long as was asked for, and return the next fault, if there is one."""
        with self._changed:
            self.received[endpoint] += 1
            self._changed.notify_all()
            faults, wait = self._faults[endpoint], self._latency[endpoint]
            fault = faults.popleft() if faults else None
        self.hurry.wait(wait + fault.delay if fault else wait)
        return fault

    def answer(self, call: Call) -> None:
        """Count one answer and report it; a callback that raises costs the client nothing."""
        with self._changed:
            self.answered[call.endpoint, call.status] += 1
        try:
            self._on_call(call)
        except Exception:  # noqa: BLE001 - whatever a test's callback raises
            _log.warning("on_call raised", exc_info=True)

    def wait_for(self, endpoint: str, count: int, timeout: float) -> bool:
        _check(endpoint)
        with self._changed:
            return self._changed.wait_for(lambda: self.received[endpoint] >= count, timeout)

    def fail(self, endpoint: str, fault: Fault, times: int) -> None:
        _check(endpoint, fault.delay)
        if times < 1:
            raise ValueError(f"A fault happens at least once, not {times} times.")
        with self._changed:
            self._faults[endpoint].extend([fault] * times)

    def slow(self, endpoint: str, seconds: float) -> None:
        _check(endpoint, seconds)
        with self._changed:
            self._latency[endpoint] = seconds


def _check(endpoint: str, wait: float = 0) -> None:
    if endpoint not in ENDPOINTS:
        raise ValueError(f"There is no endpoint {endpoint!r}: it is one of {', '.join(ENDPOINTS)}.")
    if not wait >= 0:
        raise ValueError(f"A wait is 0 seconds or more, not {wait}.")
