"""A sheet to draw SVG pictures on, in the colours of a light and of a dark page, readable on a phone."""

from __future__ import annotations

from html import escape
from typing import NamedTuple

WIDTH = 480


class Palette(NamedTuple):
    """The colours of one picture."""

    ink: str
    soft: str
    line: str
    green: str
    amber: str
    grey: str
    red: str
    blue: str


LIGHT = Palette("#1b2733", "#55646f", "#8794a0", "#cfe8d5", "#fbe3a8", "#e3e7eb", "#f6c9c4", "#d8e6f5")
DARK = Palette("#e6ebf0", "#a5b1bc", "#6f7d89", "#1f4a30", "#5d4a12", "#33393f", "#5d2b27", "#20405f")
SHADES = {"light": LIGHT, "dark": DARK}


class Sheet:
    """Collects the parts of one picture in one palette."""

    def __init__(self, title: str, colours: Palette) -> None:
        """Begin an empty picture."""
        self.title = title
        self.colours = colours
        self.parts: list[str] = []

    def text(
        self, x: float, y: float, words: str, *, size: int = 14, anchor: str = "start", **more: str
    ) -> None:
        """One line of text whose baseline is at `y`."""
        fill = more.pop("fill", self.colours.ink)
        attributes = "".join(f' {name.replace("_", "-")}="{value}"' for name, value in more.items())
        self.parts.append(
            f'<text x="{x:g}" y="{y:g}" font-size="{size}" text-anchor="{anchor}" fill="{fill}"{attributes}>'
            f"{escape(words)}</text>"
        )

    def box(self, x: float, y: float, width: float, height: float, fill: str) -> None:
        """A rectangle with round corners."""
        self.parts.append(
            f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="5" fill="{fill}" '
            f'stroke="{self.colours.line}" stroke-width="0.8"/>'
        )

    def line(self, x1: float, y1: float, x2: float, y2: float, *, dashed: bool = False) -> None:
        """A straight line."""
        dashes = ' stroke-dasharray="3 3"' if dashed else ""
        self.parts.append(
            f'<line x1="{x1:g}" y1="{y1:g}" x2="{x2:g}" y2="{y2:g}" stroke="{self.colours.line}"'
            f' stroke-width="1.2"{dashes}/>'
        )

    def arrow(self, x1: float, y: float, x2: float, *, dashed: bool = False) -> None:
        """A horizontal arrow from `x1` to `x2`."""
        self.line(x1, y, x2, y, dashed=dashed)
        back = 8 if x2 < x1 else -8
        points = f"{x2:g},{y:g} {x2 + back:g},{y - 4:g} {x2 + back:g},{y + 4:g}"
        self.parts.append(f'<polygon points="{points}" fill="{self.colours.line}"/>')

    def curve(self, points: list[tuple[float, float]], colour: str, *, dashed: bool = False) -> None:
        """A line through `points`, with a dot at each."""
        dashes = ' stroke-dasharray="5 4"' if dashed else ""
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        self.parts.append(
            f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"{dashes}/>'
        )
        self.parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in points]

    def svg(self, height: float) -> str:
        """The whole picture; its background is the page's."""
        head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:g}" role="img" '
            f'font-family="Helvetica, Arial, sans-serif">'
        )
        return "\n".join([head, f"<title>{escape(self.title)}</title>", *self.parts, "</svg>", ""])
