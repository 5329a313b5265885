"""The sandbox as a whole: its life, what it hands out, and that it keeps its secrets."""

import copy
import gc
import os
import pickle
import time
import uuid
import weakref
from functools import partial

import pytest
import requests

from requests_thingspace.sandbox import Sandbox, SandboxClock

from ..users import python
from .conftest import Client, refusal


def test_it_can_be_started_and_closed_again_and_again():
    """Each time with new ports, as its repr tells; a closed one says how to start it, and can be driven."""
    sandbox = Sandbox()
    sandbox.close()
    for name in ("origin", "imp_origin", "edge_origin", "ca_file", "environment"):
        with pytest.raises(RuntimeError, match="with Sandbox"):
            getattr(sandbox, name)
    for drive in (sandbox.revoke_tokens, sandbox.end_sessions, sandbox.unlock, sandbox.reset):
        drive()
    assert sandbox.start() is sandbox
    origin = sandbox.origin
    assert sandbox.start().origin == origin
    assert repr(sandbox) == f"<Sandbox {origin}>"
    sandbox.close()
    sandbox.close()
    assert repr(sandbox) == "<Sandbox closed>"
    with sandbox, Client(sandbox) as client:
        assert client.ask_token().status_code == 200
    assert sandbox.calls["token"] == 1


def test_two_of_them_share_nothing(sandbox):
    """A token of one is unknown to the other, and its certificate is good for those alone who trust it."""
    with Sandbox() as other, Client(sandbox) as here, Client(other) as there:
        assert other.client_secret != sandbox.client_secret
        assert here.ask_token(auth=(other.client_id, other.client_secret)).status_code == 401
        assert there.account(here.bearer()).status_code == 401
        for trusted in (sandbox.ca_file, True):
            with pytest.raises(requests.exceptions.SSLError):
                requests.get(other.origin, verify=trusted, timeout=10)
        by_name = other.origin.replace("127.0.0.1", "localhost")
        assert requests.get(by_name, verify=other.ca_file, timeout=10).status_code == 400


def test_credentials_are_made_or_given():
    """Random ones by default."""
    made = Sandbox()
    assert str(uuid.UUID(made.client_id)) == made.client_id
    assert str(uuid.UUID(made.client_secret)) == made.client_secret
    given = Sandbox(client_id="id", client_secret="a:b/ä", username="ü", password="p ä")
    with given as sandbox, Client(sandbox) as client:
        auth = ("id", "a:b/ä".encode())
        bearer = {"Authorization": f"Bearer {client.ask_token(auth=auth).json()['access_token']}"}
        assert client.ask_login(bearer).status_code == 200


def test_reset_returns_to_a_clean_state(client, sandbox):
    """No tokens, faults or counts, unlocked, and the first credentials; a changed one leaves tokens alive."""
    headers = client.both()
    key, password = (sandbox.client_id, sandbox.client_secret), sandbox.password
    sandbox.change_secret("the-new-client-secret")
    sandbox.change_password("the-new-password")
    assert client.bearer()["Authorization"] == headers["Authorization"]
    assert refusal(client.ask_token(auth=key)) == (401, "invalid_client")
    assert sandbox.auth().get_session_token()
    for _ in range(5):
        assert refusal(client.ask_login(password=password)) == (400, "REQUEST_FAILED.LoginFailed")
    sandbox.fail_next("api")
    sandbox.slow("api", 60)
    sandbox.advance(100)
    sandbox.reset()
    assert set(sandbox.calls.values()) == {0}
    assert refusal(client.account(headers)) == (401, "900901")
    headers.update(client.bearer())
    assert refusal(client.account(headers)) == (400, "INPUT_INVALID.SessionToken.Invalid")
    assert client.ask_token(auth=key).status_code == client.ask_login(password=password).status_code == 200


def test_its_session_reaches_every_origin_with_the_tokens_that_it_wants(sandbox):
    """It carries an auth, whose environment covers all origins, and is gone when it is dropped."""
    environment = sandbox.environment
    assert environment.origins == (sandbox.origin, sandbox.imp_origin, sandbox.edge_origin)
    for url in (environment.token_url, environment.revoke_url, environment.login_url, environment.logout_url):
        assert url.startswith(f"{sandbox.origin}/api/")
    session = sandbox.session()
    assert (session.trust_env, session.verify) == (False, sandbox.ca_file)
    account = f"{sandbox.origin}/api/m2m/v1/accounts/{sandbox.account}"
    registration = f"{sandbox.imp_origin}/api/v2/clients/registration"
    assert session.get(account).status_code == 200
    assert session.post(registration, json={}).status_code == 200
    assert session.get(f"{sandbox.edge_origin}/api/mec/eds/serviceendpoints").status_code == 200
    assert (sandbox.calls["token"], sandbox.calls["login"]) == (1, 1)
    gone = weakref.ref(session)
    del session
    gc.collect()
    assert gone() is None


def test_both_clocks_move_together_and_reset_returns_to_real_time():
    """The wall clock and the monotonic one."""
    clock = SandboxClock()
    clock.advance(3600)
    clock.advance(0.5)
    assert clock.wall() - time.time() == pytest.approx(3600.5, abs=1)
    assert clock.monotonic() - time.monotonic() == pytest.approx(3600.5, abs=1)
    clock.reset()
    assert clock.wall() == pytest.approx(time.time(), abs=1)
    assert clock.monotonic() == pytest.approx(time.monotonic(), abs=1)


def test_a_sandbox_that_nobody_closed_does_not_hold_up_its_process():
    """Its threads are daemons."""
    script = "from requests_thingspace.sandbox import Sandbox; print(Sandbox().start().origin)"
    done = python("-c", script, env=dict(os.environ))
    assert done.stdout.startswith("https://127.0.0.1:")


@pytest.mark.parametrize("name", ["auth", "session"])
def test_what_it_gives_can_be_copied_and_pickled(sandbox, name):
    """A copy goes by the sandbox's clock; what was pickled keeps the time that it was then."""
    given = getattr(sandbox, name)()
    sandbox.advance(1000)
    twins = copy.deepcopy(given), pickle.loads(pickle.dumps(given))
    tokens = [getattr(twin, "auth", twin).get_token for twin in twins]
    first = [token() for token in tokens]
    sandbox.advance(3600)
    assert [token() == old for token, old in zip(tokens, first)] == [False, True]


def test_nothing_lasts_for_ever(sandbox):
    """What no clock and no answer can say is refused when it is asked for; a session need not end."""
    assert Sandbox(session_idle=float("inf"))
    for ask in (lambda ever: Sandbox(token_life=ever), sandbox.advance, partial(sandbox.slow, "api")):
        with pytest.raises(ValueError, match=r"finite|only goes forward|0 seconds or more"):
            ask(float("inf"))
