"""``thingspace sandbox``: a ThingSpace on this machine; what it prints first can be pasted into a shell."""

from __future__ import annotations

import os
import shlex
import signal
import sys
import threading
from argparse import Namespace
from pathlib import Path
from typing import Any

from requests.utils import DEFAULT_CA_BUNDLE_PATH

from ._output import UsageError

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
_GOODBYE = """
The sandbox has stopped, and its CA file is deleted. In the other terminal:

unset {names}
"""


def sandbox(options: Namespace) -> int:
    """Serve until Ctrl-C or SIGTERM: first ``export NAME=value`` lines, then a line for each call."""
    stop, gone = threading.Event(), list[BrokenPipeError]()
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, lambda *_: stop.set()) for number in numbers}
    try:
        _serve(options, stop, gone)
    except (ImportError, OSError, ValueError) as wrong:
        raise UsageError(wrong) from None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if gone:
        raise gone[0]
    return 0


def _serve(options: Namespace, stop: threading.Event, gone: list[BrokenPipeError]) -> None:
    """Serve until `stop` is set, or whoever read our output has `gone`.

    A person at a terminal is told what the lines are for, and how to take them back.
    """
    from requests_thingspace.sandbox import Call, Sandbox

    def tell(line: str) -> None:
        try:
            print(line, flush=True)  # noqa: T201 - that is what it is for
        except BrokenPipeError as broken:
            gone.append(broken)
            stop.set()

    def tell_call(call: Call) -> None:
        tell(f"{call.method} {call.path} {call.status} {call.seconds * 1000:.0f} ms")

    for_a_person = sys.stdout.isatty()
    with Sandbox(port=options.port, token_life=options.token_life, on_call=tell_call) as served:
        values = _variables(served)
        exports = "\n".join(f"export {name}={shlex.quote(value)}" for name, value in values.items())
        tell(_WELCOME.format(sandbox=served, exports=exports) if for_a_person else exports)
        # In slices, for on Windows no signal ends a wait without a timeout.
        while not stop.wait(0.5):
            pass  # pragma: no cover - most tests end it in the first slice
    if for_a_person:
        tell(_GOODBYE.format(names=" ".join(values)))


def _variables(served: Any) -> dict[str, str]:
    """What makes a shell's programs use this sandbox."""
    bundle = _bundle(served.ca_file)
    return {
        "THINGSPACE_BASE_URL": served.origin,
        "THINGSPACE_CLIENT_ID": served.client_id,
        "THINGSPACE_CLIENT_SECRET": served.client_secret,
        "THINGSPACE_USERNAME": served.username,
        "THINGSPACE_PASSWORD": served.password,
        "THINGSPACE_ACCOUNT_NAME": served.account,
        "REQUESTS_CA_BUNDLE": bundle,
        "CURL_CA_BUNDLE": bundle,
        "SSL_CERT_FILE": bundle,
    }


def _bundle(ca_file: str) -> str:
    """A file beside `ca_file`, gone with it, that holds the CAs that requests trusts here as well."""
    chosen = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE") or ""
    trusted = chosen if Path(chosen).is_file() else DEFAULT_CA_BUNDLE_PATH
    bundle = Path(ca_file).with_name("bundle.pem")
    pieces = [Path(piece).read_text(encoding="utf-8") for piece in (ca_file, trusted)]
    bundle.write_text("\n".join(pieces), encoding="utf-8")
    return str(bundle)
