"""Plots of a run for the documentation: ``python -m benchmarks.plots``, from the root of the repository.

It reads docs/performance.json, which ``python -m benchmarks --json`` wrote, and draws each plot
twice, for light pages and for dark ones.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from .sheet import SHADES, Palette, Sheet

DOCS = Path(__file__).parent.parent / "docs"
OURS = ("ThingspaceAuth", "ThingspaceAdapter", "requests_thingspace")
LIMIT = "static header"

LEFT, RIGHT, ROW = 156.0, 392.0, 26.0

Table = dict[str, Any]


def number(cell: str) -> float:
    """The median in a cell such as ``"1,388 (1,335 to 1,409)"``, or the first number of ``"5 of 14,209"``."""
    found = re.match(r"[+-]?[\d,]*\.?\d+", cell)
    if found is None:
        raise ValueError(f"there is no number in {cell!r}")
    return float(found[0].replace(",", ""))


def column(table: Table, name: str) -> list[tuple[str, float]]:
    """The rows' names and their medians in one column."""
    place = table["columns"].index(name)
    return [(row[0], number(row[place])) for row in table["rows"]]


def bars(title: str, unit: str, rows: Sequence[tuple[str, float]]) -> Callable[[Palette], str]:
    """A bar for each row, with its value behind it."""

    def draw(colours: Palette) -> str:
        sheet = Sheet(title, colours)
        y = headline(sheet, title, unit)
        draw_bars(sheet, rows, y)
        return sheet.svg(y + ROW * len(rows) + 4)

    return draw


def groups(
    title: str, unit: str, parts: Sequence[tuple[str, Sequence[tuple[str, float]]]]
) -> Callable[[Palette], str]:
    """Several blocks of bars under one title."""

    def draw(colours: Palette) -> str:
        sheet = Sheet(title, colours)
        y = headline(sheet, title, unit)
        for name, rows in parts:
            sheet.text(4, y + 14, name, size=13, font_style="italic")
            y += 22
            draw_bars(sheet, rows, y)
            y += ROW * len(rows) + 10
        return sheet.svg(y - 4)

    return draw


def draw_bars(sheet: Sheet, rows: Sequence[tuple[str, float]], y: float) -> None:
    """The bars of one block, which begins at `y`."""
    most = max(value for _, value in rows) or 1
    for name, value in rows:
        fill = (
            sheet.colours.green
            if name in OURS
            else sheet.colours.grey
            if name == LIMIT
            else sheet.colours.blue
        )
        sheet.text(
            LEFT - 8, y + 16, name, size=12, anchor="end", **({"font_weight": "bold"} if name in OURS else {})
        )
        length = (RIGHT - LEFT) * value / most
        if length:
            sheet.box(LEFT, y + 3, max(length, 1.5), 18, fill)
        sheet.text(LEFT + length + 6, y + 16, short(value), size=12)
        y += ROW


def curve(
    title: str, unit: str, rows: Sequence[Sequence[str]], columns: Sequence[str]
) -> Callable[[Palette], str]:
    """A line for each column, by the number in the first one, on a logarithmic scale."""

    def draw(colours: Palette) -> str:
        sheet = Sheet(title, colours)
        top = headline(sheet, title, unit) + 12
        bottom, left, right = top + 200, 60.0, 440.0
        steps = [number(row[0]) for row in rows]
        most = 4 * nice(max(number(cell) for row in rows for cell in row[1:]) / 4)
        span = math.log(steps[-1] / steps[0])
        places = [left + (right - left) * math.log(step / steps[0]) / span for step in steps]
        for part in range(5):
            value = most * part / 4
            y = bottom - (bottom - top) * part / 4
            sheet.line(left, y, right, y, dashed=part > 0)
            sheet.text(left - 6, y + 4, short(value), size=12, anchor="end")
        for place, step in zip(places, steps):
            sheet.text(place, bottom + 18, short(step), size=12, anchor="middle")
        for line, name in enumerate(columns[1:]):
            colour = (colours.ink, colours.soft, colours.line)[line % 3]
            heights = [bottom - (bottom - top) * number(row[line + 1]) / most for row in rows]
            sheet.curve(list(zip(places, heights)), colour, dashed=line > 0)
            sheet.text(
                left, bottom + 62 + 18 * line, f"{'- -' if line else '----'} {name}", size=12, fill=colour
            )
        sheet.text((left + right) / 2, bottom + 38, columns[0], size=12, anchor="middle")
        return sheet.svg(bottom + 52 + 18 * (len(columns) - 1))

    return draw


