"""What the constructor of an auth accepts, and what the environment says for it.

The law here: bad input is refused at once, with a text that names it and says what to give, and a
secret is not shown.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from ._environment import Environment


def arguments_from(environ: Mapping[str, str]) -> dict[str, Any]:
    """The arguments that ``THINGSPACE_*`` variables give; an empty variable counts as one that is not set.

    Raises:
        ValueError: a variable cannot be read; the message names it.
    """
    names = ("client_id", "client_secret", "username", "password", "clock_skew", "base_url")
    given = {name: environ.get(f"THINGSPACE_{name.upper()}") for name in names}
    found: dict[str, Any] = {name: value for name, value in given.items() if value}
    if "clock_skew" in found:
        found["clock_skew"] = _seconds_of("THINGSPACE_CLOCK_SKEW", found["clock_skew"])
    if "base_url" in found:
        found["environment"] = Environment.at(found.pop("base_url"))
    return found


def require_both(username: str | None, password: str | None) -> None:
    """Refuse half a pair of M2M credentials, or one that is no text."""
    if (username is None) != (password is None):
        raise ValueError("username and password go together: give both or neither.")
    if username is not None:
        require_text(username=username, password=password)


def require_text(**arguments: object) -> None:
    """Refuse an argument that is no text or empty; the message names it and never shows it."""
    for name, value in arguments.items():
        if not isinstance(value, str) or not value:
            raise ValueError(f"{name} must be a non-empty string.")


def require_seconds(name: str, value: object, *, least: float) -> None:
    """Refuse a number of seconds that is none."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise ValueError(f"{name} must be a finite number of seconds.")
    if value < least:
        raise ValueError(f"{name} must be at least {least:g} seconds.")


def _seconds_of(variable: str, text: str) -> float:
    """The seconds that an environment variable says."""
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"{variable} is no number of seconds: {text!r}.") from None
