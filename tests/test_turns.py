"""One thread at a time: the chain of turns, and circles of those who wait."""

from __future__ import annotations

from requests_thingspace._turns import Turn

from .threads import in_threads


def test_the_first_one_that_asks_comes_next():
    """And the newest turn is found from any older one."""
    first, second, third, late = Turn(), Turn(), Turn(), Turn()
    assert first.passes_to(second)
    assert second.passes_to(third)
    assert not first.passes_to(late)
    assert first.newest() is second.newest() is third
    assert (first.is_overtaken, third.is_overtaken) == (True, False)


def test_a_turn_is_over_however_it_is_left():
    """Nobody waits for it then, and nobody is inside of it."""
    turn, seen = Turn(), []

    def work():
        seen.append((turn.worker() is turn, turn.is_mine(), in_threads(1, turn.is_mine)))
        raise ZeroDivisionError

    try:
        turn.run(work)
    except ZeroDivisionError:
        seen.append((turn.worker(), turn.is_mine()))
    assert seen == [(True, True, [False]), (None, False)]


def test_a_circle_of_those_who_wait_is_seen():
    """A turn that waits for one which waits for it would wait for ever."""
    mine, theirs = Turn(), Turn()
    theirs._awaits = mine
    seen = []
    mine.run(lambda: seen.append(theirs.waits_for_me()))
    assert seen == [True]
    assert not theirs.waits_for_me()
