"""Ends as it is told to."""

import atexit
import signal
import sys
import threading


def end(how):
    if how == "error":
        raise ValueError("no such fleet")
    if how == "chained":
        try:
            end("error")
        except ValueError as error:
            raise LookupError("nothing to report") from error
    if how == "interrupted":
        signal.raise_signal(signal.SIGINT)
    if how == "late":
        finished = threading.Event()
        atexit.register(lambda: print("at exit", sys.modules["__main__"].end is end))
        threading.Thread(target=lambda: finished.wait(0.2) or print("thread", sys.argv[1:])).start()
    if how in ("status", "text"):
        sys.exit({"status": 7, "text": "the fleet is gone"}[how])


end(sys.argv[1])
