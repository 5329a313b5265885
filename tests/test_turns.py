"""The chain of turns: what threads do that come between each other is explored in `tests.torture`."""

from __future__ import annotations

import os
import warnings

from requests_thingspace._turns import Turn


def test_the_first_one_that_asks_comes_next():
    """And the newest turn is found from any older one."""
    first, second, third, late = Turn(), Turn(), Turn(), Turn()
    assert first.passes_to(second)
    assert second.passes_to(third)
    assert not first.passes_to(late)
    assert first.newest() is second.newest() is third
    assert (first.is_superseded, third.is_superseded) == (True, False)


def test_a_child_process_does_not_wait_for_its_parents_turn():
    """The parent's thread does not exist there, and nobody would end the turn."""
    turn, codes = Turn(), []

    def fork():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # a test runner has threads
            child = os.fork()
        if child == 0:
            os._exit(turn.worker() is not None)
        codes.append(os.waitpid(child, 0)[1])

    turn.run(fork)
    assert (codes, turn.worker()) == ([0], None)
