"""The chain of turns; what threads do that come between each other is explored in `tests.torture`."""

from requests_thingspace._turns import Turn


def test_the_first_one_that_asks_comes_next():
    """And the newest turn is found from any older one."""
    first, second, third, late = Turn(), Turn(), Turn(), Turn()
    assert first.passes_to(second)
    assert second.passes_to(third)
    assert not first.passes_to(late)
    assert first.newest() is second.newest() is third
    assert (first.is_superseded, third.is_superseded) == (True, False)
