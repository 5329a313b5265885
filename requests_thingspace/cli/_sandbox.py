"""``thingspace sandbox``: a ThingSpace on this machine, until Ctrl-C."""

from __future__ import annotations

import sys
import threading
from argparse import Namespace
from typing import Any

from ._output import UsageError


def sandbox(options: Namespace) -> int:
    """Serve it: first the lines that a shell needs to use it, then a line for each call."""
    stop = threading.Event()
    out: Any = _WhileRead(stop)
    try:
        from requests_thingspace.sandbox.__main__ import serve

        serve(options.port, options.token_life, out, stop=stop, for_a_person=sys.stdout.isatty())
    except (ImportError, OSError, ValueError) as wrong:
        raise UsageError(wrong) from None
    if out.broken is not None:
        raise out.broken
    return 0


class _WhileRead:
    """stdout for the threads of a sandbox, which stops when nobody reads it any more."""

    def __init__(self, stop: threading.Event) -> None:
        self.broken: BrokenPipeError | None = None
        self._stop = stop

    def write(self, text: str) -> None:
        try:
            sys.stdout.write(text)
            sys.stdout.flush()
        except BrokenPipeError as broken:
            self.broken = broken
            self._stop.set()

    def flush(self) -> None:
        """Nothing is left to do."""
