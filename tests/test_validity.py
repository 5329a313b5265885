"""When a token is due and when it is expired, on both sides of each boundary."""

import math
import time

import pytest

from requests_thingspace import Clock, OAuthToken, SessionToken
from requests_thingspace._validity import SHORTEST_USE, ActiveToken, Moment

START = Moment(1_000_000.0, 50.0)


def active(life, *, now=START, skew=60.0, shortest=SHORTEST_USE):
    """A token asked for at START that lives `life` seconds."""
    token = OAuthToken("secret-a", expires_at=None if life is None else START.wall + life)
    return ActiveToken.starting(token, START, now, skew, shortest)


BOUNDARIES = [(0, False, False), (3539.999, False, False), (3540, True, False), (3599.999, True, False)]


@pytest.mark.parametrize(("seconds", "due", "expired"), [*BOUNDARIES, (3600, True, True)])
def test_a_token_is_due_within_the_clock_skew_and_expired_at_its_expiry(seconds, due, expired):
    """Due from 60 s before the expiry, expired from the expiry on, to the moment."""
    one, now = active(3600), START.plus(seconds)
    assert (now.reaches(one.due), now.reaches(one.expires)) == (due, expired)


def test_a_token_that_is_due_or_expired_on_arrival_is_used_all_the_same():
    """ThingSpace gives it again: for its 40 s, or for a moment; what the user brings has no such moment."""
    one, arrival = active(40), START.plus(100)
    assert one.due == one.expires == START.plus(40)
    assert active(10, now=arrival).expires == arrival.plus(SHORTEST_USE)
    assert START.reaches(active(-1, shortest=0.0).expires)


def test_either_clock_ends_a_token():
    """A suspended laptop (wall) and a clock that is set back (monotonic), while the endpoint answers too."""
    for wall, monotonic in ((3600, 0), (0, 3600)):
        assert Moment(START.wall + wall, START.monotonic + monotonic).reaches(active(3600).expires)
    one = active(3600, now=Moment(START.wall - 3600, START.monotonic + 1))
    assert one.expires.monotonic == START.monotonic + 3600


@pytest.mark.parametrize("token", [OAuthToken("secret-a"), SessionToken("secret-a")], ids=repr)
def test_a_token_without_expiry_is_never_due(token):
    """Only an answer of the server ends it."""
    one = ActiveToken.starting(token, START, START, 60.0)
    assert not Moment(1e300, 1e300).reaches(one.due)
    assert one.expires == Moment(math.inf, math.inf)


def test_a_new_skew_judges_the_token_that_is_held_but_revives_none():
    """It moves the moment at which the token is due; a rejected one stays rejected."""
    one = active(3600)
    one.judge_by(600.0)
    assert (one.is_due(START.plus(2999.9)), one.is_due(START.plus(3000))) == (False, True)
    one.reject()
    one.judge_by(0.0)
    assert one.is_due(START)


def test_the_clock_of_the_machine_is_the_default():
    """Unix time and the monotonic clock."""
    before, now = time.time(), Clock().now()
    assert before <= now.wall <= time.time()
    assert now.monotonic <= time.monotonic()
