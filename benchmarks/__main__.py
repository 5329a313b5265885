"""Run the benchmarks: ``python -m benchmarks``.

It prints Markdown. It fails on counts, token calls and failures of this library, never on times.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from . import crowds, fleet, pace, processes, report, simulation, weight
from .contestants import LIMIT, OURS, PEERS
from .server import Server


def quick(server: Server) -> Iterator[report.Table]:
    """Every count with few repetitions, for CI."""
    ours = (LIMIT, *OURS)
    yield crowds.cold(server, ours, 64, 3)
    yield crowds.expired(server, ours, 64, 1)
    yield crowds.revoked(server, ours, 64, 3)
    yield crowds.renewal(server, ours, 8, 2.0, early=True)
    yield crowds.renewal(server, ours, 8, 2.0, early=False)
    yield processes.one_token(server, (1, 8), 1)
    yield fleet.table(server, (1, 8), 1)
    yield _simulation()
    yield processes.first_request(server, 3)
    yield weight.imports(ours, 3)
    yield weight.run(3)
    yield pace.steps(server, ours, 50)
    yield pace.steps_in_threads(server, ours, (1, 2), 20)
    yield pace.null_requests(server, ours, 50)
    yield pace.throughput(server, ours, 1, 50, 20)
    yield pace.throughput(server, ours, 32, 5, 10)
    yield weight.objects(100)


def full(server: Server) -> Iterator[report.Table]:
    """Every table, with every library that is installed."""
    ours = (LIMIT, *OURS)
    everyone = (*ours, *(peer for peer in PEERS if peer.is_here))
    yield weight.imports(everyone, 21)
    yield weight.run(21)
    yield pace.steps(server, everyone, 500)
    yield pace.steps_in_threads(server, ours, (1, 2, 4, 16), 200)
    yield pace.null_requests(server, everyone, 300)
    yield pace.throughput(server, everyone, 1, 50, 100)
    yield pace.throughput(server, everyone, 32, 10, 50)
    yield crowds.cold(server, everyone, 64, 7)
    yield crowds.expired(server, everyone, 64, 5)
    yield crowds.revoked(server, everyone, 64, 7)
    yield crowds.renewal(server, everyone, 8, 5.0, early=True)
    yield crowds.renewal(server, everyone, 8, 5.0, early=False)
    yield pace.threads_on_one_auth(server, ours, (1, 4, 16, 64, 256), 2560, 9)
    yield processes.one_token(server, (1, 4, 16, 64), 5)
    yield fleet.table(server, (1, 16, 64, 128, 512), 3)
    yield _simulation()
    yield processes.first_request(server, 31)
    yield weight.objects(10_000)
    yield weight.growth(server, 1_000_000)


def _simulation() -> report.Table:
    """The simulation, on the costs of a Redis of its own."""
    from requests_thingspace import RedisTokenCache
    from tests.caches.redis_server import RedisServer

    with RedisServer() as server, server.client() as admin:
        return simulation.table(RedisTokenCache(server.url), admin)


def main() -> int:
    """Run, print, write, and judge the counts."""
    arguments = _arguments()
    if arguments.load:
        document = json.loads(arguments.load.read_text())
        tables = []
    else:
        tables = _run(quick if arguments.quick else full)
        shown = (LIMIT, *OURS[:1], *(() if arguments.quick else (peer for peer in PEERS if peer.is_here)))
        document = report.run(tables, shown, "quick" if arguments.quick else "full")
    sys.stdout.write(report.markdown(document))
    _write(document, arguments)
    wrong = report.wrong(tables)
    for count in wrong:
        sys.stderr.write(f"WRONG {count.what}: {count.found}, expected {count.expected}\n")
    return 1 if wrong else 0


def _run(effort: Any) -> list[report.Table]:
    """The tables, each announced when it is done."""
    tables = []
    with Server() as server:
        for table in effort(server):
            sys.stderr.write(f"done: {table.title}\n")
            tables.append(table)
    return tables


def _write(document: dict[str, Any], arguments: argparse.Namespace) -> None:
    """Write the files that were asked for."""
    if arguments.json:
        arguments.json.write_text(json.dumps(document, indent=1) + "\n")
    if arguments.markdown:
        arguments.markdown.write_text(report.markdown(document))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="this library only, few rounds: under a minute")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the run as JSON")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write it as Markdown")
    parser.add_argument("--load", type=Path, metavar="FILE", help="show a JSON document instead of running")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
