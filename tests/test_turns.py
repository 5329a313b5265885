"""The chain of turns; what threads do that come between each other is explored in `tests.torture`."""

import weakref

from requests_thingspace._turns import Turn


def test_the_first_one_that_asks_comes_next():
    """And the newest turn is found from any older one."""
    first, second, third, late = Turn(), Turn(), Turn(), Turn()
    assert first.passes_to(second)
    assert second.passes_to(third)
    assert not first.passes_to(late)
    assert first.newest() is second.newest() is third
    assert (first.is_superseded, third.is_superseded) == (True, False)


class Freed(Turn):
    """A turn whose end can be seen."""

    __slots__ = ("__weakref__",)


def test_a_reset_does_not_keep_what_it_came_after():
    """A turn leads to tokens: once it is over, nothing holds it."""
    under_way = Freed()
    kept = weakref.ref(under_way)
    blank = Turn(after=under_way)
    with under_way.lock:
        assert blank.worker() is under_way
    assert blank.worker() is None
    del under_way
    assert kept() is None
