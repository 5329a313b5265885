"""Draws the two pictures of the documentation: ``python docs/pictures/draw.py``.

The floors come from the layers contract in pyproject.toml, and each room's text from the first line of its
module's docstring, so that the picture says what the code says. A test compares the pictures with the code.
"""

from __future__ import annotations

import ast
import textwrap
from collections import defaultdict
from collections.abc import Iterable, Iterator
from html import escape
from importlib.util import find_spec
from pathlib import Path

import tomllib

HERE = Path(__file__).parent
PROJECT = HERE.parent.parent / "pyproject.toml"

WIDTH = 920
INK, SOFT, PAPER = "#1b2733", "#5b6b7a", "#ffffff"
GREEN, AMBER, GREY, RED, BLUE = "#cfe8d5", "#fbe3a8", "#dfe3e8", "#f6c9c4", "#d8e6f5"


def text(x: float, y: float, words: str, *, size: int = 13, more: str = "", colour: str = INK) -> str:
    """One line of text whose baseline begins at `x`, `y`."""
    return f'<text x="{x:g}" y="{y:g}" font-size="{size}" fill="{colour}"{more}>{escape(words)}</text>'


def box(x: float, y: float, width: float, height: float, fill: str) -> str:
    """A rectangle with round corners."""
    place = f'x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}"'
    return f'<rect {place} rx="5" fill="{fill}" stroke="{SOFT}" stroke-width="0.7"/>'


def picture(title: str, height: float, parts: Iterable[str]) -> str:
    """A whole SVG on a sheet of its own, so that it can be read on a dark page too."""
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:g}" role="img" '
        f'font-family="Helvetica, Arial, sans-serif">'
    )
    sheet = f'<rect width="{WIDTH}" height="{height:g}" rx="8" fill="{PAPER}"/>'
    return "\n".join([head, f"<title>{escape(title)}</title>", sheet, *parts, "</svg>", ""])


# The floors of the code


def floors() -> str:
    """The rooms of the package, each on its floor; imports go down only."""
    contracts = tomllib.loads(PROJECT.read_text())["tool"]["importlinter"]["contracts"]
    layers = next(contract["layers"] for contract in contracts if contract["type"] == "layers")
    packages = borrowed_packages(contracts)
    parts: list[str] = []
    y = 16.0
    for layer in layers:
        rooms = [room for room in (name.strip(" ()") for name in layer.split("|")) if source_of(room)]
        if not rooms:
            continue
        if is_inner(rooms[0]) and not any("front door" in part for part in parts):
            parts.append(text(16, y + 10, "the front door: import requests_thingspace", colour=SOFT))
            y += 20
        height, drawn = floor(rooms, y, packages)
        parts += drawn
        y += height + 7
    parts.append(text(16, y + 10, "Imports go down only, never up and never sideways.", colour=SOFT))
    return picture("The floors of the code", y + 24, parts)


def floor(rooms: list[str], y: float, packages: dict[str, list[str]]) -> tuple[float, list[str]]:
    """The height of one floor, and its rooms side by side."""
    width = (WIDTH - 32 - 12 * (len(rooms) - 1)) / len(rooms)
    told = {room: textwrap.wrap(purpose_of(room), int(width / 6.6)) for room in rooms}
    height = 30 + 14 * max(len(lines) for lines in told.values())
    drawn: list[str] = []
    for number, room in enumerate(rooms):
        x = 16 + number * (width + 12)
        drawn.append(box(x, y, width, height, BLUE if is_inner(room) else GREEN))
        drawn.append(text(x + 10, y + 18, room, more=' font-family="monospace" font-weight="bold"'))
        borrowed, to_the_right = ", ".join(packages[room]), ' text-anchor="end"'
        drawn.append(text(x + width - 8, y + height - 7, borrowed, size=11, more=to_the_right, colour=SOFT))
        drawn += [text(x + 10, y + 35 + 14 * line, words, size=12) for line, words in enumerate(told[room])]
    return height, drawn


def is_inner(room: str) -> bool:
    """Whether a room is behind the front door."""
    return room == "caches" or (room.startswith("_") and not room.startswith("__"))


