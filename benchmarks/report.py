"""What was measured, as Markdown, and as JSON that Markdown and plots are made from."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

from .contestants import Contestant
from .measuring import Quartiles


class Count(NamedTuple):
    """Something that can be counted, and how much of it is right.

    Attributes:
        what: what was counted.
        found: how many there were.
        expected: how many there must be.
    """

    what: str
    found: int
    expected: int

    @property
    def is_right(self) -> bool:
        """Whether it is what it must be."""
        return self.found == self.expected


@dataclass(frozen=True)
class Table:
    """What one benchmark measured.

    Attributes:
        title: what was measured.
        note: how to read it.
        columns: the heads of the columns.
        rows: a name and its cells each.
        counts: what must come out whatever the machine is.
    """

    title: str
    note: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    counts: Sequence[Count] = field(default=())


def cell(values: Quartiles, unit: str = "", digits: int = 2) -> str:
    """A median with its quartiles."""
    low, median, high = (f"{value:,.{digits}f}" for value in values)
    return f"{median}{unit} ({low} to {high})"


def run(tables: Iterable[Table], contestants: Iterable[Contestant], effort: str) -> dict[str, Any]:
    """A whole run as a JSON document."""
    return {
        "effort": effort,
        "machine": {
            "cores": os.cpu_count(),
            "processor": platform.machine(),
            "system": platform.system(),
            "python": f"{platform.python_implementation()} {platform.python_version()}",
        },
        "versions": {one.distribution: one.version for one in contestants},
        "tables": [asdict(table) for table in tables],
    }


def setting(document: dict[str, Any]) -> str:
    """One sentence on the machine and the versions of a run."""
    machine = document["machine"]
    versions = ", ".join(f"{name} {number}" for name, number in document["versions"].items())
    return (
        f"{machine['cores']} cores, {machine['processor']}, {machine['system']}, {machine['python']}; "
        f"{versions}. A {document['effort']} run."
    )


def markdown(document: dict[str, Any]) -> str:
    """The run as Markdown."""
    lines = [setting(document)]
    for table in document["tables"]:
        lines += ["", f"## {table['title']}", "", table["note"], ""]
        lines += [_line(table["columns"]), _line(["---"] * len(table["columns"]))]
        lines += [_line(row) for row in table["rows"]]
    return "\n".join(lines) + "\n"


def wrong(tables: Iterable[Table]) -> list[Count]:
    """The counts that are not what they must be."""
    return [count for table in tables for count in table.counts if not count.is_right]


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
