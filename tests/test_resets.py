"""What a reset, a revocation or a logout ends does not come back, and two users are never mixed up."""

import copy
from concurrent.futures import wait

import pytest
from requests import Timeout

from requests_thingspace import FileTokenCache, LoginRefusedError, ThingspaceAuth

from .threads import Gate, in_threads, stopping_at

WAIT = 10  # seconds that a broken test takes to end


class GatedCache(FileTokenCache):
    """A file cache whose lock, once `gate` is set, is not had before the test says so."""

    gate = None

    def lock(self, key):
        gate, self.gate = self.gate, None
        if gate is not None:
            gate.stop()
        return super().lock(key)


@pytest.fixture
def during(beside):
    """A function that lets something happen while other work waits at a gate in a thread of its own."""

    def during(gate, work, happening):
        working = beside(work)
        gate.reached()
        happening()
        gate.open()
        wait([working], WAIT)

    return during


def test_a_waiting_login_does_not_become_the_next_users(sandbox, auth, tmp_path, during):
    """Bob's reset comes while Alice's login waits for the cache's lock: her key never holds his session."""
    cache = GatedCache(tmp_path / "tokens.json")
    alice = {"username": "alice", "password": "the-password-of-alice", "cache": cache}
    bob = {"username": sandbox.username, "password": sandbox.password}
    mine = auth(**alice)
    mine.get_token()
    cache.gate = gate = Gate()
    during(gate, mine.get_session_token, lambda: mine.reset(**bob))
    with pytest.raises(LoginRefusedError):
        auth(**alice).get_session_token()
    assert mine.get_session_token()


def test_the_next_users_wrong_password_is_not_the_first_ones(sandbox, auth, tmp_path, during):
    """Bob's wrong password is Bob's: Alice logs in with hers."""
    cache = GatedCache(tmp_path / "tokens.json")
    bob = {"username": "bob", "password": "the-password-but-wrong"}
    mine, again = auth(cache=cache), auth(cache=cache)
    mine.get_token()
    cache.gate = gate = Gate()
    during(gate, mine.get_session_token, lambda: mine.reset(**bob))
    assert again.get_session_token()
    with pytest.raises(LoginRefusedError):
        mine.get_session_token()
    assert again.get_session_token()
    assert not sandbox.locked


def test_a_request_of_one_user_never_goes_out_as_another(sandbox, connect, account, during):
    """A request that was refused before the reset is not sent again with the next user's session."""
    gate, seen = Gate(), []
    alice = {"username": "alice", "password": "the-password-of-alice", "session_token": "x"}
    session = connect(token_provider=stopping_at(gate), **alice)
    auth = session.auth or session.get_adapter(account).auth
    auth.get_token()
    sandbox.revoke_tokens()
    hooks = {"response": lambda answer, **_: seen.append(answer.request.headers["VZ-M2M-Token"])}
    bob = {"username": sandbox.username, "password": sandbox.password}
    during(gate, lambda: session.get(account, hooks=hooks), lambda: auth.reset(**bob))
    assert set(seen) <= {"x"}
    assert session.get(account).status_code == 200


ENDS = [ThingspaceAuth.revoke, ThingspaceAuth.reset, lambda auth: setattr(auth, "token", None)]


@pytest.mark.parametrize("end", ENDS, ids=["revoke", "reset", "set"])
def test_a_token_that_was_ended_during_its_renewal_does_not_come_back(sandbox, warm, echo, during, end):
    """The answer that was under way reaches its caller at most; the next request has another token."""
    session, auth = warm(token_provider=stopping_at(gate := Gate(), fetched=True))
    ended = auth.token
    sandbox.advance(3590)
    during(gate, auth.get_token, lambda: (end(auth), sandbox.revoke_tokens()))
    answer = session.get(echo)
    assert answer.status_code == 200
    assert answer.request.headers["Authorization"] != ended.authorization
    assert sandbox.answers["api", 401] == 0
    assert auth.token.access_token != ended.access_token


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


def set_the_same_id(auth):
    auth.client_id = auth.client_id
    return auth


def leave_the_user_for(other):
    def leave(auth):
        user, password = auth.username, auth.password
        auth.username = other
        auth.username, auth.password = user, password
        return auth

    return leave


@pytest.mark.parametrize(
    "meanwhile", [set_the_same_id, leave_the_user_for("bob"), leave_the_user_for(None), copy.deepcopy]
)
@pytest.mark.parametrize("trouble", ["refused", "unanswered"])
def test_no_attribute_and_no_copy_sends_a_login_again(sandbox, monkeypatch, meanwhile, trouble):
    """What ThingSpace said to a user counts for all that an auth becomes, and for copies made before."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", sandbox.ca_file)
    if trouble == "unanswered":
        sandbox.slow("login", 8.0)
    first = ThingspaceAuth(
        sandbox.client_id, sandbox.client_secret, username=sandbox.username, password="the-wrong-one",
        environment=sandbox.environment, timeout=1.0,
    )  # fmt: skip
    for auth in [meanwhile(first) for _ in range(2)]:
        with pytest.raises(LoginRefusedError if trouble == "refused" else Timeout):
            auth.get_session_token()
        meanwhile(auth)
    assert sandbox.calls["login"] == 1


def test_copies_that_log_in_at_once_share_a_login(sandbox, monkeypatch):
    """Who finds a login under way waits for its answer, and has the session too."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", sandbox.ca_file)
    sandbox.slow("login", 0.5)
    first = ThingspaceAuth(
        sandbox.client_id, sandbox.client_secret, username=sandbox.username, password=sandbox.password,
        environment=sandbox.environment,
    )  # fmt: skip
    first.get_token()
    copies = [copy.deepcopy(first) for _ in range(8)]
    assert len(set(in_threads(8, lambda: copies.pop().get_session_token().value))) == 1
    assert sandbox.calls["login"] == 1
