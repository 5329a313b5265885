"""What a reset, a revocation or a logout ends does not come back, and two users are never mixed up."""

import threading
from concurrent.futures import ThreadPoolExecutor, wait

import pytest
import requests

from requests_thingspace import FileTokenCache, LoginRefusedError, OAuthToken, ThingspaceAuth

WAIT = 10  # seconds that a broken test takes to end


class Gate:
    """A place where a thread waits until the test lets it go on."""

    def __init__(self):
        self._arrived, self._open = threading.Event(), threading.Event()

    def stop(self):
        """Wait here, in the thread that is to be held up."""
        self._arrived.set()
        assert self._open.wait(WAIT)

    def reached(self):
        """Wait until a thread stands here."""
        assert self._arrived.wait(WAIT)

    def open(self):
        """Let it go on."""
        self._open.set()


class GatedCache(FileTokenCache):
    """A file cache whose lock, once `gate` is set, is not had before the test says so."""

    gate = None

    def lock(self, key):
        """Wait at the gate first, as for another process."""
        gate, self.gate = self.gate, None
        if gate is not None:
            gate.stop()
        return super().lock(key)


@pytest.fixture
def cache(tmp_path):
    """A cache in a file, with a gate before its lock."""
    return GatedCache(tmp_path / "tokens.json")


@pytest.fixture
def beside():
    """A function that runs work in a thread beside the test."""
    with ThreadPoolExecutor(4) as pool:
        yield pool.submit


def calls(sandbox, *names):
    """How many calls these endpoints have received."""
    return {name: sandbox.calls[name] for name in names}


# Two users


def test_a_waiting_login_does_not_become_the_next_users(sandbox, auth, cache, beside):
    """Bob's reset comes while Alice's login waits for the cache's lock: her key never holds his session."""
    alice = {"username": "alice", "password": "the-password-of-alice"}
    mine = auth(cache=cache, **alice)
    mine.get_token()
    cache.gate = gate = Gate()
    login = beside(mine.get_session_token)
    gate.reached()
    mine.reset(username=sandbox.username, password=sandbox.password)
    gate.open()
    wait([login], WAIT)
    with pytest.raises(LoginRefusedError):
        auth(cache=cache, **alice).get_session_token()
    assert mine.get_session_token()


def test_the_next_users_wrong_password_is_not_the_waiting_users_refusal(sandbox, auth, cache, beside):
    """Bob's wrong password is Bob's: Alice logs in with hers."""
    mine = auth(cache=cache)
    mine.get_token()
    cache.gate = gate = Gate()
    login = beside(mine.get_session_token)
    gate.reached()
    mine.reset(username="bob", password="the-password-but-wrong")
    gate.open()
    wait([login], WAIT)
    again = auth(cache=cache)
    assert again.get_session_token()
    with pytest.raises(LoginRefusedError):
        mine.get_session_token()
    assert again.get_session_token()
    assert not sandbox.locked


def test_a_request_of_one_user_never_goes_out_as_another(sandbox, connect, account, beside):
    """A request that was refused before the reset is not sent again with the next user's session."""
    gate, seen = Gate(), []

    def provide(last, manager):
        if last is not None:
            gate.stop()
        return manager.fetch_token()

    session = connect(
        username="alice", password="the-password-of-alice", session_token="x", token_provider=provide
    )
    auth = session.auth or session.get_adapter(account).auth
    auth.get_token()
    sandbox.revoke_tokens()
    hooks = {"response": lambda answer, **_: seen.append(answer.request.headers["VZ-M2M-Token"])}
    call = beside(lambda: session.get(account, hooks=hooks))
    gate.reached()
    auth.reset(username=sandbox.username, password=sandbox.password)
    gate.open()
    wait([call], WAIT)
    assert set(seen) <= {"x"}
    assert session.get(account).status_code == 200


