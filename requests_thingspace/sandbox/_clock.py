"""The sandbox's time is real time plus an offset that only a test moves, and only forward."""

from __future__ import annotations

import threading
import time


class SandboxClock:
    """Both clocks of the sandbox; a client that is given them ages together with the sandbox."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # guards _offset
        self._offset = 0.0

    def wall(self) -> float:
        """Unix time in seconds, as `time.time` would give it after all that was advanced."""
        return time.time() + self._offset

    def monotonic(self) -> float:
        """Seconds that never go back, except by `reset`, as `time.monotonic` counts them."""
        return time.monotonic() + self._offset

    def advance(self, seconds: float) -> None:
        """Let `seconds` pass at once.

        Raises:
            ValueError: `seconds` is negative or no number.
        """
        if not seconds >= 0:
            raise ValueError(f"The sandbox's clock only goes forward, not by {seconds} seconds.")
        with self._lock:
            self._offset += seconds

    def reset(self) -> None:
        """Return to real time."""
        with self._lock:
            self._offset = 0.0