def borrowed_packages(contracts: list[dict]) -> dict[str, list[str]]:
    """What each room alone may import from outside: the exceptions of the contract that forbids it."""
    found = defaultdict(list)
    for exception in (each for contract in contracts for each in contract.get("ignore_imports", ())):
        importer, _, package = exception.partition(" -> ")
        found[importer.split(".")[1]].append(package)
    return found


def source_of(room: str) -> Path | None:
    """The file that holds the docstring of a room; ``None`` where there is no such room."""
    package = find_spec("requests_thingspace")
    for folder in package.submodule_search_locations if package else ():
        for source in (Path(folder, f"{room}.py"), Path(folder, room, "__init__.py")):
            if source.exists():
                return source
    return None


def purpose_of(room: str) -> str:
    """The first sentence of a room's docstring, without markup."""
    told = ast.get_docstring(ast.parse(source_of(room).read_text())) or ""
    return told.split("\n\n")[0].replace("\n", " ").replace("``", "").strip()


# The life of a token


def life_of_a_token() -> str:
    """Three tokens on one time line: one that is renewed, one that comes late, one that is rejected."""
    start, end, skew = 200.0, 760.0, 90.0
    due = end - skew
    reject = 470.0
    parts = [
        *moment(start, 60, 300, "the token request is sent"),
        *moment(due, 60, 300, "clock_skew before the expiry"),
        *moment(end, 40, 300, "expires_at"),
        *label(92, "as a rule", "one life of a token"),
        *stretch(start, 72, due - start, "usable: sent as it is, no lock taken", GREEN),
        *stretch(due, 72, skew, "due", AMBER),
        *stretch(end, 72, 144, "expired: not sent", GREY),
        *label(172, "the same token", "again, near its end"),
        *stretch(due + 25, 152, skew - 25, "usable", GREEN),
        *stretch(end, 152, 144, "expired: not sent", GREY),
        remark(start + 8, 168, "Asked again, ThingSpace gives the same token with what is left of its life:"),
        remark(start + 8, 184, "due on arrival, it is used until it expires and not asked for again."),
        *label(252, "rejected", "by a 401"),
        *stretch(start, 232, reject - start, "usable", GREEN),
        *stretch(reject, 232, end - reject, "rejected: replaced, whatever its expiry says", RED),
        *stretch(end, 232, 144, "expired: not sent", GREY),
    ]
    told = [
        ("due", "One caller renews it. The others go on with it, and do not wait."),
        ("expired", "One caller renews it. The others wait for that renewal and share its outcome."),
        ("rejected", "It is renewed once, however many calls were refused, and each is sent again once."),
    ]
    for line, (word, words) in enumerate(told):
        parts.append(text(start, 328 + 19 * line, word, more=' font-weight="bold"'))
        parts.append(text(start + 70, 328 + 19 * line, words))
    return picture("The life of a token", 386, parts)


def moment(x: float, top: float, bottom: float, words: str) -> Iterator[str]:
    """A moment of the time line, named at its top."""
    yield (
        f'<line x1="{x:g}" y1="{top:g}" x2="{x:g}" y2="{bottom:g}" stroke="{SOFT}" '
        'stroke-width="1" stroke-dasharray="3 3"/>'
    )
    yield text(x, top - 8, words, size=12, more=' text-anchor="middle"', colour=SOFT)


def label(y: float, name: str, more: str) -> Iterator[str]:
    """What a row shows."""
    yield text(16, y, name, more=' font-weight="bold"')
    yield text(16, y + 16, more, size=12, colour=SOFT)


def remark(x: float, y: float, words: str) -> str:
    """A line of explanation."""
    return text(x, y, words, size=12)


def stretch(x: float, y: float, width: float, words: str, fill: str) -> Iterator[str]:
    """A part of a token's life."""
    yield box(x, y, width, 40, fill)
    yield text(x + width / 2, y + 25, words, size=12, more=' text-anchor="middle"')


PICTURES = {"floors.svg": floors, "token-life.svg": life_of_a_token}

if __name__ == "__main__":
    for name, draw in PICTURES.items():
        (HERE / name).write_text(draw())
