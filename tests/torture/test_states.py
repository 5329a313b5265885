"""Few callers, all orders."""

import pytest

from .states import explore

CASES = [
    (("get_token", "get_token"), 2, {}),
    (("get_token", "get_token"), 1, {"interrupts": True}),
    (("get_token", "get_token", "get_token"), 1, {}),
    (("get_token", "get_token"), 1, {"has_token": True}),
    (("get_token", "get_token", "get_token"), 1, {"has_token": True}),
    (("get_token", "get_token", "reset"), 1, {}),
    (("expire", "get_token", "get_token"), 1, {"has_token": True}),
    (("set back", "get_token", "get_token"), 1, {"has_token": True}),
    (("sleep", "get_token", "get_token"), 1, {"has_token": True}),
    (("get_token", "get_token", "reset"), 0, {"interrupts": True}),
    (("get_token", "get_token", "get_token", "reset", "expire"), 0, {"has_token": True}),
]


@pytest.mark.parametrize(
    ("deeds", "preemptions", "more"), CASES, ids=[" ".join((*d, *m)) for d, _, m in CASES]
)
def test_no_order_breaks_a_law(deeds, preemptions, more, amount):
    """One renewal at a time and none too many, nobody waits for ever, nothing is used that is over."""
    assert not explore(deeds, preemptions=preemptions, most=amount(40, None), **more)
