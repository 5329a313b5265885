"""What a person reads: colours only where a person looks, complaints on one line of stderr."""

from __future__ import annotations

import os
import sys
from typing import TextIO

GREEN, RED, DIM = "32", "31", "2"
"""SGR parameters (ECMA-48 section 8.3.117)."""


class UsageError(Exception):
    """The command cannot be carried out as it was asked for; the message is for the user."""


def complain(text: object) -> None:
    """Write `text` to stderr as one line."""
    sys.stderr.write(f"thingspace: {' '.join(str(text).split())}\n")


def coloured(text: str, colour: str, stream: TextIO) -> str:
    """`text` in `colour` if `stream` is a terminal and ``NO_COLOR`` (no-color.org) is not set."""
    if os.environ.get("NO_COLOR") or not stream.isatty():
        return text
    return f"\x1b[{colour}m{text}\x1b[0m"
