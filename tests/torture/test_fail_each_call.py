"""Each system call fails in turn: there is a token or a promised error, and nothing leaks."""

import contextlib
import gc
import itertools
import os
import pickle
import sys
import threading
from pathlib import Path

import filelock
import pytest
import requests

from ..hostile import json_answer
from ..hostile._loopback import LoopbackServer
from ..hostile._wire import Wire
from .fail_each_call import FAULTS, SystemCalls, open_files
from .scenarios import Found, FoundRejected, Login, RefusedLogin, Rejected, Reset, Scenario, outcome_of
from .scheduler import import_all
from .thingspace import ORIGIN, ThingSpace

pytestmark = [
    pytest.mark.usefixtures("quiet"),
    pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="descriptors are counted there"),
]

CASES = [
    (Scenario, "socket"),
    (Login, "socket"),
    (RefusedLogin, "socket"),
    (Scenario, "cache"),
    (Found, "cache"),
    (FoundRejected, "cache"),
    (Reset, "cache"),
    (Rejected, "fork"),
]


class Server(LoopbackServer):
    """The ThingSpace of the other tools behind a real socket."""

    def __init__(self):
        super().__init__("main")
        self.thingspace, self.origin = ThingSpace(), f"http://127.0.0.1:{self.port('main')}"

    def serve(self, connection, listener):
        wire = Wire(self, connection)
        request = wire.read_request()
        if request is not None:
            answer = self.thingspace.answer(ORIGIN + request.target, request.headers, request.body.decode())
            json_answer(*answer, headers=[("Connection", "close")])(wire, request)


def outcome_under(calls, work):
    """What comes of `work` while the calls are counted."""
    with calls:
        return outcome_of(work)


def outcome_in_a_fork(calls, work):
    """The same in a child process, which has what its parent has."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            outcome = outcome_under(calls, work)
            outcome = outcome if isinstance(outcome, (int, requests.RequestException)) else repr(outcome)
            os.write(writing, pickle.dumps((outcome, calls.made, calls.failed)))
        finally:
            os._exit(0)
    os.close(writing)
    with open(reading, "rb") as pipe:
        outcome, calls.made, calls.failed = pickle.loads(pipe.read())
    os.waitpid(child, 0)
    return outcome


def run(kind, place, folder, calls):
    """What is wrong after a run of a scenario, in which one of its system calls may fail."""
    folder.mkdir(mode=0o700)
    with contextlib.ExitStack() as stack:
        server = None if place == "cache" else stack.enter_context(Server())
        scenario = kind("auth", folder if place == "cache" else None, server)
        stack.callback(scenario.session.close)
        faults, outcome = faults_of(scenario, outcome_in_a_fork if place == "fork" else outcome_under, calls)
        may_fail = place != "cache" or calls.failed.endswith("oauth")  # a broken cache fails no request
        if not (scenario.is_good(outcome) or (may_fail and isinstance(outcome, requests.RequestException))):
            faults.append(f"the call got {outcome!r}")
        scenario.thingspace.advance(61.0)
        scenario.most = 2 if calls.failed in ("recv_into", "sendall") else 1  # the refusal may be lost
        return faults + scenario.faults_afterwards()


def faults_of(scenario, outcome_by, calls):
    """What the call has left behind, and its outcome."""
    faults, threads, before = [], set(threading.enumerate()), open_files()
    sys.unraisablehook = lambda ignored: faults.append(f"ignored: {ignored.exc_value!r}")
    outcome = outcome_by(calls, scenario.call)
    scenario.session.close()
    gc.collect()
    left = [thread for thread in set(threading.enumerate()) - threads if "thingspace" in thread.name]
    for thread in left:
        thread.join(2)
    stuck = [thread.name for thread in left if thread.is_alive()]
    # a socket may be the server's own, which accepts in a thread
    opened = [
        name for name in open_files() - before if stuck or not ("socket" in name or "eventpoll" in name)
    ]
    return [
        *faults,
        *(f"{name} goes on" for name in stuck),
        *(f"left open: {name}" for name in opened),
    ], outcome


@pytest.fixture
def quick_collector():
    """A collector that looks at what the test makes alone: each run wants to be rid of all its garbage."""
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.mark.usefixtures("quick_collector")
@pytest.mark.skipif(
    int(filelock.__version__.split(".")[0]) < 4, reason="this filelock leaves a file open if flock fails"
)
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@pytest.mark.parametrize(("kind", "place"), CASES)
def test_a_call_that_fails_costs_a_token_at_most(kind, place, tmp_path, amount):
    """A token or a promised error comes of it; nothing leaks; the next call succeeds."""
    import_all()
    calls = SystemCalls()
    faults = run(kind, place, tmp_path / "all is well", calls)
    each = [(at, made, fault) for at, made in enumerate(calls.made) for fault in FAULTS[made]]
    for at, made, fault in itertools.islice(each, None, None, amount(1 + len(each) // 12, 1)):
        tried = SystemCalls(at, made, fault)
        found = run(kind, place, tmp_path / f"{at}-{FAULTS[made].index(fault)}", tried)
        faults += [f"{at} {tried.failed} {fault!r}: {one}" for one in found]
    assert calls.made
    assert not faults, "\n".join([f"{len(faults)} faults", *faults])
