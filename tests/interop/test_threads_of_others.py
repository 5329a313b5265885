"""requests-futures and gevent, which patches a whole program: each of its tests is one."""

import threading

import gevent.monkey
import pytest
from requests_futures.sessions import FuturesSession

from requests_thingspace._endpoints.worker import Call
from requests_thingspace._turns import Turn

from ..users import environment_of_user, python


def test_futures_share_one_token_call(sandbox, connect, account, spent):
    """64 calls of a cold FuturesSession, which sends by the Session it is given, and 64 with dead tokens."""
    with FuturesSession(session=connect(), max_workers=32) as session:
        for round_ in (1, 2):
            futures = [session.get(account) for _ in range(64)]
            assert {future.result().status_code for future in futures} == {200}
            assert spent() == (round_, round_)
            sandbox.revoke_tokens()
            sandbox.end_sessions()


PATCHES = {
    "everything": "monkey.patch_all()",
    "all but threads": "monkey.patch_all(thread=False)",
    "as grequests does": "monkey.patch_all(thread=False, select=False)",
    "after our import": "import requests, requests_thingspace; monkey.patch_all(thread=False, ssl=False)",
}
GIVING_UP = ("everything", "all but threads")  # with the others a call blocks the program

PROGRAM = """
from gevent import monkey
{patch}
import sys, gevent, requests
from requests_thingspace import ThingspaceAuth, mount

def at_once(session):
    greenlets = [gevent.spawn(session.get, sys.argv[1]) for _ in range(12)]
    gevent.joinall(greenlets, timeout=60, raise_error=True)
    return {{greenlet.value.status_code for greenlet in greenlets}}

def provide(last_token, manager):
    gevent.sleep(0.2)  # as a cache in Redis does: other greenlets run
    return manager.fetch_token()

for face in ("auth", "adapter"):
    session, auth = requests.Session(), ThingspaceAuth.from_env()
    session = mount(session, auth, pool_maxsize=32) if face == "adapter" else session
    session.auth = auth if face == "auth" else None
    assert at_once(session) == {{200}}
    auth.revoke()
    assert at_once(session) == {{200}}
if {gives_up}:
    auth.token = None
    with gevent.Timeout(0.1, False):
        auth.get_token()
        raise AssertionError("the token came early")
    assert at_once(session) == {{200}}
    auth.token, auth.token_provider = None, provide
    ticks = []
    gevent.spawn(lambda: [(gevent.sleep(0.02), ticks.append(1)) for _ in range(5)])
    assert at_once(session) == {{200}}
    assert len(ticks) == 5
"""


@pytest.mark.slow
@pytest.mark.parametrize("patch", PATCHES)
def test_greenlets_share_one_token_call(sandbox, tmp_path, account, spent, patch):
    """In a patched program, by each face, cold and revoked; who waits or gives up stops no other greenlet."""
    sandbox.slow("token", 0.3)
    gives_up = patch in GIVING_UP
    program = PROGRAM.format(patch=PATCHES[patch], gives_up=gives_up)
    done = python("-W", "error", "-c", program, account, env=environment_of_user(sandbox, tmp_path))
    assert (done.returncode, done.stderr) == (0, "")
    assert spent() == (4 + 3 * gives_up, 2)


@pytest.fixture
def partly_patched(monkeypatch):
    """To this library, the test run looks like a program with gevent's sockets and its own threads."""
    monkeypatch.setattr(gevent.monkey, "is_module_patched", lambda name: name != "threading")


@pytest.mark.usefixtures("partly_patched")
def test_a_call_is_made_in_a_greenlet_which_ends_when_it_is_given_up():
    """A connection that this thread's pool holds could be used in no other; it ends as if it broke off."""
    call = Call(lambda: (gevent.sleep(0.01), threading.current_thread())[1])
    call.start()
    assert call.wait(5)
    assert call.result() is threading.current_thread()
    call = Call(lambda: gevent.sleep(60))
    call.start()
    assert not call.wait(0.05)
    call.end()
    with pytest.raises(ConnectionAbortedError):
        call.result()


@pytest.mark.usefixtures("partly_patched")
def test_a_greenlet_waits_for_another_without_a_lock():
    """A lock would stop the one that is waited for as well; once that has ended, the turn is over."""
    turn = Turn()
    with turn.lock:
        turn.pause()
        assert not turn.over
    turn.pause()
    assert turn.over
