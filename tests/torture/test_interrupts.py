"""Whatever a signal handler does, and wherever: the call it interrupts and all others go on."""

import contextlib
import gc
import itertools
import random
import signal
import sys
import tempfile
import threading
import time
from contextvars import copy_context
from pathlib import Path

import pytest
import requests

from requests_thingspace._endpoints.worker import frames
from requests_thingspace.caches._private import file_lock, write_private

from ..threads import in_a_thread
from .moments import Moments, VisibleLock, functions_of, in_package, raising, standing_in
from .scenarios import INTERRUPTED, PATIENCE, Login, Provider, Runner, Scenario, outcome_of

CASES = [
    pytest.param(scenario, face, cached, id=f"{scenario.__name__}-{face}{'-cache' * cached}")
    for scenario, face, cached in itertools.product(INTERRUPTED, ("auth", "adapter"), (False, True))
    if not (cached and scenario is Provider)
]


class TimeLimitExceeded(Exception):  # noqa: N818 - as Celery's is called
    """An ordinary exception that a signal handler raises, such as Celery's SoftTimeLimitExceeded."""


@pytest.fixture(autouse=True)
def visible_locks(quiet):
    """Locks that can be interrupted directly after they are taken, as on CPython 3.14."""
    with standing_in(threading, Lock=VisibleLock):
        yield


def until_blocked(threads):
    """Give each thread time to end, or to come to where it waits for another."""
    end, seen = time.monotonic() + 0.05, {}
    while time.monotonic() < end:
        time.sleep(0)
        now = {ident: (frame.f_code, frame.f_lasti) for ident, frame in frames().items()}
        if not any(
            t.is_alive() and (t.ident not in now or seen.get(t.ident) != now[t.ident]) for t in threads
        ):
            return
        seen = now


def is_same(outcome, error):
    """Whether this is the error, or what CPython before 3.12 makes of one inside a codec: a new one."""
    return outcome is error or (type(outcome) is type(error) and outcome.__cause__ is error)


def effect_of(error, stack):
    """What has to arrive of an error that was raised within `stack`, and whether those who wait share it.

    An ordinary one looks like a failure of the provider or of the callback in which it is raised.
    """
    if not isinstance(error, Exception):
        return error, False
    in_callback = "scenarios.py note_token" in stack or stack[:1] == ["_events.py call"]
    in_provider = "scenarios.py ask_thingspace" in stack or stack[:1] == ["_manager.py _offered"]
    return None if in_callback else error, in_provider


class Trial:
    """One run of a scenario with one interruption, and what is wrong afterwards."""

    def __init__(self, scenario, waiters):
        self.scenario = scenario
        self.waiting, self._waiters = [], waiters
        self.ignored, self.lost = [], False
        self.where = None
        sys.unraisablehook = self._note_ignored
        scenario.thingspace.on_request = self._let_others_wait

    def _let_others_wait(self, name):
        """While the interrupted call waits for ThingSpace, others come to wait for it."""
        if name == self.scenario.waits_at and self._waiters:
            count, self._waiters = self._waiters, 0  # first, since those who wait may ask too
            self.waiting = [Runner(self.scenario.call) for _ in range(count)]
            until_blocked(self.waiting)

    def _note_ignored(self, ignored):
        """Take note of an exception that the interpreter ignores, as it does in a destructor.

        In one of the standard library's, such as those of `threading`, a real signal is lost.
        """
        code = getattr(ignored.object, "gi_code", None) or getattr(ignored.object, "__code__", None)
        if isinstance(ignored.exc_value, (TimeLimitExceeded, KeyboardInterrupt)):
            if code is None or not in_package(code.co_filename):
                self.lost = True
            else:
                self.ignored.append(f"the interpreter ignored {ignored.exc_value!r}")

    def interrupt(self, at, error):
        """Raise `error` at one moment."""
        with Moments(at, raising(error)) as moments:
            outcome = outcome_of(self.scenario.call)
        self.where = moments.where
        if self.where is None:
            return []
        return moments.shown + self._judged(outcome, *effect_of(error, moments.stack))

    def call_back(self, at, work):
        """Do `work` at one moment, as a signal handler may."""
        results = []
        with Moments(at, lambda: results.append(outcome_of(work))) as moments:
            outcome = outcome_of(self.scenario.call)
        self.where = moments.where
        faults = [f"the handler got {r!r}" for r in results if isinstance(r, BaseException)]
        faults = [fault for fault in faults if "ThingspaceError" not in fault and "RefusedError" not in fault]
        good = self.scenario.is_good(outcome) or isinstance(outcome, requests.RequestException)
        return faults + ([] if good else [f"the call got {outcome!r}"]) + self._judged()

    def signal(self, seed, error):
        """Let a real SIGALRM come at a time that `seed` decides, whose handler raises `error` once."""
        stack = []

        def handler(_, frame):
            if not stack:
                stack.extend(functions_of(frame))
                raise error

        def call():
            try:
                signal.setitimer(signal.ITIMER_REAL, random.Random(seed).uniform(1e-6, 0.004))
                return self.scenario.call()
            finally:
                signal.setitimer(signal.ITIMER_REAL, 0)

        before = signal.signal(signal.SIGALRM, handler)
        outcome = outcome_of(call)
        signal.signal(signal.SIGALRM, before)
        arrives, concerns_others = effect_of(error, stack)
        return self._judged(outcome, arrives if stack else None, concerns_others)

    def _judged(self, outcome=None, error=None, concerns_others=False):
        """What is wrong, `outcome` being that of the call in which `error` was raised.

        What a provider raises is the outcome of its renewal, which those who waited share.
        """
        self._waiters = 0  # those of a later call would not be waited for
        faults = list(self.ignored)
        if error is not None and not self.lost and not is_same(outcome, error):
            faults.append(f"{type(error).__name__} was swallowed: {outcome!r}")
        if isinstance(error, Exception):
            self.scenario.thingspace.advance(3.0)  # past a cool-down
        for waiter in self.waiting:
            waiter.join(PATIENCE)
            shared = concerns_others and isinstance(waiter.outcome, TimeLimitExceeded)
            if not (self.scenario.is_good(waiter.outcome) or shared):
                faults.append(f"a waiter got {waiter.outcome!r}")
        return faults or self.scenario.faults_afterwards()


