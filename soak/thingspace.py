"""The process with the sandbox: `python -m soak.thingspace SEED`.

It prints where the sandbox is, then each episode of the weather. A line on stdin ends the weather, the next
one the sandbox; before it ends it prints what was called.
"""

from __future__ import annotations

import sys
import threading
import traceback
from collections.abc import Callable

from requests_thingspace.sandbox import Call, Sandbox

from . import TOKEN_LIFE
from ._fault_log import FaultLog
from ._lines import tell
from ._weather import ApiWeather, TokenWeather

_PLACE = ("origin", "imp_origin", "edge_origin", "ca_file", "account")
_CREDENTIALS = ("client_id", "client_secret", "username", "password")


def main(seed: int) -> None:
    """Serve, and let the weather happen."""
    stop = threading.Event()

    def note(call: Call) -> None:
        if (call.endpoint, call.status) == ("token", 200):
            tokens.note_token()

    with Sandbox(token_life=TOKEN_LIFE, on_call=note) as sandbox:
        log = FaultLog(sandbox, tell)
        tokens, api = TokenWeather(sandbox, log, seed, stop), ApiWeather(sandbox, log, seed, stop)
        tell({name: getattr(sandbox, name) for name in (*_PLACE, *_CREDENTIALS)})
        makers = [threading.Thread(target=_made_known, args=(make,)) for make in (tokens.run, api.run)]
        for maker in makers:
            maker.start()
        sys.stdin.readline()
        stop.set()
        for maker in makers:
            maker.join()
        tell({"calm": True})
        sys.stdin.readline()
        answers = {f"{endpoint} {status}": count for (endpoint, status), count in sandbox.answers.items()}
        tell({"calls": sandbox.calls, "answers": answers, "locked": sandbox.locked})


def _made_known(make: Callable[[], None]) -> None:
    """A weather that ends by itself would make a soak easy: it is told."""
    try:
        make()
    except Exception:  # noqa: BLE001 - whatever it is
        tell({"broken": traceback.format_exc()})


if __name__ == "__main__":
    main(int(sys.argv[1]))
