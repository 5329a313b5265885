"""What only time and sockets show: threads and a sandbox on a bad day, round by round; each ends in calm."""

import ctypes
import gc
import hashlib
import io
import os
import random
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import pytest
import requests
from requests.adapters import HTTPAdapter

from requests_thingspace import mount
from requests_thingspace.sandbox import Sandbox

THREADS, CALLS = 16, 6  # how many threads, and how many calls of each in a round
AUTH_TIMEOUT, READ_TIMEOUT = 1.5, 3.0
"""Seconds for a token call or login, and for the next byte of an API call."""

LONGEST_CALL = 30.0  # seconds: a call that takes longer has hung
MOST_GROWTH = 1.08  # of resident memory, from the first third of a run to its end
WARM_UP = 30  # rounds at least before memory is measured for the first time
UPLOAD, DOWNLOAD = bytes(range(256)) * 800, 300_000
DIGEST = hashlib.sha256(UPLOAD).hexdigest()
DEAD_SESSION = {"errorCode": "UnifiedWebService.REQUEST_FAILED.SessionToken.Expired", "errorMessage": "x"}
HTML = "<html>maintenance</html>"


def calls_of(sandbox):
    """Both tokens, JSON, Cloud Connector, the other header name, a redirect, a file to rewind, a stream.

    Each is a method, a URL, arguments, and whether a 200 holds what it should.
    """
    main, imp = sandbox.origin, sandbox.imp_origin
    elsewhere = {"to": f"{sandbox.edge_origin}/sandbox/echo", "status": "307"}
    devices = {"json": {"accountName": "TestAccount-1"}}
    return [
        ("GET", f"{main}/api/m2m/v1/accounts/{sandbox.account}", {}, lambda a: "accountName" in a.json()),
        ("POST", f"{main}/api/m2m/v1/devices/actions/list", devices, lambda a: len(a.json()["devices"]) == 5),
        ("POST", f"{main}/api/cc/v1/targets/actions/query", {"json": {}}, bool),
        ("POST", f"{imp}/api/v2/clients/registration", {"json": {}}, bool),
        ("GET", f"{main}/sandbox/redirect", {"params": elsewhere}, bool),
        ("PUT", f"{main}/sandbox/echo", {"data": io.BytesIO(UPLOAD)}, lambda a: a.json()["sha256"] == DIGEST),
        ("GET", f"{main}/sandbox/bytes?n={DOWNLOAD}", {"stream": True}, lambda a: len(a.content) == DOWNLOAD),
    ]


ALL = range(7)


class Trouble(NamedTuple):
    """What goes wrong in a round."""

    name: str
    strike: Callable[[Sandbox], object]  # brings it about, while the threads call
    explains: tuple[str, ...] = ()  # the outcomes that callers may see of it; most troubles explain none
    endpoint: str = "api"  # whose answers are faults
    times: int = 0  # how many of them


def both_end(sandbox):
    sandbox.revoke_tokens()
    sandbox.end_sessions()


def both_end_slowly(sandbox):
    sandbox.slow("token", 0.3)
    sandbox.slow("login", 0.3)
    both_end(sandbox)


UNNOTICED = [
    Trouble("the token expires", lambda sandbox: sandbox.advance(3601)),
    Trouble("the session is idle for 21 minutes", lambda sandbox: sandbox.advance(21 * 60)),
    Trouble("the token is due", lambda sandbox: sandbox.advance(3480)),
    Trouble("the tokens are revoked", Sandbox.revoke_tokens),
    Trouble("the sessions end", Sandbox.end_sessions),
    Trouble("the tokens are revoked and the sessions end", both_end),
    Trouble("both endpoints are slow and both tokens dead", both_end_slowly),
]
"""Those that no caller may notice."""


def failing(endpoint, times, *explains, **fault):
    """An endpoint fails so many times, from the moment at which it is needed."""

    def strike(sandbox):
        sandbox.fail_next(endpoint, times=times, **fault)
        {"token": sandbox.revoke_tokens, "login": sandbox.end_sessions, "api": int}[endpoint]()

    return Trouble(f"{times} x {endpoint} {fault}"[:60], strike, explains, endpoint, times)


def troubles(chance):
    """All of them, with the numbers of this round."""
    late = {"status": 503, "delay": AUTH_TIMEOUT + 1}
    timeouts = ("ReadTimeout", "Timeout")
    times = chance.randint(1, 8)
    status = chance.choice((500, 502, 503, 504))
    answer = chance.choice((403, 404, 409, 429, 500, 502, 503, 504))
    cut = {"status": 200, "body": "x", "headers": {"Content-Length": "1000"}}
    return [
        *UNNOTICED,
        failing("token", times, f"TokenRequestError {status}", status=status),
        failing("token", times, "TokenRequestError 429", status=429, headers={"Retry-After": "3"}),
        failing("token", times, "TokenRequestError 200", status=200, body=HTML),
        failing("token", times, "ConnectionError", status=None),
        failing("token", 1, *timeouts, **late),
        failing("login", 1, f"LoginError {status}", status=status),
        failing("login", 1, "LoginError 200", status=200, body=HTML),
        failing("login", 1, "ConnectionError", "LoginError None", status=None),
        failing("login", 1, *timeouts, "LoginError None", "LoginError 503", **late),
        failing("api", 1, "status 400 of a stream", status=400, body=DEAD_SESSION),
        failing("api", 1, "status 401", "status 401 of a stream", status=401),
        failing("api", 1, f"status {answer}", f"status {answer} of a stream", status=answer),
        failing("api", 1, "ConnectionError", status=None),
        failing("api", 1, "ConnectionError", "ChunkedEncodingError", **cut),
        failing("api", 1, *timeouts, status=503, delay=READ_TIMEOUT + 1),
    ]


