"""Turns what the tests wrote down of each fault into a table, which CI keeps as an artifact.

FAULTS_JSON=faults.jsonl python -m pytest tests/endpoints
python -m tests.faults_table faults.jsonl > faults.md
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

HEAD = """\
# Faults

What each fault of the token endpoint and of the M2M login comes to, as the tests saw it: the token, or the
class of the error, which is always a `requests.RequestException`; how many requests reached the endpoint at
most; and after how many seconds the call was over at the latest. What makes a client wait was given 0.3 s.

{runs} calls under {faults} faults."""

TITLES = {"token": "The token endpoint", "login": "The M2M login"}


def page(lines: Iterable[str]) -> Iterator[str]:
    """The lines of the table; of a fault that was run more than once in the same way, the last run counts."""
    runs = {(row["endpoint"], row["fault"], row["through"]): row for row in map(json.loads, lines)}
    endpoints: dict[str, dict[str, list[dict[str, Any]]]] = defaultdict(lambda: defaultdict(list))
    for (endpoint, fault, _), row in runs.items():
        endpoints[endpoint][fault].append(row)
    yield HEAD.format(runs=len(runs), faults=sum(map(len, endpoints.values())))
    for endpoint, title in TITLES.items():
        yield f"\n## {title}\n"
        yield "| The server | the call gives | requests | seconds |"
        yield "| --- | --- | --- | --- |"
        for fault, seen in endpoints[endpoint].items():
            outcomes = " or ".join(sorted({f"`{row['outcome']}`" for row in seen}))
            cells = (
                fault.replace("|", "\\|"),
                outcomes.replace("`token`", "the token"),
                max(row["calls"] for row in seen),
                f"{max(row['seconds'] for row in seen):.1f}",
            )
            yield f"| {' | '.join(map(str, cells))} |"


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as written:
        sys.stdout.write("\n".join(page(written)) + "\n")
