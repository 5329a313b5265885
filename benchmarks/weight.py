"""What it weighs: the import, an auth object, a ready Session, and what many requests leave behind."""

from __future__ import annotations

import gc
import subprocess
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Sequence
from pathlib import Path

import requests
from requests.adapters import HTTPAdapter

from requests_thingspace import ThingspaceAuth, mount

from .contestants import CLIENT, LIMIT, OURS, Contestant, Null
from .measuring import compiled, interleaved, quartiles, seconds_of
from .report import Table, cell
from .server import Server

# VmHWM, since ru_maxrss is that of the parent where it was larger
_IMPORT = """
import time
import requests
def peak(): return int(open("/proc/self/status").read().partition("VmHWM:")[2].split()[0])
before, started = peak(), time.perf_counter()
import {module}
print((time.perf_counter() - started) * 1000, (peak() - before) / 1024)
"""


def imports(contestants: Sequence[Contestant], rounds: int) -> Table:
    """What an import costs over ``import requests``, in a fresh process each time."""
    modules = {one.module: one.name for one in contestants if one is not LIMIT}
    modules[OURS[0].module] = "requests_thingspace"
    memory: dict[str, list[float]] = {module: [] for module in modules}
    with compiled() as environment:

        def once(module: str) -> float:
            command = [sys.executable, "-c", _IMPORT.format(module=module)]
            printed = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True).stdout
            milliseconds, mebibytes = map(float, printed.split())
            memory[module].append(mebibytes)
            return milliseconds

        walls = interleaved({module: lambda module=module: once(module) for module in modules}, rounds)
    return Table(
        "Import",
        "What the import costs over that of requests, in a fresh process with compiled modules; memory is "
        "the peak.",
        ("", "milliseconds", "MiB"),
        [
            (name, cell(quartiles(walls[module]), digits=1), cell(quartiles(memory[module][1:]), digits=1))
            for module, name in modules.items()
        ],
    )


def run(rounds: int) -> Table:
    """What ``thingspace run`` adds to a script that imports requests and ends, in a fresh process."""
    credentials = {"THINGSPACE_CLIENT_ID": CLIENT[0], "THINGSPACE_CLIENT_SECRET": CLIENT[1]}
    with compiled() as environment, tempfile.TemporaryDirectory() as folder:
        script = Path(folder, "script.py")
        script.write_text("import requests\n")

        def once(*command: object) -> float:
            started = time.perf_counter()
            subprocess.run(
                [sys.executable, *map(str, command)], env={**environment, **credentials}, check=True
            )
            return (time.perf_counter() - started) * 1000

        walls = interleaved(
            {
                "python script.py": lambda: once(script),
                "thingspace run script.py": lambda: once("-m", "requests_thingspace", "run", script),
            },
            rounds,
        )
    return Table(
        "A script under thingspace run",
        "A whole process that imports requests and ends. The second may cost 60 ms more than the first.",
        ("", "milliseconds"),
        [(name, cell(quartiles(values), digits=0)) for name, values in walls.items()],
    )


def objects(most: int) -> Table:
    """What auth objects and Sessions cost, from one to many."""
    token = {"access_token": "x" * 32, "expires_at": time.time() + 3600}

    def with_token() -> ThingspaceAuth:
        return ThingspaceAuth(*CLIENT, token=token)

    def ready() -> requests.Session:
        session = requests.Session()
        session.auth = with_token()
        return session

    def mounted() -> requests.Session:
        return mount(requests.Session(), with_token())

    prefixes = [prefix for prefix, adapter in mounted().adapters.items() if hasattr(adapter, "auth")]

    def requests_own() -> requests.Session:
        session, adapter = requests.Session(), HTTPAdapter()
        for prefix in prefixes:
            session.mount(prefix, adapter)
        return session

    login = {"username": "user", "password": "password"}
    tokens = {"token": token, "session_token": "x" * 36}
    makers = {
        "an auth object": lambda: ThingspaceAuth(*CLIENT),
        "with M2M credentials": lambda: ThingspaceAuth(*CLIENT, **login),
        "with a token": with_token,
        "with M2M credentials and both tokens": lambda: ThingspaceAuth(*CLIENT, **login, **tokens),
    }
    rows = [
        (name, f"{number:,}", _microseconds(make, number), f"{_bytes_of(make, number):,.0f}")
        for name, make in makers.items()
        for number in (1, 10, 100, 1000, 10000)
        if number <= most
    ]
    plain = _bytes_of(requests.Session, 100)
    sessions = {
        "a Session with the auth and a token": ready,
        "a Session with the adapter and a token": mounted,
        "a Session with requests' own adapter for the same URLs": requests_own,
    }
    for name, make in sessions.items():
        more = f"+{_bytes_of(make, 100) - plain:,.0f}"
        rows.append((name, "100", _microseconds(make, 100), more))
    note = "What each one costs, by how many there are; a Session's bytes are those over a plain one."
    return Table("Objects", note, ("", "objects", "microseconds", "bytes"), rows)


def growth(server: Server, number: int) -> Table:
    """What many requests leave behind."""
    rows = []
    for one in OURS:
        server.configure()
        call = one.connect(server, 60.0, Null).call
        blocks = []
        for _ in range(2):
            for _ in range(number // 2):
                call()
            gc.collect()
            blocks.append(sys.getallocatedblocks())
        rows.append((one.name, f"{number:,}", f"{blocks[1] - blocks[0]:+,}"))
    note = "Memory blocks that the second half of many requests (null transport) leaves behind."
    return Table("No growth", note, ("", "requests", "blocks"), rows)


def _microseconds(make: Callable[[], object], number: int) -> str:
    """Microseconds for each of so many objects that are kept."""
    measured = [seconds_of(lambda: [make() for _ in range(number)]) * 1e6 / number for _ in range(5)]
    return f"{quartiles(measured).median:,.1f}"


def _bytes_of(make: Callable[[], object], number: int) -> float:
    """Bytes for each of so many objects that are kept."""
    make()
    gc.collect()
    tracemalloc.start()
    kept = [make() for _ in range(number)]
    gc.collect()
    held = tracemalloc.get_traced_memory()[0] - sys.getsizeof(kept)
    tracemalloc.stop()
    return held / number
