"""A call in a thread of its own."""

import os

from ..users import python

GIVEN_UP_WHILE_GARBAGE_IS_COLLECTED = """
import gc, os, threading
from requests_thingspace._endpoints.worker import Call

class Reborn:
    def __init__(self):
        self.me = self

    def __del__(self):
        Reborn()
        thread = threading.Thread(target=int)
        thread.start()
        thread.join()

begun, never = threading.Event(), threading.Event()
call = Call(lambda: (begun.set(), never.wait()))
call.start()
begun.wait()
gc.set_threshold(1)
Reborn()
call.end()
print("over", gc.isenabled(), flush=True)
os._exit(0)
"""


def test_the_garbage_collector_comes_while_a_call_is_given_up():
    """It may start threads, for which CPython before 3.11.9 would wait for ever."""
    ended = python("-c", GIVEN_UP_WHILE_GARBAGE_IS_COLLECTED, env={**os.environ})
    assert (ended.stdout, ended.stderr) == ("over True\n", "")
