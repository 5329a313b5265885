"""What a person reads: colours only where a person looks, complaints on one line of stderr."""

from __future__ import annotations

import os
import sys
from typing import TextIO


class UsageError(Exception):
    """A credential, an extra or what was named is missing or of no use: told on one line, with status 2."""


def complain(text: object) -> None:
    """Write `text` to stderr as one line."""
    sys.stderr.write(f"thingspace: {' '.join(str(text).split())}\n")


def coloured(text: str, colour: str, stream: TextIO) -> str:
    """`text` in `colour` (SGR) if `stream` is a terminal and ``NO_COLOR`` (no-color.org) is not set."""
    is_plain = os.environ.get("NO_COLOR") or not stream.isatty()
    return text if is_plain else f"\x1b[{colour}m{text}\x1b[0m"


def span(seconds: float) -> str:
    """A time span as a person says it."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {seconds} s" if minutes else f"{seconds} s"


def answered(said: str, status: object, code: object) -> str:
    """`said`, with the status and code of ThingSpace's answer."""
    return f"{said}: HTTP {status} {code or ''}".rstrip()
