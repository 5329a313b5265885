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
        gate, self.gate = self.gate, None
        if gate is not None:
            gate.stop()
        return super().lock(key)


def reset_during_login(mine, cache, beside, **credentials):
    """Reset an auth with other credentials while its login waits for the cache's lock."""
    mine.get_token()
    cache.gate = gate = Gate()
    login = beside(mine.get_session_token)
    gate.reached()
    mine.reset(**credentials)
    gate.open()
    wait([login], WAIT)


def test_a_waiting_login_does_not_become_the_next_users(sandbox, auth, tmp_path, beside):
    """Bob's reset comes while Alice's login waits for the cache's lock: her key never holds his session."""
    cache = GatedCache(tmp_path / "tokens.json")
    alice = {"username": "alice", "password": "the-password-of-alice", "cache": cache}
    bob = {"username": sandbox.username, "password": sandbox.password}
    mine = auth(**alice)
    reset_during_login(mine, cache, beside, **bob)
    with pytest.raises(LoginRefusedError):
        auth(**alice).get_session_token()
    assert mine.get_session_token()


def test_the_next_users_wrong_password_is_not_the_waiting_users_refusal(sandbox, auth, tmp_path, beside):
    """Bob's wrong password is Bob's: Alice logs in with hers."""
    cache = GatedCache(tmp_path / "tokens.json")
    mine, again = auth(cache=cache), auth(cache=cache)
    reset_during_login(mine, cache, beside, username="bob", password="the-password-but-wrong")
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
    call = beside(session.get, account, hooks=hooks)
    gate.reached()
    auth.reset(username=sandbox.username, password=sandbox.password)
    gate.open()
    wait([call], WAIT)
    assert set(seen) <= {"x"}
    assert session.get(account).status_code == 200


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


@pytest.mark.parametrize("comes", ["before the provider is asked", "while it is asked"])
def test_a_rejection_that_a_reset_has_lost_is_made_again(connect, echo, sandbox, comes):
    """A provider that keeps the rejected token offers it once more, after a reset."""
    asked, old = [], None

    def provider(last_token, manager):
        asked.append(last_token)
        if len(asked) == 2 and comes == "while it is asked":
            mine.reset()
        return old if len(asked) == 2 else None

    def on_event(event):
        if event.name == "token_rejected" and comes == "before the provider is asked":
            mine.reset()

    session = connect(token_provider=provider, on_event=on_event)
    mine = session.auth or session.get_adapter(echo).auth
    assert session.get(echo).status_code == 200
    old = mine.token
    sandbox.revoke_tokens()
    assert session.get(echo).status_code == 200
    assert mine.token != old


@pytest.mark.parametrize("end", ["revoke", "logout", "reset"])
def test_what_is_taken_from_the_cache_before_it_is_cleared_is_dropped(auth, tmp_path, beside, end):
    """Another thread finds the old tokens there when this one has dropped them already."""

    class Cache(FileTokenCache):
        meanwhile = staticmethod(lambda: None)

        def clear(self, key):
            self.meanwhile()
            super().clear(key)

    cache = Cache(tmp_path / "tokens.json")
    mine = auth(cache=cache)
    get = mine.get_token if end == "revoke" else mine.get_session_token
    old = get()
    cache.meanwhile = lambda: beside(get).result(WAIT)
    getattr(mine, end)()
    assert get() != old