def headline(sheet: Sheet, title: str, unit: str) -> float:
    """Title and unit; the height at which the plot begins."""
    sheet.text(4, 16, title, font_weight="bold")
    sheet.text(4, 34, unit, size=12, fill=sheet.colours.soft)
    return 44.0


def nice(value: float) -> float:
    """The next 1, 2, 2.5 or 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 2, 2.5, 5, 10) if step * power >= value)


def short(value: float) -> str:
    """A number with about three digits."""
    return f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:.3g}"


def drawings(document: Table) -> Iterator[tuple[str, Callable[[Palette], str]]]:
    """The name of each plot, and what draws it."""
    tables = {table["title"]: table for table in document["tables"]}
    step, null = tables["The auth step"], tables["A request without a network"]
    yield (
        "step",
        bars("The auth step of one request", "nanoseconds, less is better", column(step, "nanoseconds")),
    )
    yield (
        "request",
        bars(
            "A whole request without a network", "microseconds, less is better", column(null, "microseconds")
        ),
    )
    throughput = [
        (f"{threads} on one Session", column(tables[f"Throughput, {threads}"], "requests per second"))
        for threads in ("1 thread", "32 threads")
    ]
    yield "throughput", groups("Throughput over loopback", "requests per second, more is better", throughput)
    yield (
        "import",
        bars(
            "Import, over that of requests",
            "milliseconds, less is better",
            column(tables["Import"], "milliseconds"),
        ),
    )
    crowds = {
        name: tables[f"64 threads, {name}"] for name in ("no token", "an expired token", "a revoked token")
    }
    calls = [
        (name, column(table, "token calls")) for name, table in crowds.items() if name != "a revoked token"
    ]
    yield "token-calls", groups("64 threads call at once", "token calls; 1 is enough", calls)
    revoked = crowds["a revoked token"]
    yield (
        "revoked",
        bars(
            "64 calls after the token was revoked",
            "failed calls, less is better",
            column(revoked, "failures"),
        ),
    )
    renewal = tables["Renewal under load, before the expiry"]
    failed = dict(column(renewal, "failures"))
    late = [(name, slow + failed[name]) for name, slow in column(renewal, "over 100 ms") if name != LIMIT]
    yield (
        "renewal",
        bars("8 threads for 5 seconds, a renewal each second", "calls that failed or took over 100 ms", late),
    )
    threads = tables["Threads on one auth"]
    yield (
        "threads",
        curve(
            "Threads on one Session",
            "microseconds for each request, no network",
            threads["rows"],
            threads["columns"],
        ),
    )
    fleet = tables["Processes on one cache"]
    places = [fleet["columns"].index(name) for name in ("processes", "all", "the longest")]
    rows = [[row[place] for place in places] for row in fleet["rows"]]
    heads = ["processes", "until all have called", "the longest call"]
    yield (
        "fleet",
        curve(
            "Processes that start at once on one file cache",
            "milliseconds; a token call takes 100",
            rows,
            heads,
        ),
    )


def plots(document: Table) -> Iterator[tuple[str, str]]:
    """The name of each file, and what is in it."""
    for name, draw in drawings(document):
        for shade, colours in SHADES.items():
            yield f"plot-{name}-{shade}.svg", draw(colours)


if __name__ == "__main__":
    kept = json.loads((DOCS / "performance.json").read_text(encoding="utf-8"))
    for file, plot in plots(kept):
        (DOCS / "pictures" / file).write_text(plot, encoding="utf-8")
