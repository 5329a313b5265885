"""``thingspace run --sandbox``: requests to Verizon's hosts go to a sandbox in this process.

The script keeps its URLs, and nothing outside of the process changes: no variable is exported, and no
proxy plays a part. ``HTTPAdapter.send`` is patched, by which every adapter of requests sends at last.
"""

from __future__ import annotations

import atexit
import os
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter

from requests_thingspace import PRODUCTION, ThingspaceAuth

from ._output import UsageError, complain

_WHOEVER = "sandbox"  # until the script shows its own key and user


def auth_of_sandbox(plan: str) -> tuple[ThingspaceAuth, Callable[[], None]]:
    """Start a sandbox, with trouble by `plan`, that ends with this process and then sums up its calls.

    Returns:
        An auth; and what leads this process, or a child of it, to the sandbox.
    """
    try:
        from requests_thingspace.sandbox import Sandbox

        sandbox = Sandbox(lenient=True, plan=plan).start()
    except (ImportError, ValueError) as wrong:
        raise UsageError(wrong) from None
    replays, owner = _Replays(), os.getpid()

    def end() -> None:
        if os.getpid() == owner:  # pragma: no branch - a forked child leaves it to its parent
            sandbox.close()
            counts = ", ".join(f"{count} {kind}" for kind, count in sandbox.calls.items() if count)
            again = f"sent again after a refusal: {replays.count}"
            complain(f"sandbox: calls by kind: {counts or 'none'}; {again}")

    atexit.register(end)
    auth = ThingspaceAuth(_WHOEVER, _WHOEVER, username=_WHOEVER, password=_WHOEVER, on_event=replays)
    hosts = [str(urlsplit(origin).hostname) for origin in PRODUCTION.origins]
    return auth, partial(_lead, dict(zip(hosts, sandbox.environment.origins)), sandbox.ca_file)


class _Replays:
    """Counts the requests that were sent again."""

    count = 0

    def __call__(self, event: Any) -> None:
        self.count += event.name == "request_replayed"


def _lead(hosts: Mapping[str, str], ca_file: str) -> None:
    """Send each request to Verizon's hosts to the origin that `hosts` says instead, and trust `ca_file`."""
    send = HTTPAdapter.send

    def led(
        self: HTTPAdapter,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        *rest: Any,
        **settings: Any,
    ) -> requests.Response:
        url = str(request.url)
        if not PRODUCTION.covers(url):
            return send(self, request, stream, timeout, *rest, **settings)
        parts, there = urlsplit(url), request.copy()
        there.url = parts._replace(netloc=urlsplit(hosts[str(parts.hostname)]).netloc).geturl()
        response = send(self, there, stream, timeout, ca_file, None, {})
        response.request, response.url = request, url
        return response

    HTTPAdapter.send = led  # type: ignore[method-assign]
