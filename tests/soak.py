"""The explorer of long runs: threads against a sandbox on a bad day, round by round; each ends in calm.

What needs an exact order of events is explored by `tests.torture`; this is what only time and sockets show.
"""

from __future__ import annotations

import argparse
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
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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


# The calls: method, URL, arguments, and whether a 200 holds what it should
Kind = tuple[str, str, dict[str, Any], Callable[[requests.Response], bool]]


def kinds(sandbox: Sandbox) -> list[Kind]:
    """Both tokens, JSON, Cloud Connector, the other header name, a redirect, a file to rewind, a stream."""
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
        ("GET", f"{main}/sandbox/bytes?n={DOWNLOAD}", {"stream": True}, lambda a: length_of(a) == DOWNLOAD),
    ]


KINDS = 7


def length_of(answer: requests.Response) -> int:
    return sum(len(piece) for piece in answer.iter_content(50_000))


@dataclass(frozen=True)
class Trouble:
    """What goes wrong in a round.

    Attributes:
        name: what it is.
        strike: brings it about, while the threads call.
        explains: the outcomes that callers may see of it; most troubles explain none.
        endpoint: whose answers are faults.
        times: how many of them.
    """

    name: str
    strike: Callable[[Sandbox], object]
    explains: tuple[str, ...] = ()
    endpoint: str = "api"
    times: int = 0


def both_end(sandbox: Sandbox) -> None:
    sandbox.revoke_tokens()
    sandbox.end_sessions()


def slowly(sandbox: Sandbox) -> None:
    """Both tokens are dead, and both endpoints are slow."""
    sandbox.slow("token", 0.3)
    sandbox.slow("login", 0.3)
    both_end(sandbox)


UNNOTICED = (
    Trouble("the token expires", lambda sandbox: sandbox.advance(3601)),
    Trouble("the session is idle for 21 minutes", lambda sandbox: sandbox.advance(21 * 60)),
    Trouble("the token is due", lambda sandbox: sandbox.advance(3480)),
    Trouble("the tokens are revoked", Sandbox.revoke_tokens),
    Trouble("the sessions end", Sandbox.end_sessions),
    Trouble("the tokens are revoked and the sessions end", both_end),
    Trouble("both endpoints are slow and both tokens dead", slowly),
)
"""Those that no caller may notice."""


def failing(endpoint: str, times: int, words: tuple[str, ...], **fault: Any) -> Trouble:
    """An endpoint fails so many times, from the moment at which it is needed."""

    def strike(sandbox: Sandbox) -> None:
        sandbox.fail_next(endpoint, times=times, **fault)
        if endpoint == "token":
            sandbox.revoke_tokens()
        if endpoint == "login":
            sandbox.end_sessions()

    told = ", ".join(f"{name}={value!r:.20}" for name, value in fault.items())
    return Trouble(f"{times} x {endpoint} {told}", strike, words, endpoint, times)


def troubles(chance: random.Random) -> list[Trouble]:
    """All of them, with the numbers of this round."""
    late = {"status": 503, "delay": AUTH_TIMEOUT + 1}
    timeouts = ("ReadTimeout", "Timeout")
    times = chance.randint(1, 8)
    status = chance.choice((500, 502, 503, 504))
    answer = chance.choice((403, 404, 409, 429, 500, 502, 503, 504))
    unavailable = {"status": 429, "headers": {"Retry-After": "3"}}
    cut = {"status": 200, "body": "x", "headers": {"Content-Length": "1000"}}
    return [
        *UNNOTICED,
        failing("token", times, (f"TokenRequestError {status}",), status=status),
        failing("token", times, ("TokenRequestError 429",), **unavailable),
        failing("token", times, ("TokenRequestError 200",), status=200, body=HTML),
        failing("token", times, ("ConnectionError",), status=None),
        failing("token", 1, timeouts, **late),
        failing("login", 1, (f"LoginError {status}",), status=status),
        failing("login", 1, ("LoginError 200",), status=200, body=HTML),
        failing("login", 1, ("ConnectionError", "LoginError None"), status=None),
        failing("login", 1, (*timeouts, "LoginError None", "LoginError 503"), **late),
        failing("api", 1, ("status 400 of a stream",), status=400, body=DEAD_SESSION),
        failing("api", 1, ("status 401", "status 401 of a stream"), status=401),
        failing("api", 1, (f"status {answer}", f"status {answer} of a stream"), status=answer),
        failing("api", 1, ("ConnectionError",), status=None),
        failing("api", 1, ("ConnectionError", "ChunkedEncodingError"), **cut),
        failing("api", 1, timeouts, status=503, delay=READ_TIMEOUT + 1),
    ]


