"""Clocks that a test sets."""

from __future__ import annotations

from requests_thingspace import Clock


class FakeClock:
    """Both clocks of a test, which stand still until they are moved."""

    def __init__(self, wall: float = 1_800_000_000.0, monotonic: float = 5_000.0):
        self.wall = wall
        self.monotonic = monotonic

    def advance(self, seconds: float) -> None:
        self.wall += seconds
        self.monotonic += seconds

    @property
    def clock(self) -> Clock:
        return Clock(wall=lambda: self.wall, monotonic=lambda: self.monotonic)
