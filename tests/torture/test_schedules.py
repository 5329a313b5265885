"""In whatever order threads come to run, the laws hold."""

import itertools

import pytest

from .scheduler import Lock, Scheduler, StuckError
from .schedules import Seeded

pytestmark = pytest.mark.usefixtures("quiet")


SAMPLE = (*range(24), 75, 77, 159)
"""Seeds that find a replay without a rewind, a token on a redirect, a second login and the like."""


@pytest.mark.parametrize("part", range(4))
def test_no_schedule_breaks_a_law(part, amount):
    """One token call at a time, no waiter lost, nothing used that has ended, callbacks once and in order."""
    faults = []
    for seed in amount(SAMPLE, range(6000))[part::4]:
        faults += [f"Seeded({seed}): {fault}" for fault in Seeded(seed).run()]
    assert not faults, "\n".join(faults)


def test_a_schedule_can_be_run_again():
    """The same seed gives the same order of the same steps."""

    def steps() -> tuple:
        schedule = Seeded(5)
        schedule.run()
        return schedule.scheduler.steps, str(schedule.deeds)

    assert steps() == steps()


def test_threads_that_wait_for_each_other_are_found():
    """Two locks taken in two orders."""
    turns = itertools.count()
    scheduler = Scheduler(lambda n: next(turns) % n, lambda: 1.0)
    one, other = Lock(scheduler), Lock(scheduler)

    def take(first, second):
        with first:
            scheduler.pause()
            with second:
                pass

    with pytest.raises(StuckError, match="each waits for another"):
        scheduler.run(lambda: take(one, other), lambda: take(other, one))