@pytest.mark.parametrize("same", [True, False])
def test_no_call_is_lost_when_the_user_is_reset_under_load(sandbox, connect, account, under_load, same):
    """The same user, or another one that is the right one, while threads go on calling."""
    session = connect()
    auth = session.auth or session.get_adapter(account).auth
    session.get(account)

    def happening():
        for _ in range(10):
            auth.reset(**({} if same else {"username": sandbox.username, "password": sandbox.password}))
            session.get(account)

    assert under_load(lambda: session.get(account), happening) == {200}


# During a renewal


@pytest.mark.parametrize("end", ["revoke", "reset"])
def test_a_token_that_was_ended_during_its_renewal_does_not_come_back(sandbox, connect, echo, beside, end):
    """The answer that was under way reaches its caller at most; the next request has another token."""
    gate = Gate()
    gates = [gate]

    def provide(last, manager):
        token = manager.fetch_token()
        if last is not None and gates:
            gates.pop().stop()
        return token

    session = connect(username=None, password=None, token_provider=provide)
    auth = session.auth or session.get_adapter(echo).auth
    ended = auth.get_token()
    sandbox.advance(3590)
    renewal = beside(auth.get_token)
    gate.reached()
    getattr(auth, end)()
    sandbox.revoke_tokens()
    gate.open()
    wait([renewal], WAIT)
    answer = session.get(echo)
    assert answer.status_code == 200
    assert answer.request.headers["Authorization"] != ended.authorization
    assert sandbox.answers["api", 401] == 0
    assert auth.token.access_token != ended.access_token


@pytest.mark.parametrize("end", ["logout", "reset"])
def test_a_session_that_was_ended_during_its_login_does_not_stay(sandbox, auth, account, beside, end):
    """Whoever asks next logs in anew."""
    mine = auth()
    mine.get_token()
    sandbox.slow("login", 0.3)
    login = beside(mine.get_session_token)
    assert sandbox.wait_for_calls("login", 1)
    getattr(mine, end)()
    sandbox.slow("login", 0)
    given = login.result(WAIT)
    assert mine.session_token is None
    assert mine.get_session_token() != given
    assert calls(sandbox, "login") == {"login": 2}


def test_a_token_that_was_set_during_a_renewal_stays(sandbox, auth, beside):
    """What the caller sets wins over what was under way."""
    gate = Gate()

    def provide(_, manager):
        gate.stop()
        return manager.fetch_token()

    mine = auth(token_provider=provide)
    renewal = beside(mine.get_token)
    gate.reached()
    mine.token = OAuthToken("set-by-hand")
    gate.open()
    wait([renewal], WAIT)
    assert mine.get_token().access_token == "set-by-hand"


# Logout and revoke


def test_a_logout_replaces_a_bearer_that_died(sandbox, auth):
    """The 401 speaks of the bearer; the session is ended with another one."""
    mine = auth()
    session_token = mine.get_session_token().session_token
    sandbox.revoke_tokens()
    mine.logout()
    assert (sandbox.answers["logout", 401], sandbox.answers["logout", 200]) == (1, 1)
    answer = requests.get(
        f"{sandbox.origin}/api/m2m/v1/accounts/{sandbox.account}",
        headers={"Authorization": mine.get_token().authorization, "VZ-M2M-Token": session_token},
        verify=sandbox.ca_file,
    )
    assert answer.status_code == 400
    assert calls(sandbox, "token", "login") == {"token": 2, "login": 1}


def test_an_auth_is_no_context_manager():
    """The end of a copy's block would end the session of the original."""
    assert not hasattr(ThingspaceAuth, "__enter__")
    assert not hasattr(ThingspaceAuth, "__exit__")


@pytest.mark.parametrize("end", ["revoke", "logout", "reset"])
def test_it_may_be_done_inside_a_provider(sandbox, auth, end):
    """The very thread that renews does not wait for itself."""
    mine = None

    def provide(last, manager):
        if last is not None:
            getattr(mine, end)()
        return manager.fetch_token()

    mine = auth(token_provider=provide, timeout=5.0)
    mine.get_token()
    sandbox.advance(3600)
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(mine.get_token).result(WAIT)
    assert mine.get_token()
