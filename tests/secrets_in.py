"""Where secrets may show: in the frames of a traceback, and in the spellings of a text."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import FrameType, TracebackType
from urllib.parse import quote, quote_plus

import requests_thingspace

PACKAGE = str(Path(requests_thingspace.__file__).parent)
TESTS = str(Path(__file__).parent)


def spellings(secret: str) -> set[str]:
    encoded = base64.b64encode(secret.encode()).decode()
    found = {secret, repr(secret)[1:-1], json.dumps(secret)[1:-1], html.escape(secret), encoded}
    return found | {quote(secret), quote(secret, safe=""), quote_plus(secret), ascii(secret)[1:-1]}


def chain(error: BaseException) -> Iterator[BaseException]:
    """An exception, and all that it came from, suppressed or not."""
    waiting, seen = [error], set()
    while waiting:
        one = waiting.pop()
        if one is not None and id(one) not in seen:
            seen.add(id(one))
            yield one
            waiting += [one.__cause__, one.__context__]


def frames(error: BaseException, *, everybodys: bool = False) -> Iterator[FrameType]:
    """The frames of the tracebacks of an exception: those of the package, or all but those of the tests."""
    for one in chain(error):
        trace: TracebackType | None = one.__traceback__
        while trace is not None:
            file = trace.tb_frame.f_code.co_filename
            if file.startswith(PACKAGE) or (everybodys and not file.startswith(TESTS)):
                yield trace.tb_frame
            trace = trace.tb_next


def leaks(frame: FrameType, secrets: set[str]) -> list[str]:
    """The local variables of a frame in whose `repr` a secret stands, as crash reporters send it."""
    place = f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno} {frame.f_code.co_name}"
    return [
        f"{place}: {name}"
        for name, value in frame.f_locals.items()
        if any(secret in shown for shown in _shown(value) for secret in secrets)
    ]


def _shown(value: object) -> Iterator[str]:
    """What a reporter shows of a value: its `repr`, and those of its items."""
    with suppress(Exception):  # what is half made cannot always be shown
        yield repr(value)
        yield str(value)
    if hasattr(value, "items") and hasattr(value, "keys"):
        yield repr(list(value.items()))
