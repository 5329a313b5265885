"""Each system call fails in turn: there is a token or a promised error, and nothing leaks."""

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

from requests_thingspace import Environment, FileTokenCache, LoginRefusedError

from ..hostile import json_answer
from ..hostile._loopback import LoopbackServer
from ..hostile._wire import Wire
from .fail_each_call import FAULTS, SystemCalls, open_files
from .scenarios import outcome_of
from .scheduler import import_all
from .wire import API, M2M, ThingSpace, connect

pytestmark = [
    pytest.mark.usefixtures("quiet"),
    pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="descriptors are counted there"),
]


class Server(LoopbackServer):
    """The ThingSpace of the wire behind a real socket."""

    def __init__(self):
        super().__init__("main")
        self.thingspace, self.origin = ThingSpace(), f"http://127.0.0.1:{self.port('main')}"

    def serve(self, connection, listener):
        wire = Wire(self, connection)
        request = wire.read_request()
        if request is None:
            return
        url = f"https://thingspace.verizon.com{request.target}"
        status, document = self.thingspace.answer(request.method, url, request.headers, request.body.decode())
        json_answer(status, document, headers=[("Connection", "close")])(wire, request)


class Case:
    """A token call over a socket."""

    url = API
    over_socket = True
    cached = False
    prepared = False
    arguments: tuple = ()

    def __init__(self, folder):
        self.folder = folder
        self.server = Server().__enter__() if self.over_socket else None
        self.thingspace = ThingSpace() if self.server is None else self.server.thingspace
        if self.prepared:
            session, _ = self.connect()
            session.get(self.url)
        self.session, self.auth = self.connect()

    def connect(self):
        arguments = dict(self.arguments)
        if self.cached:
            arguments["cache"] = FileTokenCache(self.folder / "private" / "tokens.json")
        if self.server is not None:
            self.url = self.url.replace("https://thingspace.verizon.com", self.server.origin)
            arguments |= {"environment": Environment.at(self.server.origin), "session": None, "timeout": 5.0}
        return connect(self.thingspace, "auth", **arguments)

    def call(self):
        return self.session.get(self.url).status_code

    def is_good(self, outcome, calls):
        return outcome == 200 or isinstance(outcome, requests.RequestException)

    def faults(self, calls):
        """What is wrong in the end, after one of these calls has failed."""
        return []

    def tried(self, calls):
        with calls:
            outcome = outcome_of(self.call)
        return outcome, calls.names, calls.made, calls.failed

    def end(self):
        """Let nothing of the test's own be taken for a leak."""
        self.session.close()
        if self.server is not None:
            self.server.__exit__()


class Login(Case):
    """A token call and a login over a socket."""

    url = M2M
    arguments = (("username", "alice"), ("password", "right"))


class RefusedLogin(Login):
    """A login with a wrong password."""

    arguments = (("username", "alice"), ("password", "wrong"))

    def faults(self, calls):
        """One login with a wrong password, whatever fails in the judging of its answer; it may be lost."""
        sent, was_lost = len(self.thingspace.wrong_passwords), calls.failed in ("recv_into", "sendall")
        return [f"{sent} logins with a wrong password"] if sent > 1 and not was_lost else []


class FirstInCache(Case):
    """The first token in a file cache, whose folder is not there yet: a broken cache fails no request."""

    over_socket = False
    cached = True

    def is_good(self, outcome, calls):
        return outcome == 200 or (calls.failed.endswith("oauth") and super().is_good(outcome, calls))


class FoundInCache(FirstInCache):
    """A token that is in the file cache."""

    prepared = True


class ReplacedInCache(FoundInCache):
    """A token in the file cache that was revoked."""

    def __init__(self, folder):
        super().__init__(folder)
        self.thingspace.revoke_all()


class ForgottenInCache(FoundInCache):
    """A reset, which clears the file cache."""

    def call(self):
        self.auth.reset()
        return super().call()


class Forked(Case):
    """A token call in a forked child, whose parent has a token that is rejected."""

    def __init__(self, folder):
        super().__init__(folder)
        self.call()
        self.thingspace.revoke_all()

    def tried(self, calls):
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                outcome, *rest = super().tried(calls)
                outcome = outcome if isinstance(outcome, (int, requests.RequestException)) else repr(outcome)
                os.write(writing, pickle.dumps((outcome, *rest)))
            finally:
                os._exit(0)
        os.close(writing)
        with open(reading, "rb") as pipe:
            results = pickle.loads(pipe.read())
        os.waitpid(child, 0)
        return results


CASES = (Case, Login, RefusedLogin, FirstInCache, FoundInCache, ReplacedInCache, ForgottenInCache, Forked)


def is_servers(name):
    """Whether it may be the server's own: it accepts in a thread."""
    return "socket" in name or "eventpoll" in name


def run(kind, folder, calls):
    """What is wrong after one run of a case, in which one of its system calls may fail."""
    folder.mkdir(mode=0o700)
    case, threads, warned = kind(folder), set(threading.enumerate()), []
    before = open_files()
    sys.unraisablehook = lambda ignored: warned.append(f"ignored: {ignored.exc_value!r}")
    outcome, calls.names, calls.made, calls.failed = case.tried(calls)
    case.session.close()
    gc.collect()
    faults = warned if case.is_good(outcome, calls) else [*warned, f"the call got {outcome!r}"]
    left = [thread for thread in set(threading.enumerate()) - threads if "thingspace" in thread.name]
    for thread in left:
        thread.join(2)
    stuck = [thread.name for thread in left if thread.is_alive()]
    faults += [f"{name} goes on" for name in stuck]
    faults += [f"left open: {name}" for name in open_files() - before if stuck or not is_servers(name)]
    faults += [f"left behind: {path.name}" for path in folder.rglob("*.new*")]
    del outcome
    case.thingspace.advance(61.0)
    again = outcome_of(case.call)
    if again != 200 and not (kind is RefusedLogin and isinstance(again, LoginRefusedError)):
        faults.append(f"the next call got {again!r}")
    faults += case.faults(calls)
    case.end()
    return faults


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
@pytest.mark.parametrize("kind", CASES, ids=lambda kind: kind.__name__)
def test_a_call_that_fails_costs_a_token_at_most(kind, tmp_path, amount):
    """A token or a promised error comes of it; nothing leaks; the next call succeeds."""
    import_all()
    calls = SystemCalls()
    faults = run(kind, tmp_path / "all is well", calls)
    each = [(at, made, fault) for at, made in enumerate(calls.made) for fault in FAULTS[made]]
    for at, made, fault in itertools.islice(each, None, None, amount(1 + len(each) // 12, 1)):
        tried = SystemCalls(at, made, fault)
        found = run(kind, tmp_path / f"{at}-{fault.name}", tried)
        faults += [f"{at} {tried.failed} {fault.name}: {one}" for one in found]
    assert calls.made
    assert not faults, "\n".join([f"{len(faults)} faults", *faults])
