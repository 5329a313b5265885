"""The process with the clients: `python -m soak.clients SEED THREADS RATE`, and the sandbox's place on stdin.

It prints each outcome that is no 200. The next line on stdin ends the threads, each of which makes one more
call: the weather is calm by then, and nothing explains an error any more. At last the figures are printed.
"""

from __future__ import annotations

import json
import pickle
import random
import statistics
import sys
import threading
import time
from typing import Any

import requests
from requests.adapters import HTTPAdapter

from requests_thingspace import Environment, ThingspaceAuth, ThingspaceError, mount

from . import AUTH_TIMEOUT, CLOCK_SKEW, FAULT_HEADER, _calls, _machine
from ._lines import tell

WARM_UP = 120.0
"""Seconds after which memory is measured for the first time, or after a third of a short run."""

_WINDOW = 10  # seconds over which memory is measured
_NEWCOMERS = 0.01  # of all calls


class Clients:
    """Threads that call, on two Sessions: one has the auth, the other the adapter."""

    def __init__(self, place: dict[str, Any], seed: int, threads: int, rate: float) -> None:
        """Make the Sessions; nothing is sent.

        Args:
            place: where the sandbox is, and its credentials.
            seed: of everything that is random.
            threads: how many, half of them on each Session.
            rate: API calls per second of all threads together.
        """
        self._place, self._seed = place, seed
        self._pause = threads / rate
        self._stop = threading.Event()
        self._together = threading.Barrier(threads)
        self._lock = threading.Lock()  # guards calls, good and longest
        self.calls, self.good, self.longest = 0, 0, 0.0
        self.sessions = {"auth": self._session(), "adapter": self._session()}
        self.sessions["auth"].mount("https://", HTTPAdapter(pool_maxsize=threads))
        self.sessions["auth"].auth = self._auth(self.sessions["auth"])
        mount(self.sessions["adapter"], self._auth(None), pool_maxsize=threads)
        self._threads = [
            threading.Thread(target=self._work, args=(number, ("auth", "adapter")[number % 2]))
            for number in range(threads)
        ]

    def run(self) -> list[int]:
        """Call until a line comes on stdin; gives the resident memory of each second."""
        threading.Thread(target=self._wait_for_the_end, daemon=True).start()
        for thread in self._threads:
            thread.start()
        memory = []
        while not self._stop.wait(1.0):
            memory.append(_machine.resident())
        for thread in self._threads:
            thread.join()
        for session in self.sessions.values():
            session.close()
        return memory

    def _wait_for_the_end(self) -> None:
        sys.stdin.readline()
        self._stop.set()

    def _session(self) -> requests.Session:
        session = requests.Session()
        session.trust_env, session.verify = False, self._place["ca_file"]
        return session

    def _auth(self, session: requests.Session | None) -> ThingspaceAuth:
        place = self._place
        return ThingspaceAuth(
            place["client_id"],
            place["client_secret"],
            username=place["username"],
            password=place["password"],
            environment=_environment(place),
            clock_skew=CLOCK_SKEW,
            timeout=AUTH_TIMEOUT,
            session=session,
        )

    def _work(self, number: int, face: str) -> None:
        """One thread: calls, one after the other, and one when the weather is calm.

        At first all threads make the same call at once, so that the connection pools are as full as they
        will ever be before memory is measured.
        """
        chance = random.Random(f"thread {number} {self._seed}")
        calls, weights = list(_calls.CALLS), list(_calls.CALLS.values())
        for call in calls:
            self._together.wait(60)
            self._make(call, self.sessions[face], face)
        pause = chance.uniform(0, self._pause)
        while not self._stop.wait(max(pause, 0.0)):
            started = time.monotonic()
            (call,) = chance.choices(calls, weights)
            if chance.random() < _NEWCOMERS:
                self._make_as_a_newcomer(call, face)
            else:
                self._make(call, self.sessions[face], face)
            pause = self._pause * chance.uniform(0.5, 1.5) - (time.monotonic() - started)
        self._make(_calls.account, self.sessions[face], f"{face}, afterwards")

    def _make_as_a_newcomer(self, call: _calls.Call, face: str) -> None:
        """One call of a Session that comes out of a pickle, as in a new process, and is closed after it."""
        with pickle.loads(pickle.dumps(self.sessions[face])) as newcomer:
            self._make(call, newcomer, face)

    def _make(self, call: _calls.Call, session: requests.Session, face: str) -> None:
        """One call; its outcome is reported if it is no 200."""
        outcome: dict[str, Any] = {"call": call.__name__, "face": face, "start": time.monotonic()}
        try:
            answer = call(session, self._place)
            good, outcome["what"] = answer.status_code == 200, f"status {answer.status_code}"
            outcome["fault"] = answer.headers.get(FAULT_HEADER)
        except requests.RequestException as error:
            status = f" {error.status}" if isinstance(error, ThingspaceError) else ""
            good, outcome["what"] = False, f"{type(error).__name__}{status}"
            outcome["words"] = str(error)[:300]
        except Exception as error:  # noqa: BLE001 - this is what must not happen
            good, outcome["what"] = False, f"NOT ALLOWED: {error!r}"[:300]
        outcome["end"] = time.monotonic()
        with self._lock:
            self.calls += 1
            self.good += good
            self.longest = max(self.longest, outcome["end"] - outcome["start"])
        if not good:
            tell({"outcome": outcome})


def _environment(place: dict[str, Any]) -> Environment:
    """The sandbox's environment, from what it told of itself."""
    origin = place["origin"]
    return Environment(
        origins=(origin, place["imp_origin"], place["edge_origin"]),
        token_url=f"{origin}/api/ts/v1/oauth2/token",
        revoke_url=f"{origin}/api/ts/v1/oauth2/revoke",
        login_url=f"{origin}/api/m2m/v1/session/login",
        logout_url=f"{origin}/api/m2m/v1/session/logout",
        imp_origins=(place["imp_origin"],),
    )


def _median(samples: list[int]) -> float:
    return statistics.median(samples) if samples else 0.0


def main(seed: int, threads: int, rate: float) -> None:
    """Call, and tell how it was."""
    place = json.loads(sys.stdin.readline())
    before = _machine.descriptors()
    clients = Clients(place, seed, threads, rate)
    memory = clients.run()
    figures = {"calls": clients.calls, "good": clients.good, "longest": clients.longest}
    del clients
    warm = int(min(WARM_UP, len(memory) / 3))
    tell(
        {
            **figures,
            "memory": [_median(memory[warm : warm + _WINDOW]), _median(memory[-_WINDOW:])],
            "left over": _machine.left_over(before),
        }
    )


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]))
