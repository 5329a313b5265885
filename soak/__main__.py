"""`python -m soak`: start a sandbox under a weather and the clients, wait, and judge."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import threading
import time
from collections import Counter
from typing import Any

from . import _judge

# With an arena for every few threads, glibc's malloc grows for as long as threads take turns in them.
_ONE_ARENA = {"MALLOC_ARENA_MAX": "1"}


class Process:
    """One of the two processes, and all the lines that it has printed."""

    def __init__(self, module: str, *arguments: object) -> None:
        """Start ``python -m module``."""
        self._name = f"soak.{module}"
        command = [sys.executable, "-m", self._name, *map(str, arguments)]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **_ONE_ARENA},
        )
        self.lines: list[dict[str, Any]] = []
        self._more = threading.Condition()  # guards lines and _ended
        self._ended = False
        self._listener = threading.Thread(target=self._listen)
        self._listener.start()

    def say(self, line: object = None) -> None:
        """Give it a line on stdin."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(line) + "\n")
        self._process.stdin.flush()

    def line_with(self, key: str, timeout: float) -> dict[str, Any]:
        """The line that has `key`, once it is there.

        Raises:
            RuntimeError: it did not come within `timeout` seconds, or the process ended before.
        """

        def found() -> dict[str, Any] | None:
            return next((line for line in self.lines if key in line), None)

        with self._more:
            self._more.wait_for(lambda: found() or self._ended, timeout)
            line = found()
        if line is None:
            raise RuntimeError(f"{self._name} did not say {key!r} within {timeout:g} seconds")
        return line

    @property
    def running(self) -> bool:
        """Whether it is still there."""
        return self._process.poll() is None

    def end(self) -> None:
        """Wait for its end, or make one."""
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
        self._listener.join()
        with self._process:  # closes the pipes
            pass

    def _listen(self) -> None:
        for line in self._process.stdout or ():
            with self._more:
                self.lines.append(json.loads(line))
                self._more.notify_all()
        with self._more:
            self._ended = True
            self._more.notify_all()


def soak(minutes: float, seed: int, threads: int, rate: float) -> int:
    """Soak, print the report, and give the exit code."""
    thingspace, clients = Process("thingspace", seed), Process("clients", seed, threads, rate)
    try:
        clients.say(thingspace.line_with("origin", 30))
        end = time.monotonic() + minutes * 60
        while time.monotonic() < end and thingspace.running and clients.running:
            time.sleep(1)
        thingspace.say()
        thingspace.line_with("calm", 120)
        time.sleep(5)  # until the last failure has cooled down
        clients.say()
        figures = clients.line_with("left over", 90)
        thingspace.say()
        sandbox = thingspace.line_with("locked", 30)
    finally:
        for process in (clients, thingspace):
            process.end()
    outcomes = [line["outcome"] for line in clients.lines if "outcome" in line]
    episodes = [line for line in thingspace.lines if "explains" in line]
    strange = _judge.unexplained(outcomes, episodes)
    complaints = [line["broken"] for line in thingspace.lines if "broken" in line]
    complaints += _judge.complaints(figures, sandbox, strange)
    report(figures, sandbox, outcomes, episodes)
    say("\n".join(["", *complaints, "FAILED" if complaints else "passed"]))
    return 1 if complaints else 0


def report(
    figures: dict[str, Any],
    sandbox: dict[str, Any],
    outcomes: list[dict[str, Any]],
    episodes: list[dict[str, Any]],
) -> None:
    """Print the counts."""
    warm, end = figures["memory"]
    left = ", ".join(f"{len(found)} {kind}" for kind, found in figures["left over"].items())
    say(f"calls         {figures['calls']:>8}   {figures['good']} of them 200")
    say(f"token calls   {sandbox['calls']['token']:>8}")
    say(f"logins        {sandbox['calls']['login']:>8}")
    say(f"errors        {len(outcomes):>8}")
    for what, count in Counter(outcome["what"] for outcome in outcomes).most_common():
        say(f"              {count:>8}   {what}")
    say(f"fault log     {len(episodes):>8}")
    for kind, count in Counter(episode["kind"] for episode in episodes).most_common():
        say(f"              {count:>8}   {kind}")
    say(f"longest call  {figures['longest']:8.1f} s")
    growth = f"{warm / 1e6:8.1f} MB after warm-up, {end / 1e6:.1f} MB at the end ({end / warm - 1:+.1%})"
    say(f"memory        {growth}")
    say(f"left over            {left}")


def say(line: str) -> None:
    """Print at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> int:
    """Read the arguments and soak."""
    parser = argparse.ArgumentParser(prog="python -m soak", description="Many threads for many minutes.")
    parser.add_argument("--minutes", type=float, default=10.0, help="how long (default: %(default)g)")
    parser.add_argument("--quick", action="store_true", help="one minute")
    parser.add_argument("--seed", type=int, default=1, help="of everything random (default: %(default)d)")
    parser.add_argument("--threads", type=int, default=32, help="(default: %(default)d)")
    parser.add_argument("--rate", type=float, default=100.0, help="calls per second (default: %(default)g)")
    given = parser.parse_args()
    minutes = 1.0 if given.quick else given.minutes
    say(f"{minutes:g} minutes, {given.threads} threads, {given.rate:g} calls a second, seed {given.seed}\n")
    return soak(minutes, given.seed, given.threads, given.rate)


if __name__ == "__main__":
    sys.exit(main())