class Soak:
    """Rounds with one sandbox and a Session for each face, and what they came to."""

    def __init__(self, sandbox, seed):
        self.sandbox, self.chance = sandbox, random.Random(seed)
        self.rounds, self.longest, self.faults, self.outcomes = 0, 0.0, [], Counter()
        by_auth, by_adapter = self.sessions = [requests.Session() for _ in range(2)]
        for session in self.sessions:
            session.verify, session.trust_env = sandbox.ca_file, False
        by_auth.mount("https://", HTTPAdapter(pool_maxsize=THREADS))
        by_auth.auth = sandbox.auth(timeout=AUTH_TIMEOUT, session=by_auth)
        mount(by_adapter, sandbox.auth(timeout=AUTH_TIMEOUT, session=None), pool_maxsize=THREADS)

    def go_round(self, pool):
        """One trouble, and calm after it."""
        trouble = self.chance.choice(troubles(self.chance))
        before = self.sandbox.calls[trouble.endpoint]
        plans = [[self.chance.choice(ALL) for _ in range(CALLS)] for _ in range(THREADS)]
        callers = [pool.submit(self._work, plan, number % 2) for number, plan in enumerate(plans)]
        trouble.strike(self.sandbox)
        seen = [outcome for caller in callers for outcome in caller.result(300)]
        for _ in range(20):
            if self.sandbox.calls[trouble.endpoint] < before + trouble.times:
                self.sandbox.advance(3601)  # so that what was asked for comes about
                seen += self._work([0], 0) + self._work([0], 1)
        self.sandbox.slow("token", 0)
        self.sandbox.slow("login", 0)
        self._judge(trouble, Counter(seen))
        self.sandbox.advance(301)  # past every cool-down
        calm = Counter(self._work(ALL, 0) + self._work(ALL, 1))
        self._judge(Trouble(f"the calm after {trouble.name}", repr), calm)
        self.rounds += 1

    def _judge(self, trouble, seen):
        """Note the outcomes that the trouble does not explain."""
        self.outcomes += seen
        strange = {what: count for what, count in seen.items() if what not in ("200", *trouble.explains)}
        if trouble.endpoint == "api" and sum(seen.values()) - seen["200"] > trouble.times:
            strange = dict(seen)  # one answer explains one outcome
        if strange:
            self.faults.append(f"{trouble.name}: {strange}")

    def _work(self, plan, face):
        """Make some calls, and tell what came of each."""
        outcomes = []
        for number in plan:
            started = time.monotonic()
            outcomes.append(self._outcome(*calls_of(self.sandbox)[number], self.sessions[face]))
            self.longest = max(self.longest, time.monotonic() - started)
        return outcomes

    def _outcome(self, method, url, arguments, is_right, session):
        try:
            with session.request(method, url, timeout=READ_TIMEOUT, **arguments) as answer:
                if answer.status_code != 200:
                    return f"status {answer.status_code}{' of a stream' * ('stream' in arguments)}"
                return "200" if is_right(answer) else f"{url}: a wrong answer"
        except requests.RequestException as error:
            said = f" {error.status}" if hasattr(error, "status") else ""
            return f"{type(error).__name__}{said}"
        except Exception as error:  # noqa: BLE001 - this is what must not happen
            return f"NOT ALLOWED: {error!r:.300}"


def resident():
    """Bytes of memory in use; what malloc keeps for later goes back first."""
    gc.collect()
    getattr(ctypes.CDLL(None), "malloc_trim", int)(0)
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def left_over(threads, descriptors):
    """Threads and descriptors that there were not before; threads that end by their own timeout may do so."""
    gc.collect()
    deadline = time.monotonic() + 10
    while threading.active_count() > len(threads) and time.monotonic() < deadline:
        time.sleep(0.05)
    names = [one.name for one in set(threading.enumerate()) - threads]
    return names + sorted(set(os.listdir("/proc/self/fd")) - descriptors)


@pytest.mark.timeout(0)  # each call has one of its own
@pytest.mark.usefixtures("quiet")
@pytest.mark.skipif(sys.platform != "linux", reason="memory and descriptors are counted in /proc")
def test_minutes_of_trouble(pytestconfig, amount):
    """Each answer is right or explained by the trouble; no call hangs, nothing grows or is left over."""
    minutes = pytestconfig.getoption("minutes", None) or amount(0.03, 10.0)
    threads, descriptors, warm = set(threading.enumerate()), set(os.listdir("/proc/self/fd")), 0
    with Sandbox() as sandbox, ThreadPoolExecutor(THREADS) as pool:
        soak, begin = Soak(sandbox, pytestconfig.getoption("seed", 1)), time.monotonic()
        while (passed := time.monotonic() - begin) < 60 * minutes:
            soak.go_round(pool)
            if not warm and soak.rounds >= WARM_UP and passed >= 20 * minutes:
                warm = resident()
        for session in soak.sessions:
            session.close()
        growth = resident() / warm if warm else 1.0
        locked = sandbox.locked
    print(f"{soak.rounds} rounds, longest call {soak.longest:.1f} s, memory {growth - 1:+.1%}", soak.outcomes)  # noqa: T201 - it is what one waits minutes for
    assert not soak.faults, "\n".join(soak.faults[:20])
    assert not locked
    assert not left_over(threads, descriptors)
    assert growth < MOST_GROWTH
    assert soak.longest < LONGEST_CALL
