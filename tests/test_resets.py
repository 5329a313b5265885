"""What a reset, a revocation or a logout ends does not come back, and two users are never mixed up."""

from concurrent.futures import wait

import pytest

from requests_thingspace import FileTokenCache, LoginRefusedError, OAuthToken

from .threads import Gate, stopping_at

WAIT = 10  # seconds that a broken test takes to end


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
    return GatedCache(tmp_path / "tokens.json")


@pytest.fixture
def during_login(cache, beside):
    """A function that resets an auth with other credentials while its login waits for the cache's lock."""

    def during_login(mine, **credentials):
        mine.get_token()
        cache.gate = gate = Gate()
        login = beside(mine.get_session_token)
        gate.reached()
        mine.reset(**credentials)
        gate.open()
        wait([login], WAIT)

    return during_login


def test_a_waiting_login_does_not_become_the_next_users(sandbox, auth, cache, during_login):
    """Bob's reset comes while Alice's login waits for the cache's lock: her key never holds his session."""
    alice = {"username": "alice", "password": "the-password-of-alice"}
    mine = auth(cache=cache, **alice)
    during_login(mine, username=sandbox.username, password=sandbox.password)
    with pytest.raises(LoginRefusedError):
        auth(cache=cache, **alice).get_session_token()
    assert mine.get_session_token()


def test_the_next_users_wrong_password_is_not_the_waiting_users_refusal(sandbox, auth, cache, during_login):
    """Bob's wrong password is Bob's: Alice logs in with hers."""
    mine = auth(cache=cache)
    during_login(mine, username="bob", password="the-password-but-wrong")
    again = auth(cache=cache)
    assert again.get_session_token()
    with pytest.raises(LoginRefusedError):
        mine.get_session_token()
    assert again.get_session_token()
    assert not sandbox.locked


def test_a_request_of_one_user_never_goes_out_as_another(sandbox, connect, account, beside):
    """A request that was refused before the reset is not sent again with the next user's session."""
    gate, seen = Gate(), []
    alice = {"username": "alice", "password": "the-password-of-alice", "session_token": "x"}
    session = connect(token_provider=stopping_at(gate), **alice)
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
def test_no_call_is_lost_when_the_user_is_reset_under_load(sandbox, warm, account, under_load, same):
    """The same user, or another one that is the right one, while threads go on calling."""
    session, auth = warm()
    credentials = {} if same else {"username": sandbox.username, "password": sandbox.password}

    def happening():
        for _ in range(3):
            auth.reset(**credentials)
            session.get(account)

    assert under_load(lambda: session.get(account), happening) == {200}


@pytest.mark.parametrize("end", ["revoke", "reset"])
def test_a_token_that_was_ended_during_its_renewal_does_not_come_back(sandbox, warm, echo, beside, end):
    """The answer that was under way reaches its caller at most; the next request has another token."""
    session, auth = warm(token_provider=stopping_at(gate := Gate(), fetched=True))
    ended = auth.token
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
    assert sandbox.calls["login"] == 2


def test_a_token_that_was_set_during_a_renewal_stays(auth, beside):
    """What the caller sets wins over what was under way."""
    mine = auth(token_provider=stopping_at(gate := Gate(), first=True))
    renewal = beside(mine.get_token)
    gate.reached()
    mine.token = OAuthToken("set-by-hand")
    gate.open()
    wait([renewal], WAIT)
    assert mine.get_token().access_token == "set-by-hand"


def test_a_logout_replaces_a_bearer_that_died(sandbox, auth, spent):
    """The 401 speaks of the bearer; the session is ended with another one."""
    mine = auth()
    mine.get_session_token()
    sandbox.revoke_tokens()
    mine.logout()
    assert (sandbox.answers["logout", 401], sandbox.answers["logout", 200]) == (1, 1)
    assert spent() == (2, 1)


@pytest.mark.parametrize("end", ["revoke", "logout", "reset"])
def test_it_may_be_done_inside_a_provider(sandbox, auth, beside, end):
    """The very thread that renews does not wait for itself."""
    mine = None

    def provide(last, manager):
        if last is not None:
            getattr(mine, end)()
        return manager.fetch_token()

    mine = auth(token_provider=provide, timeout=5.0)
    mine.get_token()
    sandbox.advance(3600)
    assert beside(mine.get_token).result(WAIT)
    assert mine.get_token()
