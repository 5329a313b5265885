"""``python -m requests_thingspace.sandbox``: what it prints first can be pasted into a shell."""

from __future__ import annotations

import argparse
import os
import shlex
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from requests.utils import DEFAULT_CA_BUNDLE_PATH

from ._calls import Call
from ._sandbox import Sandbox


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until Ctrl-C or SIGTERM; the exit status is 1 if the port cannot be used."""
    parser = argparse.ArgumentParser(
        prog="python -m requests_thingspace.sandbox", description="A ThingSpace on this machine, for tests."
    )
    parser.add_argument("--port", type=int, default=0, help="of the main origin (default: a free one)")
    parser.add_argument(
        "--token-life", type=float, default=3600, metavar="S", help="seconds a token lives (default: 3600)"
    )
    options = parser.parse_args(arguments)
    try:
        for_a_person = sys.stdout.isatty()
        serve(options.port, options.token_life, sys.stdout, stop=threading.Event(), for_a_person=for_a_person)
    except (OSError, ValueError) as wrong:
        sys.stderr.write(f"{wrong}\n")
        return 1
    return 0


def serve(
    port: int, token_life: float, out: TextIO, *, stop: threading.Event, for_a_person: bool = False
) -> None:
    """Serve until `stop` is set, or in the main thread until Ctrl-C or SIGTERM.

    Prints the sandbox's address and credentials as ``export NAME=value`` lines, and then a line per call.
    `for_a_person` explains these lines, and at the end says how to take them back.

    Raises:
        OSError: the port is in use.
        ValueError: a number is out of range.
    """

    def tell(line: str) -> None:
        out.write(line + "\n")
        out.flush()

    def tell_call(call: Call) -> None:
        tell(f"{call.method} {call.path} {call.status} {call.seconds * 1000:.0f} ms")

    with _stopped_by_signals(stop), Sandbox(port=port, token_life=token_life, on_call=tell_call) as sandbox:
        values = _variables(sandbox)
        exports = "\n".join(f"export {name}={shlex.quote(value)}" for name, value in values.items())
        tell(_WELCOME.format(sandbox=sandbox, exports=exports) if for_a_person else exports)
        # In slices, for on Windows no signal ends a wait without a timeout.
        while not stop.wait(0.5):
            pass
    if for_a_person:
        tell(_GOODBYE.format(names=" ".join(values)))


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


def _variables(sandbox: Sandbox) -> dict[str, str]:
    """What makes a shell's programs use this sandbox."""
    bundle = _bundle(sandbox.ca_file)
    return {
        "THINGSPACE_BASE_URL": sandbox.origin,
        "THINGSPACE_CLIENT_ID": sandbox.client_id,
        "THINGSPACE_CLIENT_SECRET": sandbox.client_secret,
        "THINGSPACE_USERNAME": sandbox.username,
        "THINGSPACE_PASSWORD": sandbox.password,
        "THINGSPACE_ACCOUNT_NAME": sandbox.account,
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


@contextmanager
def _stopped_by_signals(stop: threading.Event) -> Iterator[None]:
    """Let Ctrl-C and SIGTERM set `stop`; Python allows that only in the main thread."""
    in_main_thread = threading.current_thread() is threading.main_thread()
    numbers = (signal.SIGINT, signal.SIGTERM) if in_main_thread else ()
    before = {number: signal.signal(number, lambda *_: stop.set()) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


if __name__ == "__main__":
    sys.exit(main())