class Run:
    """Rounds with one sandbox, and what they came to."""

    def __init__(self, sandbox: Sandbox, seed: int):
        """Make a Session for each face; nothing is sent."""
        self.sandbox, self.chance = sandbox, random.Random(seed)
        self.calls, self.longest = 0, 0.0
        self.faults: list[str] = []
        self.outcomes = Counter[str]()
        sessions = [requests.Session() for _ in range(2)]
        for session in sessions:
            session.verify, session.trust_env = sandbox.ca_file, False
        sessions[0].mount("https://", HTTPAdapter(pool_maxsize=THREADS))
        sessions[0].auth = sandbox.auth(timeout=AUTH_TIMEOUT, session=sessions[0])
        mount(sessions[1], sandbox.auth(timeout=AUTH_TIMEOUT, session=None), pool_maxsize=THREADS)
        self.sessions = sessions

    def round(self, pool: ThreadPoolExecutor) -> None:
        """One trouble, and calm after it."""
        trouble = self.chance.choice(troubles(self.chance))
        before = self.sandbox.calls[trouble.endpoint]
        plans = [[self.chance.randrange(KINDS) for _ in range(CALLS)] for _ in range(THREADS)]
        callers = [pool.submit(self._work, plan, number) for number, plan in enumerate(plans)]
        trouble.strike(self.sandbox)
        seen = [outcome for caller in callers for outcome in caller.result(300)]
        while self.sandbox.calls[trouble.endpoint] < before + trouble.times:
            self.sandbox.advance(3601)  # so that what was asked for comes about
            seen += self._work([0], 0) + self._work([0], 1)
        self.sandbox.slow("token", 0)
        self.sandbox.slow("login", 0)
        self._judge(trouble, Counter(seen))
        self.sandbox.advance(301)  # past every cool-down
        calm = Counter(self._work(list(range(KINDS)), 0) + self._work(list(range(KINDS)), 1))
        self._judge(Trouble(f"the calm after {trouble.name}", repr), calm)

    def _judge(self, trouble: Trouble, seen: Counter[str]) -> None:
        """Note the outcomes that the trouble does not explain."""
        self.outcomes += seen
        strange = {what: count for what, count in seen.items() if what not in ("200", *trouble.explains)}
        if trouble.endpoint == "api" and sum(seen.values()) - seen["200"] > trouble.times:
            strange = dict(seen)  # one answer explains one outcome
        if strange:
            self.faults.append(f"{trouble.name}: {strange}")

    def _work(self, plan: list[int], number: int) -> list[str]:
        return [self._outcome(call, self.sessions[number % 2]) for call in plan]

    def _outcome(self, kind: int, session: requests.Session) -> str:
        started = time.monotonic()
        try:
            method, url, arguments, is_right = kinds(self.sandbox)[kind]
            with session.request(method, url, timeout=READ_TIMEOUT, **arguments) as answer:
                if answer.status_code != 200:
                    return f"status {answer.status_code}{' of a stream' * ('stream' in arguments)}"
                return "200" if is_right(answer) else f"{url}: a wrong answer"
        except requests.RequestException as error:
            said = f" {error.status}" if hasattr(error, "status") else ""
            return f"{type(error).__name__}{said}"
        except Exception as error:  # noqa: BLE001 - this is what must not happen
            return f"NOT ALLOWED: {error!r:.300}"
        finally:
            self.calls += 1
            self.longest = max(self.longest, time.monotonic() - started)


def resident() -> int:
    """Bytes of memory in use; what malloc keeps for later goes back first. 0 where nobody tells."""
    gc.collect()
    if not sys.platform.startswith("linux"):
        return 0
    getattr(ctypes.CDLL(None), "malloc_trim", int)(0)
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def descriptors() -> int:
    """How many descriptors are open; 0 where nobody tells."""
    gc.collect()
    return len(os.listdir("/proc/self/fd")) if sys.platform.startswith("linux") else 0


def explore(seconds: float, seed: int, tell: Callable[[str], object] = print) -> list[str]:
    """Go round until the time is up; what was wrong."""
    before, threads = descriptors(), threading.active_count()
    rounds, warm = 0, 0
    with Sandbox() as sandbox, ThreadPoolExecutor(THREADS) as pool:
        run, end = Run(sandbox, seed), time.monotonic() + seconds
        third = end - seconds * 2 / 3
        while (now := time.monotonic()) < end:
            run.round(pool)
            rounds += 1
            if not warm and rounds >= WARM_UP and now >= third:
                warm = resident()
        for session in run.sessions:
            session.close()
        grown = resident() / warm if warm else 1.0
        faults = [*run.faults, *(["a login was refused"] if sandbox.locked else [])]
    deadline = time.monotonic() + 10  # threads that end by their own timeout
    while threading.active_count() > threads and time.monotonic() < deadline:
        time.sleep(0.05)
    left = [one.name for one in threading.enumerate()[threads:]]
    tell(f"{rounds} rounds, {run.calls} calls, longest {run.longest:.1f} s, memory {grown - 1:+.1%}")
    for what, count in run.outcomes.most_common():
        tell(f"{count:>9}   {what}")
    faults += [f"threads left over: {left}"] if left else []
    faults += [f"{descriptors() - before} descriptors left over"] if descriptors() > before else []
    faults += [f"memory grew by {grown - 1:.0%}"] if grown > MOST_GROWTH else []
    return faults + ([f"a call took {run.longest:.0f} s"] if run.longest > LONGEST_CALL else [])


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.soak", description="Many threads for many minutes."
    )
    parser.add_argument("--minutes", type=float, default=10.0, help="how long (default: %(default)g)")
    parser.add_argument("--seed", type=int, default=1, help="of everything random (default: %(default)d)")
    given = parser.parse_args()
    faults = explore(given.minutes * 60, given.seed)
    sys.stdout.write("\n".join([*faults[:20], "FAILED\n" if faults else "passed\n"]))
    return bool(faults)


if __name__ == "__main__":
    sys.exit(main())
