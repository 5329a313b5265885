"""``python -m requests_thingspace.sandbox``: what it prints first can be pasted into a shell."""

from __future__ import annotations

import argparse
import shlex
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TextIO

from ._calls import Call
from ._sandbox import Sandbox


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until Ctrl-C or SIGTERM.

    Args:
        arguments: those of the command line where none are given.

    Returns:
        The exit status: 0, or 1 where the port cannot be used.
    """
    parser = argparse.ArgumentParser(
        prog="python -m requests_thingspace.sandbox", description="A ThingSpace on this machine, for tests."
    )
    parser.add_argument("--port", type=int, default=0, help="of the main origin (default: a free one)")
    parser.add_argument(
        "--token-life", type=float, default=3600, metavar="S", help="seconds a token lives (default: 3600)"
    )
    options = parser.parse_args(arguments)
    try:
        serve(options.port, options.token_life, sys.stdout)
    except (OSError, ValueError) as wrong:
        sys.stderr.write(f"{wrong}\n")
        return 1
    return 0


def serve(port: int, token_life: float, out: TextIO, *, stop: threading.Event | None = None) -> None:
    """Serve until `stop` is set, or in the main thread until Ctrl-C or SIGTERM.

    Prints the sandbox's address and credentials as ``export NAME=value`` lines, and then a line per call.

    Args:
        port: of the main origin, 0 for a free one.
        token_life: seconds that an OAuth token lives.
        out: where the lines go; each is flushed.
        stop: ends it.

    Raises:
        OSError: the port is in use.
        ValueError: a number is out of range.
    """
    stop = stop or threading.Event()

    def tell(line: str) -> None:
        out.write(line + "\n")
        out.flush()

    def tell_call(call: Call) -> None:
        tell(f"{call.method} {call.path} {call.status} {call.seconds * 1000:.0f} ms")

    with _signals_set(stop), Sandbox(port=port, token_life=token_life, on_call=tell_call) as sandbox:
        tell("\n".join(_exports(sandbox)))
        # In slices, for on Windows no signal ends a wait without a timeout.
        while not stop.wait(0.5):
            pass


def _exports(sandbox: Sandbox) -> Iterator[str]:
    """The lines that make a shell's programs use this sandbox."""
    values = {
        "THINGSPACE_BASE_URL": sandbox.origin,
        "THINGSPACE_CLIENT_ID": sandbox.client_id,
        "THINGSPACE_CLIENT_SECRET": sandbox.client_secret,
        "THINGSPACE_USERNAME": sandbox.username,
        "THINGSPACE_PASSWORD": sandbox.password,
        "REQUESTS_CA_BUNDLE": sandbox.ca_file,
    }
    return (f"export {name}={shlex.quote(value)}" for name, value in values.items())


@contextmanager
def _signals_set(stop: threading.Event) -> Iterator[None]:
    """Let Ctrl-C and SIGTERM set `stop`; Python lets only the main thread do so."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {
        number: signal.signal(number, lambda *_: stop.set()) for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


if __name__ == "__main__":
    sys.exit(main())
