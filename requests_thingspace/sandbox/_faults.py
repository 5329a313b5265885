"""Faults are used up in the order in which they were asked for, and no wait outlives the sandbox.

A delayed or slow answer waits on an event that `Faults.reset` and `Faults.close` set: whoever is waiting
is answered at once.
"""

from __future__ import annotations

import json
import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ._answers import Answer, typical_failure
from ._calls import ENDPOINTS, checked_endpoint

Body = str | bytes | dict[str, Any] | list[Any] | None


@dataclass(frozen=True)
class Fault:
    """One failure to come: ``answer=None`` drops the connection. `delay` is in real seconds."""

    answer: Answer | None = field(repr=False)
    delay: float


class Faults:
    """The failures and the latency that a test asked for."""

    def __init__(self) -> None:
        """Fail nothing."""
        self._lock = threading.Lock()  # guards all below
        self._coming: dict[str, deque[Fault]] = {endpoint: deque() for endpoint in ENDPOINTS}
        self._latency: dict[str, float] = {}
        self._wake = threading.Event()

    def fail_next(
        self,
        endpoint: str,
        *,
        status: int | None,
        times: int,
        body: Body,
        headers: Mapping[str, str] | None,
        delay: float,
    ) -> None:
        """Let the next `times` calls of `endpoint` fail; see `Sandbox.fail_next`."""
        checked_endpoint(endpoint)
        if times < 1:
            raise ValueError(f"A fault happens at least once, not {times} times.")
        if status is not None and not 200 <= status <= 599:
            raise ValueError(f"{status} is no final HTTP status: it is one of 200 to 599.")
        answer = None if status is None else _answer(endpoint, status, body, headers or {})
        fault = Fault(answer, _seconds(delay))
        with self._lock:
            self._coming[endpoint].extend([fault] * times)

    def slow(self, endpoint: str, seconds: float) -> None:
        """Let each answer of `endpoint` take `seconds` more; 0 takes that back."""
        with self._lock:
            self._latency[checked_endpoint(endpoint)] = _seconds(seconds)

    def meet(self, endpoint: str) -> Fault | None:
        """Wait as long as was asked for, and return the fault whose turn it is."""
        with self._lock:
            fault = self._coming[endpoint].popleft() if self._coming[endpoint] else None
            wait, wake = self._latency.get(endpoint, 0.0) + (fault.delay if fault else 0.0), self._wake
        if wait:
            wake.wait(wait)
        return fault

    def reset(self) -> None:
        """Forget everything, and let those that wait go on."""
        with self._lock:
            for coming in self._coming.values():
                coming.clear()
            self._latency.clear()
            self._wake.set()
            self._wake = threading.Event()

    def open(self) -> None:
        """Let those that come wait again, after a `close`."""
        with self._lock:
            self._wake = threading.Event()

    def close(self) -> None:
        """Let those that wait go on, and nobody wait any more until `open`."""
        with self._lock:
            self._wake.set()


def _seconds(seconds: float) -> float:
    if not seconds >= 0:
        raise ValueError(f"A wait is 0 seconds or more, not {seconds}.")
    return seconds


def _answer(endpoint: str, status: int, body: Body, headers: Mapping[str, str]) -> Answer:
    """The answer of a fault; headers that the test gives win."""
    if body is None:
        answer = typical_failure(endpoint, status)
        return Answer(status, answer.body, {**answer.headers, **headers})
    if isinstance(body, (dict, list)):
        return Answer(status, json.dumps(body).encode(), {"Content-Type": "application/json", **headers})
    content = body.encode() if isinstance(body, str) else bytes(body)
    return Answer(status, content, {"Content-Type": "text/plain; charset=utf-8", **headers})
