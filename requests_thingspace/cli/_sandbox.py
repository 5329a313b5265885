"""``thingspace sandbox`` and ``thingspace run --sandbox``: a ThingSpace on this machine.

A program under ``run`` keeps its URLs: ``HTTPAdapter.send`` is patched, by which every adapter of requests
sends at last. Nothing outside of its process changes, and no proxy plays a part.
"""

from __future__ import annotations

import atexit
import os
import shlex
import signal
import sys
from argparse import Namespace
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.utils import DEFAULT_CA_BUNDLE_PATH

from requests_thingspace import PRODUCTION, ThingspaceAuth

from ._words import UsageError, complain

_WELCOME = """\
A ThingSpace of your own, at {sandbox.origin}
(for imp.thingspace.verizon.com: {sandbox.imp_origin}, for 5gedge.verizon.com: {sandbox.edge_origin}).
Ctrl-C ends it.

Paste this into another terminal:

{exports}

Then try there:

thingspace check --login
curl -H "$(thingspace token --header)" -H "$(thingspace token --session --header)" \\
  "$THINGSPACE_BASE_URL/api/m2m/v1/accounts/$THINGSPACE_ACCOUNT_NAME"

Other HTTPS calls still work there: the CA file includes the public CAs. Each call is logged here:
"""
_WHOEVER = "sandbox"  # until the script shows its own key and user


def sandbox(options: Namespace) -> int:
    """Serve until Ctrl-C or SIGTERM: first ``export NAME=value`` lines, then a line for each call."""
    calls = SimpleQueue[Any]()  # the end of it is ``None``
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, lambda *_: calls.put(None)) for number in numbers}
    for_a_person = sys.stdout.isatty()
    try:
        with _started(port=options.port, token_life=options.token_life, on_call=calls.put) as served:
            values = _variables(served)
            exports = "\n".join(f"export {name}={shlex.quote(value)}" for name, value in values.items())
            _tell(_WELCOME.format(sandbox=served, exports=exports) if for_a_person else exports)
            while True:
                with suppress(Empty):  # on Windows no signal ends a wait without a timeout
                    call = calls.get(timeout=0.5)
                    if call is None:
                        break
                    _tell(f"{call.method} {call.path} {call.status} {call.seconds * 1000:.0f} ms")
        if for_a_person:
            _tell("\nThe sandbox has stopped, and its CA file is deleted. In the other terminal:\n")
            _tell(f"unset {' '.join(values)}\n")
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return 0


def _started(**arguments: Any) -> Any:
    try:
        from requests_thingspace.sandbox import Sandbox

        return Sandbox(**arguments).start()
    except (ImportError, OSError, ValueError) as wrong:
        raise UsageError(wrong) from None


def _tell(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _variables(served: Any) -> dict[str, str]:
    """What makes a shell's programs use this sandbox, and trust what requests trusts here as well."""
    chosen = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE") or ""
    trusted = chosen if Path(chosen).is_file() else DEFAULT_CA_BUNDLE_PATH
    bundle = Path(served.ca_file).with_name("bundle.pem")  # gone with it
    try:
        pieces = [Path(piece).read_text(encoding="utf-8") for piece in (served.ca_file, trusted)]
        bundle.write_text("\n".join(pieces), encoding="utf-8")
    except (OSError, ValueError) as wrong:
        raise UsageError(f"{trusted}: {wrong}") from None
    return {
        "THINGSPACE_BASE_URL": served.origin,
        "THINGSPACE_CLIENT_ID": served.client_id,
        "THINGSPACE_CLIENT_SECRET": served.client_secret,
        "THINGSPACE_USERNAME": served.username,
        "THINGSPACE_PASSWORD": served.password,
        "THINGSPACE_ACCOUNT_NAME": served.account,
        **dict.fromkeys(("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"), str(bundle)),
    }


def sandbox_for_script(plan: str) -> tuple[ThingspaceAuth, Callable[[], None]]:
    """An auth for a sandbox that ends with this process, and what leads a process to it."""
    served, events, owner = _started(lenient=True, plan=plan), Counter[str](), os.getpid()

    def end() -> None:
        if os.getpid() == owner:  # pragma: no branch - a forked child leaves it to its parent
            served.close()
            counts = ", ".join(f"{count} {kind}" for kind, count in served.calls.items() if count)
            again = f"sent again after a refusal: {events['request_replayed']}"
            complain(f"sandbox: calls by kind: {counts or 'none'}; {again}")

    atexit.register(end)
    count = partial(_count, events)  # which can be pickled
    auth = ThingspaceAuth(_WHOEVER, _WHOEVER, username=_WHOEVER, password=_WHOEVER, on_event=count)
    return auth, partial(_lead, dict(zip(PRODUCTION.origins, served.environment.origins)), served.ca_file)


def _count(events: Counter[str], event: Any) -> None:
    events[event.name] += 1


def _lead(places: Mapping[str, str], ca_file: str) -> None:
    """Send requests for Verizon to the `places` that stand in for its origins, and trust `ca_file`."""
    send = HTTPAdapter.send
    names, ours = ("stream", "timeout"), dict[str, Any](verify=ca_file, cert=None, proxies={})

    def led(self: HTTPAdapter, request: Any, *given: Any, **settings: Any) -> requests.Response:
        url = str(request.url)
        if not PRODUCTION.covers(url):
            return send(self, request, *given, **settings)
        parts, there = urlsplit(url), request.copy()
        there.url = parts._replace(netloc=urlsplit(places[f"https://{parts.hostname}"]).netloc).geturl()
        response = send(self, there, **{**dict(zip(names, given)), **settings, **ours})
        response.request, response.url = request, url
        return response

    HTTPAdapter.send = led  # type: ignore[method-assign]
