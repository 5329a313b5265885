"""requests-futures and gevent: many calls at once, by other means than threads of one's own.

gevent patches the standard library for a whole program, so each of its tests is a program of its own. Some
programs leave threads and locks as they are: ``patch_all(thread=False)``, and so does grequests.
"""

import json
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

GREENLETS = """
from gevent import monkey
{patch}
import json, sys
import gevent, requests
from requests_thingspace import ThingspaceAuth, mount

url = sys.argv[1]
session, auth = requests.Session(), ThingspaceAuth.from_env()


def at_once():
    greenlets = [gevent.spawn(session.get, url) for _ in range(32)]
    gevent.joinall(greenlets, timeout=60, raise_error=True)
    return sorted({{greenlet.value.status_code for greenlet in greenlets}})


session.auth = auth
print(json.dumps(at_once()))
auth.revoke()
print(json.dumps(at_once()))
session, auth = requests.Session(), ThingspaceAuth.from_env()
mount(session, auth, pool_maxsize=32)
print(json.dumps(at_once()))
auth.revoke()
print(json.dumps(at_once()))
"""

WAITING = """
def provider(last_token, manager):
    gevent.sleep(0.2)  # as a cache in Redis does: other greenlets run
    return manager.fetch_token()


session, auth = requests.Session(), ThingspaceAuth.from_env()
mount(session, auth, pool_maxsize=32)
with gevent.Timeout(0.05, False):
    auth.get_token()
    raise AssertionError("the token came early")
print(json.dumps(at_once()))
auth.token = None
auth.token_provider = provider
ticks = []
ticking = gevent.spawn(lambda: [(gevent.sleep(0.02), ticks.append(1)) for _ in range(5)])
print(json.dumps([*at_once(), len(ticks)]))
"""


@pytest.fixture
def run(sandbox, tmp_path):
    """A function that runs a program against the sandbox and gives what it printed, line by line."""
    environment = environment_of_user(sandbox, tmp_path)

    def run(source, *arguments):
        done = python("-W", "error", "-c", source, *arguments, env=environment)
        assert (done.returncode, done.stderr) == (0, "")
        return [json.loads(line) for line in done.stdout.splitlines()]

    return run


@pytest.mark.slow
@pytest.mark.parametrize("patch", PATCHES)
def test_greenlets_share_one_token_call(sandbox, account, run, patch, spent):
    """In a program that gevent has patched, by each face, cold and after a revocation."""
    assert run(GREENLETS.format(patch=PATCHES[patch]), account) == [[200]] * 4
    assert spent() == (4, 2)


@pytest.fixture
def partly_patched(monkeypatch):
    """To this library, the test run looks like a program with gevent's sockets and its own threads."""
    monkeypatch.setattr(gevent.monkey, "is_module_patched", lambda name: name != "threading")


@pytest.mark.usefixtures("partly_patched")
def test_a_call_is_made_in_a_greenlet():
    """A connection that this thread's pool holds could be used in no other thread."""
    call = Call(lambda: (gevent.sleep(0.01), threading.current_thread())[1])
    call.start()
    assert call.wait(5)
    assert call.result() is threading.current_thread()


@pytest.mark.usefixtures("partly_patched")
def test_a_call_in_a_greenlet_is_really_over_when_it_is_given_up():
    """It ends as a connection does that breaks off."""
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