@contextlib.contextmanager
def trial_of(scenario, face, cached, waiters):
    with tempfile.TemporaryDirectory() as folder:
        yield Trial(scenario(face, Path(folder) if cached else None), waiters)


def try_each(numbers, work, *case, waiters=2):
    """Let `work` disturb the call of a new Trial with each number; nothing is wrong after any."""
    faults = []
    for number in numbers:
        with trial_of(*case, waiters) as trial:
            found = copy_context().run(work, trial, number)
        faults += [f"{number} ({trial.where}): {fault}" for fault in found]
    assert not faults, "\n".join([f"{len(faults)} faults", *faults[:20]])


def moments_of(sample, what, *case):
    """All moments of a call, or a sample of them that is always the same."""
    with trial_of(*case, waiters=2) as trial, Moments() as moments:
        outcome_of(trial.scenario.call)
    if sample is None or sample >= moments.count:
        return range(moments.count)
    return sorted(random.Random(f"{case} {what}").sample(range(moments.count), sample))


@pytest.mark.parametrize("error", [KeyboardInterrupt, TimeLimitExceeded])
@pytest.mark.parametrize(("scenario", "face", "cached"), CASES)
@in_a_thread
def test_an_exception_out_of_a_signal_handler_harms_nobody_else(scenario, face, cached, error, amount):
    """It arrives as it is; who waited goes on, and so does every later call, in this thread and others."""
    moments = moments_of(amount(2, None), error, scenario, face, cached)
    try_each(moments, lambda trial, at: trial.interrupt(at, error("now")), scenario, face, cached)


@pytest.mark.parametrize("error", [KeyboardInterrupt, TimeLimitExceeded])
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # in threading itself
@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")  # Python closes what an interrupt lost
@in_a_thread
def test_an_interrupted_writer_leaves_nothing(tmp_path, error):
    """The next one has the lock while the interrupt is still handled, and finds no half of a file."""
    path = tmp_path / "private" / "file"

    def write():
        with file_lock(path, 1):
            write_private(path, b"content", lasting=False)

    gc.disable()
    try:
        with Moments() as moments:
            write()
        for at in range(moments.count):
            kept = []  # with its frames, and what is in them
            with Moments(at, raising(error())):
                try:
                    write()
                except error as interrupt:
                    kept.append(interrupt)
            write()
            kept.clear()
            assert not path.with_name("file.new").exists()
    finally:
        gc.enable()


@pytest.mark.parametrize("name", ["revoke", "reset", "logout", "call"])
@pytest.mark.parametrize("scenario", [Scenario, Provider, Login])
@in_a_thread
def test_a_signal_handler_may_use_the_auth(scenario, name, amount):
    """Nothing that it calls waits for the thread that it has interrupted."""

    def disturb(trial, at):
        return trial.call_back(at, getattr(trial.scenario if name == "call" else trial.scenario.auth, name))

    moments = moments_of(amount(4, None), name, scenario, "auth", False)
    try_each(moments, disturb, scenario, "auth", False, waiters=1)


@pytest.mark.skipif("coverage.collector" in sys.modules, reason="a signal may leave coverage's own lock held")
@pytest.mark.parametrize("error", [KeyboardInterrupt, TimeLimitExceeded])
@pytest.mark.parametrize(("scenario", "face", "cached"), CASES)
def test_a_real_signal_harms_nobody_else(scenario, face, cached, error, amount):
    """The same with SIGALRM at a random time."""
    seeds = range(amount(1, 200))
    try_each(seeds, lambda trial, seed: trial.signal(seed, error("now")), scenario, face, cached)
