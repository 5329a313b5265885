"""Every call is counted when it has arrived, and reported when its answer is ready to leave.

So a client that holds an answer finds it counted already. The counts start again at `Calls.reset`; an
answer to a call that arrived before that is not counted any more.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

ENDPOINTS = ("token", "revoke", "login", "logout", "api")
"""What is counted and can be made to fail; ``api`` is everything that is none of the others."""

_log = logging.getLogger("requests_thingspace.sandbox")


@dataclass(frozen=True, slots=True)
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


def checked_endpoint(endpoint: str) -> str:
    """`endpoint`, or a ValueError that names the endpoints that there are."""
    if endpoint not in ENDPOINTS:
        raise ValueError(f"There is no endpoint {endpoint!r}: it is one of {', '.join(ENDPOINTS)}.")
    return endpoint


class Calls:
    """The counts of one sandbox."""

    def __init__(self, on_call: Callable[[Call], object] | None) -> None:
        """Count from zero.

        Args:
            on_call: called with each `Call`, in the thread that answers it.
        """
        self._on_call = on_call
        self._changed = threading.Condition()  # guards all below
        self._round = 0
        self._received = Counter[str]()
        self._answered = Counter[tuple[str, int]]()

    @property
    def received(self) -> dict[str, int]:
        """A snapshot: the number of calls that arrived, for every endpoint."""
        with self._changed:
            return {endpoint: self._received[endpoint] for endpoint in ENDPOINTS}

    @property
    def answered(self) -> Counter[tuple[str, int]]:
        """A snapshot: the number of answers by endpoint and HTTP status."""
        with self._changed:
            return Counter(self._answered)

    def receive(self, endpoint: str) -> int:
        """Count one arrival; the round that it returns goes to `answer`."""
        with self._changed:
            self._received[endpoint] += 1
            self._changed.notify_all()
            return self._round

    def answer(self, call: Call, arrived_in: int) -> None:
        """Count one answer and report it; a callback that raises costs the client nothing."""
        with self._changed:
            if arrived_in == self._round:
                self._answered[call.endpoint, call.status] += 1
        if self._on_call is None:
            return
        try:
            self._on_call(call)
        except Exception:  # noqa: BLE001 - whatever a test's callback raises
            _log.warning("on_call raised", exc_info=True)

    def wait_for(self, endpoint: str, count: int, timeout: float) -> bool:
        """Wait until `count` calls of `endpoint` have arrived; ``False`` after `timeout` seconds."""
        checked_endpoint(endpoint)
        with self._changed:
            return self._changed.wait_for(lambda: self._received[endpoint] >= count, timeout)

    def reset(self) -> None:
        """Count from zero again."""
        with self._changed:
            self._round += 1
            self._received.clear()
            self._answered.clear()
