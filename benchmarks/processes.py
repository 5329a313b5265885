"""What many processes cost that share one token: one file cache, from one process to many.

``python -m benchmarks.processes ORIGIN FILE`` is one of them: it says that it is ready, waits for a line on
its standard input, makes one API call, and prints its status and how many seconds it took.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import requests

from .contestants import CLIENT, STATIC_TOKEN
from .measuring import compiled, interleaved, quartiles
from .report import Count, Table, cell
from .server import Server

_DELAY = 0.1  # seconds that a token call takes

_STATIC_SCRIPT = """
import requests
session = requests.Session()
session.trust_env = False
session.headers["Authorization"] = "Bearer {token}"
assert session.get("{url}").status_code == 200
"""

_CACHED_SCRIPT = """
import requests
from requests_thingspace import Environment, FileTokenCache, ThingspaceAuth
session = requests.Session()
session.trust_env = False
environment = Environment.at("{origin}")
session.auth = ThingspaceAuth(*{client}, environment=environment, cache=FileTokenCache("{path}"))
assert session.get("{url}").status_code == 200
"""


def one_token(server: Server, numbers: Sequence[int], rounds: int) -> Table:
    """Many processes that start at once with an empty cache."""
    rows, counts = [], []
    for number in numbers:
        walls, longest, calls, failures = [], [], [], []
        with compiled() as environment:
            _start_at_once(server, 1, environment)
            for _ in range(rounds):
                server.configure(delay=_DELAY)
                wall, statuses, seconds = _start_at_once(server, number, environment)
                walls.append(wall * 1000)
                longest.append(max(seconds) * 1000)
                calls.append(server.token_calls)
                failures.append(sum(status != 200 for status in statuses))
        counts += [Count(f"{number} processes on one cache: token calls", found, 1) for found in calls]
        counts += [Count(f"{number} processes on one cache: failures", found, 0) for found in failures]
        cells = (cell(quartiles(values), digits=0) for values in (walls, longest))
        rows.append((str(number), str(max(calls)), str(max(failures)), *cells))
    note = (
        "Processes that make their first call at once and share one FileTokenCache, which is empty; a token "
        f"call takes {_DELAY * 1000:.0f} ms. Milliseconds from the start to the end of the last call, and of "
        "the longest call."
    )
    columns = ("processes", "token calls", "failures", "all", "the longest")
    return Table("Processes on one cache", note, columns, rows, counts)


def first_request(server: Server, rounds: int) -> Table:
    """A script that makes one request, from the start of its process to the end."""
    server.configure()
    with tempfile.TemporaryDirectory() as folder, compiled() as environment:
        path = Path(folder, "cache", "tokens.json")
        texts = {"origin": server.origin, "url": server.api_url, "client": CLIENT, "token": STATIC_TOKEN}
        static, cached = (
            [sys.executable, "-c", script.format(path=path, **texts)]
            for script in (_STATIC_SCRIPT, _CACHED_SCRIPT)
        )
        subprocess.run(cached, check=True, env=environment)  # fills the cache

        def seconds(command: Sequence[str]) -> float:
            started = time.perf_counter()
            subprocess.run(command, check=True, env=environment)
            return time.perf_counter() - started

        runs = {"static header": lambda: seconds(static), "a cached token": lambda: seconds(cached)}
        measured = interleaved(runs, rounds)
    more = [b - a for a, b in zip(*measured.values())]
    rows = [
        (name, cell(quartiles([one * 1000 for one in values]), digits=1))
        for name, values in (*measured.items(), ("the difference", more))
    ]
    note = (
        "Milliseconds of a whole process that makes one request: with a static header, and with a token that "
        "another process left in a FileTokenCache."
    )
    counts = [Count("a cached token: token calls", server.token_calls, 1)]
    return Table("A fresh process with a cached token", note, ("", "milliseconds"), rows, counts)


def _start_at_once(
    server: Server, number: int, environment: Mapping[str, str]
) -> tuple[float, list[int], list[float]]:
    """Wall seconds, and the status and the seconds of each process's call."""
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder, "cache", "tokens.json"))
        command = [sys.executable, "-m", "benchmarks.processes", server.origin, path]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        children = [subprocess.Popen(command, env=environment, **pipes) for _ in range(number)]
        for child in children:
            child.stdout.readline()
        started = time.perf_counter()
        for child in children:
            child.stdin.write("go\n")
            child.stdin.flush()
        printed = [child.stdout.readline().split() for child in children]
        wall = time.perf_counter() - started
        for child in children:
            child.communicate()
    return wall, [int(words[0]) for words in printed], [float(words[1]) for words in printed]


def main() -> None:
    """Be one of the processes."""
    from requests_thingspace import Environment, FileTokenCache, ThingspaceAuth

    origin, path = sys.argv[1:]
    session = requests.Session()
    session.trust_env = False
    session.auth = ThingspaceAuth(*CLIENT, environment=Environment.at(origin), cache=FileTokenCache(path))
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    started = time.perf_counter()
    try:
        status = session.get(f"{origin}/api").status_code
    except requests.RequestException:
        status = 0
    sys.stdout.write(f"{status} {time.perf_counter() - started}\n")


if __name__ == "__main__":
    main()
