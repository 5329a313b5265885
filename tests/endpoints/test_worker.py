"""A call in a thread of its own."""

import _thread
import gc
import os
import threading

import pytest

from requests_thingspace._endpoints import worker

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
gc.disable()
os._exit(0)
"""


def test_the_garbage_collector_comes_while_a_call_is_given_up():
    """It may start threads, for which CPython before 3.11.9 would wait for ever."""
    ended = python("-c", GIVEN_UP_WHILE_GARBAGE_IS_COLLECTED, env={**os.environ})
    assert (ended.stdout, ended.stderr) == ("over True\n", "")


def test_a_thread_is_started_where_no_signal_handler_raises(monkeypatch):
    """Interrupted in Thread.start, threading would lose locks of its own on CPython 3.14."""
    start, starters = threading.Thread.start, []
    monkeypatch.setattr(
        threading.Thread, "start", lambda one: starters.append(threading.get_ident()) or start(one)
    )
    call = worker.Call(threading.get_ident)
    call.start()
    assert call.wait(5)
    assert len({*starters, call.result(), threading.get_ident()}) == 3


@pytest.mark.parametrize(("owner", "name"), [(_thread, "start_new_thread"), (threading.Thread, "start")])
def test_a_call_is_made_where_no_more_threads_begin(monkeypatch, owner, name):
    """As at the end of the interpreter, or at a limit of the system."""

    def refuse(*_):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(owner, name, refuse)
    call = worker.Call(lambda: "done")
    call.start()
    assert call.wait(5)
    assert call.result() == "done"


@pytest.mark.parametrize("is_lost", [False, True])
def test_a_collector_that_is_off_stays_off(monkeypatch, is_lost):
    """Also where a fork or an interrupt has lost the lock that lets one thread at a time turn it off."""
    monkeypatch.setattr(worker, "_without_collector", lock := threading.Lock())
    if is_lost:
        lock.acquire()
    gc.disable()
    try:
        assert threading.get_ident() in worker.frames()
        assert (gc.isenabled(), lock.locked()) == (False, is_lost)
    finally:
        gc.enable()
