"""A call in a thread of its own."""

import _thread
import contextvars
import gc
import os
import sys
import threading
from unittest.mock import Mock

import pytest

from requests_thingspace._endpoints import worker

from ..hostile import GOOD_TOKEN_DOCUMENT, TOKEN_PATH, json_answer
from ..users import python


def test_a_call_gives_what_its_work_gives():
    """A result, found in the context of the caller, or its exception, whatever kind that is."""
    variable = contextvars.ContextVar("variable", default="nobody's")
    variable.set("mine")
    well, exiting = worker.Call(variable.get), worker.Call(sys.exit)
    for call in (well, exiting):
        call.start()
        assert call.wait(5)
    assert well.result() == "mine"
    with pytest.raises(SystemExit):
        exiting.result()


def test_a_call_that_is_cancelled_before_it_begins_does_nothing():
    """Whoever finds it later knows that nothing was sent."""
    done = []
    call = worker.Call(lambda: done.append("it"))
    assert call.cancel()
    call.start()
    assert not call.wait(0.2)
    call.end()
    assert done == []


AT_EXIT = """
import atexit, requests
from requests_thingspace import Environment, ThingspaceAuth

def last_call():
    session = requests.Session()
    session.verify, session.trust_env = {ca_file!r}, False
    auth = ThingspaceAuth("id", "secret", environment=Environment.at({origin!r}), session=session)
    print(auth.get_token().scope)

atexit.register(last_call)
"""


def test_a_token_is_to_be_had_at_the_very_end(server):
    """A program that logs out or flushes at exit may need one, where Python starts no more threads."""
    server.script(TOKEN_PATH, json_answer(200, GOOD_TOKEN_DOCUMENT))
    program = AT_EXIT.format(ca_file=server.ca_file, origin=server.origin)
    ended = python("-c", program, env=dict(os.environ))
    assert (ended.stdout, ended.stderr) == ("('ts.ro',)\n", "")


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
    monkeypatch.setattr(owner, name, Mock(side_effect=RuntimeError("no more threads")))
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
