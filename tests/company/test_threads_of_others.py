"""requests-futures and gevent: many calls at once, by other means than threads of one's own."""

import json
import os
import subprocess
import sys

import pytest
from requests_futures.sessions import FuturesSession


def test_futures_share_one_token_call(sandbox, attach, auth, account):
    """64 calls of a cold FuturesSession, and 64 more after both tokens died."""
    with FuturesSession(max_workers=32) as session:
        session.trust_env, session.verify = False, sandbox.ca_file
        attach(session, auth())
        for round_ in (1, 2):
            futures = [session.get(account) for _ in range(64)]
            assert {future.result().status_code for future in futures} == {200}
            assert (sandbox.calls["token"], sandbox.calls["login"]) == (round_, round_)
            sandbox.revoke_tokens()
            sandbox.end_sessions()


def test_futures_over_a_session_that_is_there(sandbox, connect, account):
    """`FuturesSession(session=...)` sends by that Session."""
    session = connect()
    with FuturesSession(session=session) as futures:
        assert futures.get(account).result().status_code == 200


GREENLETS = """
from gevent import monkey
monkey.patch_all()
import json, sys
import gevent, requests
from requests_thingspace import ThingspaceAuth, mount

face, url = sys.argv[1:]
session = requests.Session()
auth = ThingspaceAuth.from_env()
if face == "auth":
    session.auth = auth
else:
    mount(session, auth, pool_maxsize=64)
greenlets = [gevent.spawn(session.get, url) for _ in range(64)]
gevent.joinall(greenlets, timeout=60)
print(json.dumps(sorted({greenlet.value.status_code for greenlet in greenlets})))
session.close()
"""


@pytest.mark.slow
@pytest.mark.parametrize("face", ["auth", "adapter"])
def test_64_greenlets_make_one_token_call(sandbox, account, face):
    """In a program that gevent has patched, cold: one token call, one login."""
    settings = {
        "THINGSPACE_BASE_URL": sandbox.origin,
        "THINGSPACE_CLIENT_ID": sandbox.client_id,
        "THINGSPACE_CLIENT_SECRET": sandbox.client_secret,
        "THINGSPACE_USERNAME": sandbox.username,
        "THINGSPACE_PASSWORD": sandbox.password,
        "REQUESTS_CA_BUNDLE": sandbox.ca_file,
        "NO_PROXY": "127.0.0.1",
    }
    program = [sys.executable, "-W", "error", "-c", GREENLETS, face, account]
    done = subprocess.run(
        program, env={**os.environ, **settings}, capture_output=True, text=True, timeout=120, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout) == [200]
    assert (sandbox.calls["token"], sandbox.calls["login"]) == (1, 1)
