"""Side by side: plain requests, and the same with ``session.auth``.

``make demo``. Two sandboxes of the same kind live through the same day; against each of them 16 threads read
an account, again and again. On the left both tokens are fetched before each scene and put into headers;
on the right there is one line, ``session.auth = ThingspaceAuth(...)``. All figures are counted by the
sandboxes or by the threads. Last, ``thingspace run --sandbox`` runs a legacy script, unmodified.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median

import requests

from requests_thingspace import ThingspaceAuth
from requests_thingspace.sandbox import Sandbox

THREADS = 16
SECONDS = float(sys.argv[1]) if len(sys.argv) > 1 else 2.0  # of a scene
LEGACY = Path(__file__).parent / "legacy" / "autoscaling.py"
NAME, SIDE = "{:24}", "{:>5} {:>4} {:>4} {:>4} {:>9}"


class Side:
    """A sandbox, a Session, and what became of the calls.

    Attributes:
        sandbox: its ThingSpace.
        session: what the 16 threads call with.
        seen: how often each status was seen, in all scenes; ``0`` stands for no answer.
    """

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.session = requests.Session()
        self.session.verify, self.session.trust_env = sandbox.ca_file, False
        self.session.mount("https://", requests.adapters.HTTPAdapter(pool_maxsize=THREADS))
        self.seen: Counter[int] = Counter()
        self.milliseconds: list[float] = []

    def prepare(self) -> None:
        """Before a scene."""

    def call_until(self, end: float, statuses: list[int], times: list[float]) -> None:
        """One thread: read the account again and again."""
        url = f"{self.sandbox.origin}/api/m2m/v1/accounts/{self.sandbox.account}"
        while time.monotonic() < end:
            started = time.monotonic()
            try:
                status = self.session.get(url, timeout=30).status_code
            except requests.RequestException:
                status = 0
            statuses.append(status)
            times.append((time.monotonic() - started) * 1000)

    def scene(self, event: Callable[[Sandbox], object]) -> str:
        """Let the threads call, and `event` happen meanwhile; the columns of this side."""
        statuses: list[int] = []
        times: list[float] = []
        before = self.sandbox.calls
        self.prepare()
        end = time.monotonic() + SECONDS
        threads = [
            threading.Thread(target=self.call_until, args=(end, statuses, times)) for _ in range(THREADS)
        ]
        for thread in threads:
            thread.start()
        time.sleep(SECONDS / 4)
        event(self.sandbox)
        for thread in threads:
            thread.join()
        seen, calls = Counter(statuses), self.sandbox.calls
        self.seen += seen
        self.milliseconds = times
        other = len(statuses) - seen[200] - seen[401] - seen[400]
        made = "/".join(str(calls[kind] - before[kind]) for kind in ("token", "login"))
        return SIDE.format(*(figure or "-" for figure in (seen[200], seen[401], seen[400], other, made)))


class PlainRequests(Side):
    """What scripts do: both tokens are fetched at the start, and never again."""

    def prepare(self) -> None:
        """The script is started again, as somebody does in the morning."""
        post, sandbox = self.session.post, self.sandbox
        self.session.headers.clear()
        bearer = post(
            f"{sandbox.origin}/api/ts/v1/oauth2/token",
            auth=(sandbox.client_id, sandbox.client_secret),
            data={"grant_type": "client_credentials"},
            timeout=30,
        ).json()["access_token"]
        self.session.headers["Authorization"] = f"Bearer {bearer}"
        user = {"username": sandbox.username, "password": sandbox.password}
        login = post(f"{sandbox.origin}/api/m2m/v1/session/login", json=user, timeout=30)
        self.session.headers["VZ-M2M-Token"] = login.json()["sessionToken"]


class WithAuth(Side):
    """The one line."""

    def __init__(self, sandbox: Sandbox) -> None:
        super().__init__(sandbox)
        self.auth: ThingspaceAuth = sandbox.auth()
        self.session.auth = self.auth

    def token(self) -> str:
        """The token by its fingerprint, and what is left of it on the sandbox's clock."""
        token = self.auth.token
        if token is None or token.expires_at is None:
            return "none"
        left = (token.expires_at - self.sandbox.clock.wall()) / 60
        return f"{hashlib.sha256(token.access_token.encode()).hexdigest()[:8]}, {left:.0f} min left"


def outage(sandbox: Sandbox) -> None:
    """The token expires while the token endpoint is out of order."""
    sandbox.fail_next("token", status=503, times=2)
    sandbox.advance(3600)


SCENES: dict[str, Callable[[Sandbox], object]] = {
    "nothing happens": lambda _: None,
    "an hour: token expires": lambda sandbox: sandbox.advance(3600),
    "the token is revoked": lambda sandbox: sandbox.revoke_tokens(),
    "the M2M session ends": lambda sandbox: sandbox.end_sessions(),
    "expiry, and 503 at token": outage,
}


def side_by_side(left: PlainRequests, right: WithAuth) -> None:
    """One line for each scene."""
    heading = SIDE.format("200", "401", "400", "else", "tok/login")
    print(f"{THREADS} threads: answers by HTTP status, and token calls/logins\n")
    print(f"{NAME.format('')} | {'plain requests':^30} | {'session.auth':^30} | median, slowest")
    print(f"{NAME.format('')} | {heading} | {heading} | call; the token")
    for name, event in SCENES.items():
        with ThreadPoolExecutor(2) as both:
            columns = list(both.map(Side.scene, (left, right), (event, event)))
        times = f"{median(right.milliseconds):.0f}, {max(right.milliseconds):.0f} ms"
        print(f"{NAME.format(name)} | {' | '.join(columns)} | {times}; {right.token()}", flush=True)


def legacy_script() -> bool:
    """Run a script unmodified; whether it came to its end, though both of its tokens died."""
    command = [sys.executable, "-m", "requests_thingspace", "run", "--sandbox"]
    command += ["--sandbox-faults", "5:revoke,9:end-session,12:503", str(LEGACY), "0000123456-00001", "15"]
    environment = {n: v for n, v in os.environ.items() if not n.startswith("THINGSPACE_")}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    lines = done.stdout.splitlines()
    print(
        f"thingspace run --sandbox {LEGACY.name}: exit status {done.returncode}, {len(lines)} lines of output"
    )
    print(done.stderr.rstrip())
    return done.returncode == 0


def main() -> int:
    """Show everything; 0 if the right side saw nothing but 200, and the left side did not."""
    with Sandbox() as one, Sandbox() as other:
        left, right = PlainRequests(one), WithAuth(other)
        side_by_side(left, right)
        left.session.close()
        right.session.close()
    fine = set(right.seen) == {200} and len(left.seen) > 1
    for name, side in (("plain requests", left), ("session.auth", right)):
        calls = sum(side.seen.values())
        print(f"{name}: {side.seen[200]} of {calls} calls answered with 200")
    return 0 if (not LEGACY.exists() or legacy_script()) and fine else 1


if __name__ == "__main__":
    sys.exit(main())
