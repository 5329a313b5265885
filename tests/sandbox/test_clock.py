"""The clock: real time, plus what was advanced."""

import time

import pytest

from requests_thingspace.sandbox import SandboxClock


def test_both_clocks_move_together_and_reset_returns_to_real_time():
    clock = SandboxClock()
    clock.advance(3600)
    clock.advance(0.5)
    assert clock.wall() - time.time() == pytest.approx(3600.5, abs=1)
    assert clock.monotonic() - time.monotonic() == pytest.approx(3600.5, abs=1)
    clock.reset()
    assert clock.wall() == pytest.approx(time.time(), abs=1)
    assert clock.monotonic() == pytest.approx(time.monotonic(), abs=1)


@pytest.mark.parametrize("seconds", [-1, float("nan")])
def test_time_does_not_go_back(seconds):
    with pytest.raises(ValueError, match="only goes forward"):
        SandboxClock().advance(seconds)
