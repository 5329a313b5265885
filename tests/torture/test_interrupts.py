"""Whatever a signal handler does, and wherever: the call it interrupts and all others go on."""

import gc
import itertools
import random
import sys
from contextvars import copy_context

import pytest

from requests_thingspace.caches._private import file_lock, write_private

from ..threads import in_a_thread
from .moments import Moments, raising, with_visible_locks
from .scenarios import SCENARIOS, Login, Provider, Scenario, TimeLimitExceeded, Trial, outcome_of

CASES = [
    pytest.param(scenario, face, cached, id=f"{scenario.__name__}-{face}{'-cache' * cached}")
    for scenario, face, cached in itertools.product(SCENARIOS, ("auth", "adapter"), (False, True))
    if not (cached and scenario is Provider)
]


@pytest.fixture(autouse=True)
def visible_locks(quiet):
    """Locks that can be interrupted directly after they are taken."""
    with with_visible_locks():
        yield


def moments_of(scenario, face, cached, sample, what):
    """All moments of a call, or a sample of them that is always the same."""
    count = Trial(scenario, face, cached).count()
    if sample is None or sample >= count:
        return range(count)
    return sorted(random.Random(f"{scenario.__name__} {face} {cached} {what}").sample(range(count), sample))


@pytest.mark.parametrize("error", [KeyboardInterrupt, TimeLimitExceeded])
@pytest.mark.parametrize(("scenario", "face", "cached"), CASES)
@in_a_thread
def test_an_exception_out_of_a_signal_handler_harms_nobody_else(scenario, face, cached, error, amount):
    """It arrives as it is; who waited goes on, and so does every later call, in this thread and others."""
    faults = []
    for at in moments_of(scenario, face, cached, amount(2, None), error):
        trial = Trial(scenario, face, cached)
        found = copy_context().run(trial.interrupt, at, error("now"))
        faults += [f"{at} ({trial.where}): {fault}" for fault in found]
    assert not faults, "\n".join([f"{len(faults)} faults", *faults[:20]])


@pytest.mark.parametrize("error", [KeyboardInterrupt, TimeLimitExceeded])
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # in threading itself
@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")  # Python closes what an interrupt lost
@in_a_thread
def test_an_interrupted_writer_leaves_nothing(tmp_path, error):
    """The next one has the lock without the garbage collector's help, and finds no half of a file."""
    path = tmp_path / "private" / "file"

    def write():
        with file_lock(path, 1):
            write_private(path, b"content", lasting=False)

    gc.disable()
    try:
        with Moments() as moments:
            write()
        for at in range(moments.count):
            with Moments(at, raising(error())):
                outcome_of(write)
            write()
            assert not path.with_name("file.new").exists()
    finally:
        gc.enable()


@pytest.mark.parametrize("work", ["revoke", "reset", "logout", "call"])
@pytest.mark.parametrize("scenario", [Scenario, Provider, Login])
@in_a_thread
def test_a_signal_handler_may_use_the_auth(scenario, work, amount):
    """Nothing that it calls waits for the thread that it has interrupted."""
    faults = []
    for at in moments_of(scenario, "auth", False, amount(4, None), work):
        trial = Trial(scenario, "auth", False, waiters=1)
        handler = trial.scenario.call if work == "call" else getattr(trial.scenario.auth, work)
        found = copy_context().run(trial.call_back, at, handler)
        faults += [f"{at} ({trial.where}): {fault}" for fault in found]
    assert not faults, "\n".join([f"{len(faults)} faults", *faults[:20]])


@pytest.mark.skipif("coverage.collector" in sys.modules, reason="a signal may leave coverage's own lock held")
@pytest.mark.parametrize("error", [KeyboardInterrupt, TimeLimitExceeded])
@pytest.mark.parametrize(("scenario", "face", "cached"), CASES)
def test_a_real_signal_harms_nobody_else(scenario, face, cached, error, amount):
    """The same with SIGALRM at a random time."""
    faults = []
    for seed in range(amount(1, 200)):
        found = copy_context().run(Trial(scenario, face, cached).signal, seed, 0.004, error("now"))
        faults += [f"seed {seed}: {fault}" for fault in found]
    assert not faults, "\n".join([f"{len(faults)} faults", *faults[:20]])
