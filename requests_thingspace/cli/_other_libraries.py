"""Another HTTP library that calls ThingSpace gets no token, and a line on stderr says so, once.

Python reports each look-up of a host, whoever makes it. The import of such a library proves nothing: many
programs import urllib and never use it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from contextlib import suppress
from traceback import walk_stack
from typing import Any
from urllib.parse import urlsplit

from ._output import complain

_LIBRARIES = ("httpx", "aiohttp", "httplib2", "tornado", "urllib3", "urllib", "http")
"""Those that are known by the modules on the stack, a library before those that it builds on."""
_ASYNC = ("aiohttp", "httpx")
"""Those that look up in a thread of the event loop, where none of their modules is on the stack."""


def report_other_libraries(origins: Iterable[str]) -> None:
    """Report each library other than requests that looks up a host of `origins` in this process."""
    places = {(urlsplit(one).hostname, str(urlsplit(one).port or 443)) for one in origins}
    reported = set[str]()

    def look(event: str, of: Any) -> None:  # pragma: no cover - Python traces no audit hooks
        if event != "socket.getaddrinfo":
            return
        with suppress(Exception):  # whatever it raised would reach the script
            host, port = (one.decode() if isinstance(one, bytes) else str(one) for one in of[:2])
            host = host.lower().rstrip(".")
            name = _library() if (host, "443" if port == "https" else port) in places else None
            if name is not None and name not in reported:
                reported.add(name)
                complain(
                    f"{name} is calling {host}: run authenticates requests only, so {name} gets no token"
                )

    sys.addaudithook(look)


def _library() -> str | None:  # pragma: no cover - Python traces no audit hooks
    """The library that is looking up a name in this thread; ``None`` if it is requests, or unknown."""
    names = [frame.f_globals.get("__name__", "") for frame, _ in walk_stack(sys._getframe())]
    on_stack = {name.partition(".")[0] for name in names}
    if "requests" in on_stack:
        return None
    named = [name for name in _LIBRARIES if name in on_stack]
    if not named and "concurrent" in on_stack:
        named = [name for name in _ASYNC if name in sys.modules]
    return named[0] if named else None
