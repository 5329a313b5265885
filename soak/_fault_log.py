"""The fault log: what went wrong over the sandbox, from when to when, and what callers may see of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

from requests_thingspace.sandbox import Sandbox

from . import FAULT_HEADER

SLACK = 2.0
"""Seconds that two processes on a busy machine may be apart."""

_CONSUMED_WITHIN = 60.0  # seconds


@dataclass
class Episode:
    """Something that went wrong.

    Attributes:
        kind: what.
        begin: from when, in seconds of the machine's monotonic clock.
        end: until when its outcomes can reach a caller.
        explains: the outcomes that callers may see of it; most explain nothing.
        fault: the id that its answer carries, if it is one answer: it explains that one alone.
    """

    kind: str
    begin: float
    end: float = 0.0
    explains: tuple[str, ...] = ()
    fault: str | None = None


class FaultLog:
    """Lets faults of a sandbox happen, and tells of each episode when it is over."""

    def __init__(self, sandbox: Sandbox, tell: Callable[[dict[str, Any]], None]) -> None:
        """Prepare.

        Args:
            sandbox: what goes wrong.
            tell: gets each episode as a dict.
        """
        self._sandbox = sandbox
        self._tell = tell

    @contextmanager
    def episode(
        self, kind: str, *explains: str, after: float = SLACK, fault: str | None = None
    ) -> Iterator[None]:
        """An episode, whose outcomes can reach callers until `after` seconds later."""
        episode = Episode(kind, time.monotonic(), explains=explains, fault=fault)
        yield
        episode.end = time.monotonic() + after
        self._tell(asdict(episode))

    @contextmanager
    def faults(self, endpoint: str, times: int, **fault: Any) -> Iterator[None]:
        """Ask for faults of an endpoint, let their occasion come, and wait until they are used up."""
        before = self._sandbox.calls[endpoint]
        self._sandbox.fail_next(endpoint, times=times, **fault)
        yield
        if not self._sandbox.wait_for_calls(endpoint, before + times, _CONSUMED_WITHIN):
            raise RuntimeError(f"{endpoint!r} was not called {times} times in {_CONSUMED_WITHIN:g} seconds")

    def one_answer(self, kind: str, fault: str, status: int, body: Any = None) -> None:
        """An episode of one answer of the API, which says in a header which fault it is."""
        headers = {FAULT_HEADER: fault}
        with (
            self.episode(kind, f"status {status}", fault=fault),
            self.faults("api", 1, status=status, body=body, headers=headers),
        ):
            pass
