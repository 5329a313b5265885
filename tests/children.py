"""Work done by real processes, forked from a server process without threads as a pre-fork server does."""

from __future__ import annotations

import itertools
import multiprocessing
import os
import threading
import time
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import requests

from requests_thingspace import Clock, LoginRefusedError, ThingspaceAuth, mount

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(
    ["requests_thingspace._endpoints.oauth", "platformdirs", "filelock", "redis", __name__]
)


class Child:
    """A process that does one piece of work."""

    def __init__(self, work: Callable[..., Any], *arguments: Any, daemon: bool = True):
        self._outcome, theirs = CONTEXT.Pipe(duplex=False)
        self.process = CONTEXT.Process(target=_tell, args=(theirs, work, arguments), daemon=daemon)
        self.process.start()
        theirs.close()

    def result(self, timeout: float = 60.0) -> Any:
        assert self._outcome.poll(timeout), "the child process gave no answer"
        returned, raised = self._outcome.recv()
        self.process.join()
        if raised is not None:
            raise raised
        return returned

    def kill(self) -> None:
        """End it by SIGKILL."""
        self.process.kill()
        self.process.join()


def _tell(outcome: Any, work: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    try:
        outcome.send((work(*arguments), None))
    except Exception as error:  # noqa: BLE001 - the parent raises it again
        outcome.send((None, error))


class Ahead:
    """Clocks that are ahead by a number of seconds that processes share."""

    def __init__(self) -> None:
        self.seconds = CONTEXT.Value("d", 0.0)

    @property
    def clock(self) -> Clock:
        return Clock(self.wall, self.monotonic)

    def wall(self) -> float:
        return time.time() + self.seconds.value

    def monotonic(self) -> float:
        return time.monotonic() + self.seconds.value


def new_session(auth: ThingspaceAuth, ca_file: str, face: str = "auth") -> requests.Session:
    """A Session with `auth`, by one face or the other."""
    session = requests.Session()
    session.verify, session.trust_env = ca_file, False
    if face == "adapter":
        return mount(session, auth)
    session.auth = auth
    return session


def call(auth: ThingspaceAuth, ca_file: str, url: str) -> int:
    with new_session(auth, ca_file) as session:
        return session.get(url).status_code


def member(sessions, url, gate, phases, *, rounds=3):
    """A process of a fleet: in each phase all Sessions make some API calls at once; gives the statuses."""
    statuses = []
    with ThreadPoolExecutor(len(sessions)) as pool:
        for _ in range(phases):
            gate.wait(60)
            statuses += pool.map(lambda session: session.get(url).status_code, sessions * rounds)
            gate.wait(60)
    return statuses


def is_refused(auth):
    """Whether a process that starts and needs the session token is refused."""
    try:
        auth.get_session_token()
    except LoginRefusedError:
        return True
    return False


def write_for_ever(cache, key):
    """Save one entry after the other until somebody ends it."""
    for count in itertools.count():
        cache.save(key, {"writer": os.getpid(), "count": count, "filler": "x" * 50_000}, 3600.0)


def forking_server(auth, gate, ca_file, url, workers=2):
    """A pre-fork server: a thread is in mid-fetch while it forks; gives the exit codes of its workers."""
    fetching = threading.Thread(target=auth.get_token)
    fetching.start()
    gate.wait(60)
    forked = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # that it has threads is the point
        for _ in range(workers):
            worker = os.fork()
            if worker == 0:
                os._exit(0 if call(auth, ca_file, url) == 200 else 1)
            forked.append(worker)
    fetching.join()
    return [os.waitstatus_to_exitcode(os.waitpid(worker, 0)[1]) for worker in forked]


def token_in_time_zone(auth, zone):
    """The expiry of the auth's token as a process in another time zone sees it, and the local hour."""
    os.environ["TZ"] = zone
    time.tzset()
    return auth.get_token().expires_at, time.localtime(0).tm_hour
