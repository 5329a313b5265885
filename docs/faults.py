"""Turns what the tests wrote down of each fault into the table of the docs.

FAULTS_JSON=faults.jsonl python -m pytest tests/test_wire.py tests/test_hostile_faces.py
python docs/faults.py faults.jsonl > docs/faults.rst
"""

import json
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator

HEAD = """\
Faults
======

What each fault of the token endpoint and of the M2M login comes to, as the tests saw it: the token, used,
or the class of the error, which is always a ``requests.RequestException``; how many requests reached the
endpoint at most; and after how many seconds the call was over at the latest. What makes a client wait was
given 0.3 seconds.

``docs/faults.py`` wrote this page from the tests that ran: {runs} calls under {faults} faults.
"""


def table(title: str, rows: dict[str, list[dict[str, object]]]) -> Iterator[str]:
    """A list-table of one endpoint, a line for each fault."""
    yield from ("", title, "-" * len(title), "", ".. list-table::", "   :header-rows: 1", "")
    yield from ("   * - The server", "     - the call gives", "     - requests", "     - seconds")
    for fault, seen in rows.items():
        outcomes = sorted({f"``{row['outcome']}``" for row in seen})
        yield f"   * - {escaped(fault)}"
        yield f"     - {' or '.join(outcomes).replace('``token``', 'the token')}"
        yield f"     - {max(row['calls'] for row in seen)}"
        yield f"     - {max(row['seconds'] for row in seen):.1f}"


def escaped(text: str) -> str:
    """Text that reStructuredText takes literally."""
    return "".join(f"\\{c}" if c in "\\*`|_" else c for c in text)


def page(lines: Iterable[str]) -> Iterator[str]:
    """The page; of a fault that was run more than once in the same way, the last run counts."""
    runs = {(row["endpoint"], row["fault"], row["through"]): row for row in map(json.loads, lines)}
    endpoints: dict[str, dict[str, list[dict[str, object]]]] = defaultdict(lambda: defaultdict(list))
    for (endpoint, fault, _), row in runs.items():
        endpoints[endpoint][fault].append(row)
    count = sum(map(len, endpoints.values()))
    yield HEAD.format(runs=len(runs), faults=count).rstrip()
    yield from table("The token endpoint", endpoints["token"])
    yield from table("The M2M login", endpoints["login"])


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as written:
        sys.stdout.write("\n".join(page(written)) + "\n")
