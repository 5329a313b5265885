"""What a fleet waits for one token: from one process to hundreds, by each cache and by hand.

``python -m benchmarks.fleet NUMBER KIND ORIGIN STORE`` is a crew: it forks so many processes, and for each
line on its standard input lets all of them make one API call at once. It prints how long the last one took,
in milliseconds, and how many failed. The least that is possible is written by hand: one process creates a
lock exclusively and fetches, the others poll the file, or Redis over a bare socket, with growing pauses.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import random
import socket
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import requests

from .contestants import CLIENT
from .measuring import compiled, quartiles
from .report import Count, Table, cell
from .server import TOKEN_PATH, Server

DELAY = 0.1  # seconds that a token call takes
KINDS = ("by hand, file", "file", "by hand, Redis", "Redis", "no cache")
SITUATIONS = ("cold", "at expiry", "revoked")
_OUTCOME = struct.Struct("=id")  # status, and the moment at which the call was over


class ByHand:
    """The least that a process does to share a token: no errors are handled, no clock is checked."""

    def __init__(self, origin: str) -> None:
        self.origin, self.token, self.expires = origin, "", 0.0

    def call(self, session: requests.Session) -> int:
        """One API call, repeated once with another token if it is refused."""
        if time.time() >= self.expires:
            self.renew(session, self.token)
        for _ in range(2):
            bearer = {"Authorization": f"Bearer {self.token}"}
            status = session.get(f"{self.origin}/api", headers=bearer).status_code
            if status != 401:
                break
            self.renew(session, self.token)
        return status

    def renew(self, session: requests.Session, old: str) -> None:
        """Fetch under the lock, or poll until another process has fetched."""
        pause = 0.004
        while not self.take(self.read(), old):
            if self.lock():
                if not self.take(self.read(), old):
                    document = session.post(self.origin + TOKEN_PATH, auth=CLIENT).json()
                    expires = time.time() + document["expires_in"]
                    self.save(f"{document['access_token']} {expires}")
                self.unlock()
            else:
                time.sleep(random.uniform(pause / 2, pause))
                pause = min(pause * 1.5, 0.07)

    def take(self, text: str, old: str) -> bool:
        """Use what is stored if it is news."""
        token, _, expires = text.partition(" ")
        if not token or token == old or float(expires) <= time.time():
            return False
        self.token, self.expires = token, float(expires)
        return True


class HandFile(ByHand):
    """A file that is replaced, and another that is created exclusively."""

    def __init__(self, origin: str, store: str) -> None:
        super().__init__(origin)
        self.path = f"{store}/token"

    def read(self) -> str:
        """What is stored."""
        try:
            with open(self.path) as file:
                return file.read()
        except FileNotFoundError:
            return ""

    def lock(self) -> bool:
        """Try once."""
        try:
            os.close(os.open(self.path + ".lock", os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            return False
        return True

    def save(self, text: str) -> None:
        """Replace what is stored."""
        with open(self.path + ".new", "w") as file:
            file.write(text)
        os.replace(self.path + ".new", self.path)

    def unlock(self) -> None:
        """Let others try."""
        os.unlink(self.path + ".lock")


class HandRedis(ByHand):
    """Redis over a bare socket: GET, SET NX PX and DEL."""

    def __init__(self, origin: str, store: str) -> None:
        super().__init__(origin)
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(store.removeprefix("unix://"))

    def command(self, *words: str) -> str:
        """The answer to one command."""
        self.socket.sendall((" ".join(f'"{word}"' for word in words) + "\r\n").encode())
        answer = self.socket.recv(4096).decode()
        return answer.split("\r\n")[1] if answer.startswith("$") and answer[1] != "-" else answer[0]

    def read(self) -> str:
        """What is stored."""
        text = self.command("GET", "token")
        return "" if text == "$" else text

    def lock(self) -> bool:
        """Try once."""
        return self.command("SET", "lock", "1", "NX", "PX", "8000") == "+"

    def save(self, text: str) -> None:
        """Replace what is stored."""
        self.command("SET", "token", text)

    def unlock(self) -> None:
        """Let others try."""
        self.command("DEL", "lock")


def _caller(kind: str, origin: str, store: str) -> Callable[[requests.Session], int]:
    """What one process does for an API call."""
    if kind.startswith("by hand"):
        return (HandFile if kind.endswith("file") else HandRedis)(origin, store).call
    from requests_thingspace import Environment, FileTokenCache, RedisTokenCache, ThingspaceAuth

    cache: Any = None
    if kind == "file":
        cache = FileTokenCache(Path(store, "cache", "tokens.json"))
    elif kind == "Redis":
        cache = RedisTokenCache(store)
    auth = ThingspaceAuth(*CLIENT, environment=Environment.at(origin), cache=cache, clock_skew=0.0)
    return lambda session: session.get(f"{origin}/api", auth=auth).status_code


def _member(kind: str, origin: str, store: str, gates: Sequence[int], outcomes: int) -> None:
    """One process: a call for each byte that it gets through one gate and the other in turn.

    Through a single gate the first that are done would take the bytes of those that have not begun.
    """
    session = requests.Session()
    session.trust_env = False
    call = _caller(kind, origin, store)
    os.write(outcomes, _OUTCOME.pack(0, 0.0))
    for gate in itertools.cycle(gates):
        if not os.read(gate, 1):
            return
        try:
            status = call(session)
        except requests.RequestException:
            status = 0
        os.write(outcomes, _OUTCOME.pack(status, time.monotonic()))


def crew(number: int, kind: str, origin: str, store: str) -> None:
    """Fork the processes, and let them call for each line of standard input."""
    import filelock
    import redis

    import requests_thingspace._endpoints.oauth
    import requests_thingspace.caches  # noqa: F401

    del filelock, redis  # imported before the fork, so that no round counts an import
    gates, opens = zip(os.pipe(), os.pipe())
    arrive, outcomes = os.pipe()

    def all_outcomes() -> list[tuple[int, float]]:
        return [_OUTCOME.unpack(os.read(arrive, _OUTCOME.size)) for _ in range(number)]

    for _ in range(number):
        if os.fork() == 0:
            for end in (*opens, arrive):
                os.close(end)
            _member(kind, origin, store, gates, outcomes)
            os._exit(0)
    all_outcomes()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    for _, gate in zip(sys.stdin, itertools.cycle(opens)):
        started = time.monotonic()
        os.write(gate, b"." * number)
        found = all_outcomes()
        failed = sum(status != 200 for status, _ in found)
        sys.stdout.write(f"{(max(at for _, at in found) - started) * 1000} {failed}\n")
        sys.stdout.flush()


@contextlib.contextmanager
def _stores() -> Iterator[dict[str, str]]:
    """An empty folder, and an empty Redis, for each kind that needs one."""
    from tests.caches.redis_server import RedisServer

    with tempfile.TemporaryDirectory() as folder, RedisServer() as mine, RedisServer() as theirs:
        for name in ("hand", "ours"):
            Path(folder, name).mkdir(mode=0o700)
        yield {
            "by hand, file": f"{folder}/hand",
            "file": f"{folder}/ours",
            "by hand, Redis": theirs.url,
            "Redis": mine.url,
            "no cache": folder,
        }


def _run(
    server: Server, number: int, kind: str, store: str, environment: Any
) -> list[tuple[float, int, int]]:
    """Milliseconds, failures and token calls of one crew in each situation."""
    command = [sys.executable, "-m", "benchmarks.fleet", str(number), kind, server.origin, store]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    found = []
    with subprocess.Popen(command, env=environment, **pipes) as process:

        def call() -> tuple[float, int, int]:
            process.stdin.write("go\n")
            process.stdin.flush()
            wall, failed = process.stdout.readline().split()
            return float(wall), int(failed), server.token_calls

        process.stdout.readline()
        short = 2 + number // 40  # seconds: longer than the crew takes
        for life in (short, 3600):  # cold, then at the expiry
            server.configure(delay=DELAY, life=life)
            found.append(call())
            time.sleep(short + 0.1 if life == short else 0)
        server.configure(delay=DELAY)  # every token so far is revoked
        found.append(call())
        process.stdin.close()
    return found


def table(server: Server, numbers: Sequence[int], rounds: int, kinds: Sequence[str] = KINDS) -> Table:
    """Each kind, in each situation, for each number of processes."""
    rows, counts = [], []
    with compiled() as environment:
        for number in numbers:
            measured: dict[tuple[str, str], list[tuple[float, int, int]]] = {}
            for _ in range(rounds):
                for kind in kinds:
                    with _stores() as stores:
                        found = _run(server, number, kind, stores[kind], environment)
                    for situation, one in zip(SITUATIONS, found):
                        measured.setdefault((kind, situation), []).append(one)
            for (kind, situation), ones in measured.items():
                walls = quartiles([wall for wall, _, _ in ones])
                least = measured.get((f"by hand, {kind}", situation))
                ratio = (
                    ""
                    if least is None
                    else f"{walls.median / quartiles([one[0] for one in least]).median:.2f}"
                )
                calls, failed = (max(one[i] for one in ones) for i in (2, 1))
                rows.append(
                    (f"{number}, {situation}, {kind}", cell(walls, digits=0), ratio, str(calls), str(failed))
                )
                counts.append(Count(f"{number} {situation} {kind}: failures", failed, 0))
                if kind in ("file", "Redis"):
                    counts.append(Count(f"{number} {situation} {kind}: token calls", calls, 1))
    note = (
        f"Processes that need a token at once; a token call takes {DELAY * 1000:.0f} ms. Milliseconds until "
        "the last one has made its API call, and the ratio to the least that is possible, written by hand."
    )
    return Table(
        "A fleet at once", note, ("", "milliseconds", "ratio", "token calls", "failures"), rows, counts
    )


if __name__ == "__main__":
    crew(int(sys.argv[1]), *sys.argv[2:])
