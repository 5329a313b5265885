"""One renewal at a time, shared by all, and never a token call for each API call."""

import copy
import logging
import pickle
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from requests_thingspace import (
    InvalidTokenError,
    OAuthToken,
    SessionToken,
    ThingspaceError,
    TokenManager,
    TokenRequestError,
)
from requests_thingspace._manager import COOL_DOWN, LONGEST_COOL_DOWN
from requests_thingspace._wire import Route

from .clocks import Hands
from .threads import in_threads

ROUTE = Route()


class Endpoint:
    """A token endpoint in memory, which gives tokens as ThingSpace does: the same one for an hour."""

    def __init__(self, hands: Hands):
        self.hands = hands
        self.calls = 0
        self.life = 3600.0
        self.failure: Exception | None = None
        self.routes: list[Route | None] = []
        self.gate: threading.Event | None = None
        self.entered = threading.Event()
        self._number = 0
        self._until = 0.0

    def revoke(self):
        """The next call gives a new token."""
        self._until = 0.0

    def __call__(self, route):
        """Give the token of this hour; the answer is settled before it waits at the gate."""
        self.calls += 1
        self.routes.append(route)
        if self.hands.wall >= self._until and self.failure is None:
            self._number, self._until = self._number + 1, self.hands.wall + self.life
        failure, token = self.failure, OAuthToken(f"the-client-secret-{self._number}", expires_at=self._until)
        self.entered.set()
        if self.gate is not None:
            assert self.gate.wait(10)
        if failure is not None:
            raise failure
        return token


@pytest.fixture
def hands():
    """Clocks that stand still."""
    return Hands()


@pytest.fixture
def endpoint(hands):
    """A token endpoint in memory."""
    return Endpoint(hands)


@pytest.fixture
def make(endpoint, hands):
    """A function that makes a manager of the endpoint."""

    def make(**arguments):
        return TokenManager(OAuthToken, endpoint, clock=hands.clock, **arguments)

    return make


def value(token):
    """The number of the endpoint's token."""
    return int(token.access_token.rsplit("-", 1)[1])


def test_a_usable_token_costs_no_call_and_no_lock(make, endpoint):
    """The fast path works though the lock is held by somebody else."""
    manager = make()
    manager.get(ROUTE)
    with manager._lock:
        assert value(manager.get(ROUTE)) == 1
    assert endpoint.calls == 1


def test_many_threads_without_a_token_make_one_call(make, endpoint):
    """64 threads, one token call, all get the token."""
    manager = make()
    assert {value(token) for token in in_threads(64, lambda: manager.get(ROUTE))} == {1}
    assert endpoint.calls == 1


def test_many_threads_share_a_failure(make, endpoint):
    """64 threads and a dead endpoint: one call, each caller gets an error object of its own."""
    manager, endpoint.failure = make(), TokenRequestError("down", status=503, retryable=True)
    errors = in_threads(64, lambda: manager.get(ROUTE))
    assert endpoint.calls == 1
    assert {(type(error), str(error), error.status) for error in errors} == {(TokenRequestError, "down", 503)}
    assert len({id(error) for error in errors}) == 64


def test_a_due_token_is_used_while_another_thread_renews_it(make, endpoint, hands):
    """Nobody waits for a renewal that is only due."""
    manager = make()
    first = manager.get(ROUTE)
    hands.advance(3550)
    endpoint.gate = threading.Event()
    endpoint.entered.clear()
    endpoint.revoke()
    with ThreadPoolExecutor(1) as pool:
        renewing = pool.submit(manager.get, ROUTE)
        assert endpoint.entered.wait(10)
        assert manager.get(ROUTE) is first
        endpoint.gate.set()
        assert value(renewing.result(10)) == 2


def test_the_last_minute_costs_one_call_and_the_next_hour_one_more(make, endpoint, hands):
    """ThingSpace gives the same token until it expires: 1,000 calls inside the skew, one token call."""
    manager = make()
    manager.get(ROUTE)
    hands.advance(3545)
    assert {value(manager.get(ROUTE)) for _ in range(1000)} == {1}
    assert endpoint.calls == 2
    hands.advance(55)
    assert value(manager.get(ROUTE)) == 2
    assert endpoint.calls == 3


@pytest.mark.parametrize("life", [0.0001, 30, 59.9, 60])
def test_no_lifetime_makes_a_call_per_call(make, endpoint, life):
    """A skew larger than the whole life is the normal case at ThingSpace, not an error."""
    manager, endpoint.life = make(), life
    for _ in range(100):
        manager.get(ROUTE)
    assert endpoint.calls <= 2


@pytest.mark.parametrize("step", [-86400, -3600, 3599, 86400])
def test_a_clock_that_is_set_costs_at_most_one_call(make, endpoint, hands, step):
    """NTP sets the wall clock back or forth; the token calls stay bounded."""
    manager = make()
    manager.get(ROUTE)
    hands.wall += step
    for _ in range(100):
        manager.get(ROUTE)
    assert endpoint.calls <= 2


def test_a_wall_clock_set_back_keeps_no_dead_token_alive(make, endpoint, hands):
    """The monotonic clock says that the hour is over."""
    manager = make()
    manager.get(ROUTE)
    hands.wall -= 86400
    hands.monotonic += 3600
    endpoint.revoke()
    assert value(manager.get(ROUTE)) == 2


def test_a_failed_renewal_keeps_a_usable_token(make, endpoint, hands, caplog):
    """The failure is a warning, the token so far is used, and the endpoint gets its rest."""
    manager = make()
    first = manager.get(ROUTE)
    hands.advance(3550)
    endpoint.failure = TokenRequestError(f"down, {first.access_token}")
    with caplog.at_level(logging.WARNING):
        assert [manager.get(ROUTE) for _ in range(10)] == [first] * 10
    assert endpoint.calls == 2
    assert [r.levelname for r in caplog.records] == ["WARNING"]
    assert "TokenRequestError: down, ***" in caplog.text


@pytest.mark.parametrize(
    ("wait", "cool_down"),
    [(None, COOL_DOWN), (0.5, COOL_DOWN), (10, 10), (3600, LONGEST_COOL_DOWN)],
)
def test_no_attempt_is_made_in_the_cool_down(make, endpoint, hands, wait, cool_down):
    """2 s after a failure, or as long as the server asks, but never more than a minute."""
    manager, endpoint.failure = make(), TokenRequestError("down", retry_after=wait)
    for _ in range(3):
        with pytest.raises(TokenRequestError, match="down"):
            manager.get(ROUTE)
        hands.advance((cool_down - 0.001) / 3)
    assert endpoint.calls == 1
    hands.advance(0.002)
    endpoint.failure = None
    assert value(manager.get(ROUTE)) == 1


def test_an_error_raised_again_does_not_grow(make, endpoint):
    """A thousand callers in the cool-down get the error with a traceback of their own."""
    manager, endpoint.failure = make(), TokenRequestError("down")
    for _ in range(1000):
        with pytest.raises(TokenRequestError) as caught:
            manager.get(ROUTE)
    assert len(caught.traceback) < 10


def test_a_rejected_token_is_renewed_once_for_all(make, endpoint):
    """50 parallel 401s for one revoked token: one renewal."""
    manager = make()
    first = manager.get(ROUTE)
    endpoint.revoke()
    tokens = in_threads(50, lambda: manager.replace(first.value, ROUTE))
    assert {value(token) for token in tokens} == {2}
    assert endpoint.calls == 2


def test_a_token_that_is_no_longer_current_is_not_renewed(make, endpoint):
    """A 401 that speaks of an older token only learns the current one."""
    manager = make()
    manager.get(ROUTE)
    assert value(manager.replace("an-older-one", ROUTE)) == 1
    assert value(manager.replace(None, ROUTE)) == 1
    assert endpoint.calls == 1


def test_a_token_that_the_endpoint_insists_on_is_left_alone_for_a_minute(make, endpoint, hands):
    """The 401 was about something else: the caller gets it, and it costs one token call a minute."""
    manager = make()
    first = manager.get(ROUTE)
    assert [manager.replace(first.value, ROUTE) for _ in range(100)] == [None] * 100
    assert endpoint.calls == 2
    assert manager.get(ROUTE) == first
    hands.advance(60)
    assert manager.replace(first.value, ROUTE) is None
    assert endpoint.calls == 3


def test_a_new_token_that_was_refused_too_is_left_alone_for_a_minute(make, endpoint):
    """A server that refuses every token gets no token call for each API call."""
    manager = make()
    manager.get(ROUTE)
    manager.vouch_for("another one")
    manager.vouch_for("the-client-secret-1")
    endpoint.revoke()
    assert manager.replace("the-client-secret-1", ROUTE) is None
    assert endpoint.calls == 1


def test_a_token_rejected_while_it_is_renewed_is_asked_for_again(make, endpoint, hands):
    """The renewal began before the rejection: the same token as its answer proves nothing."""
    manager = make()
    first = manager.get(ROUTE)
    hands.advance(3550)
    endpoint.gate = threading.Event()
    endpoint.entered.clear()
    with ThreadPoolExecutor(2) as pool:
        soft = pool.submit(manager.get, ROUTE)
        assert endpoint.entered.wait(10)
        replacing = pool.submit(manager.replace, first.value, ROUTE)
        while not manager._held.rejected:
            assert not replacing.done()
        endpoint.revoke()
        endpoint.gate.set()
        assert soft.result(10) == first
        assert value(replacing.result(10)) == 2
    assert endpoint.calls == 3


def test_a_failed_renewal_of_a_rejected_token_is_an_error(make, endpoint):
    """There is nothing usable to go on with."""
    manager = make()
    first = manager.get(ROUTE)
    endpoint.failure = TokenRequestError("down")
    with pytest.raises(TokenRequestError, match="down"):
        manager.replace(first.value, ROUTE)


def test_an_interrupted_renewal_is_done_by_a_waiting_caller(make, endpoint):
    """Ctrl-C in one thread is that thread's alone."""
    manager = make()
    endpoint.gate = threading.Event()
    endpoint.failure = KeyboardInterrupt()
    with ThreadPoolExecutor(2) as pool:
        interrupted = pool.submit(manager.get, ROUTE)
        assert endpoint.entered.wait(10)
        endpoint.failure = None
        waiting = pool.submit(manager.get, ROUTE)
        endpoint.gate.set()
        with pytest.raises(KeyboardInterrupt):
            interrupted.result(10)
        assert value(waiting.result(10)) == 1


def test_a_provider_is_asked_first(make, endpoint):
    """It gets the last token and the manager, in the caller's thread: it may hold a sqlite connection."""
    database = sqlite3.connect(":memory:")
    asked = []

    def provider(last_token, manager):
        asked.append((last_token, manager))
        database.execute("select 1")
        return {"access_token": "the-password-stored", "expires_in": 3600}

    manager = make(provider=provider)
    assert manager.get(ROUTE).access_token == "the-password-stored"
    assert asked == [(None, manager)]
    assert endpoint.calls == 0
    database.close()


def test_a_provider_may_ask_the_endpoint(make, endpoint):
    """`manager.fetch_token()` asks ThingSpace by the route of the caller; the outcome is adopted once."""
    told = []
    manager = make(provider=lambda last, manager: manager.fetch_token(), on_token_update=told.append)
    route = Route()
    assert manager.get(route) is told[0]
    assert endpoint.routes == [route]
    assert endpoint.routes[0] is route
    manager.fetch_token()
    assert endpoint.routes[1] is None


@pytest.mark.parametrize("offer", ["nothing", "expired", "rejected"])
def test_a_provider_with_nothing_to_offer_is_passed_over(make, endpoint, hands, offer):
    """None, an expired and the just-rejected token: the manager fetches."""
    offers = {
        "nothing": None,
        "expired": OAuthToken("old", expires_at=hands.wall),
        "rejected": OAuthToken("preset"),
    }
    manager = make(provider=lambda *_: offers[offer], token=OAuthToken("preset"))
    assert value(manager.replace("preset", ROUTE)) == 1


@pytest.mark.parametrize(
    "offered", ["a bare string", 7, {"access_token": "cr\rlf"}, {"token_type": "Bearer"}]
)
def test_what_a_provider_cannot_mean_is_an_error(make, offered):
    """The message says that it was the provider, and what to give."""
    manager = make(provider=lambda *_: offered)
    with pytest.raises(InvalidTokenError, match="the token provider gave no usable token"):
        manager.get(ROUTE)


def test_a_providers_errors_reach_the_caller_unchanged(make):
    """The very object that it raised."""
    problem = LookupError("no database")

    def provider(last_token, manager):
        raise problem

    with pytest.raises(LookupError) as caught:
        make(provider=provider).get(ROUTE)
    assert caught.value is problem


def test_a_provider_that_calls_itself_gets_an_error(make):
    """It would wait for itself for ever."""
    manager = make(provider=lambda *_: manager.get(ROUTE))
    with pytest.raises(ThingspaceError, match="the very token it is asked for"):
        manager.get(ROUTE)


def test_the_update_callback_hears_of_each_token_once(make, endpoint, hands):
    """Once for a token that becomes current, after it is in place, in the renewing thread."""
    told = []

    def on_token_update(token):
        told.append((token, threading.get_ident()))
        assert manager.get(ROUTE) is token

    manager = make(on_token_update=on_token_update)
    first = manager.get(ROUTE)
    hands.advance(3550)
    assert manager.get(ROUTE) == first
    hands.advance(50)
    second = manager.get(ROUTE)
    manager.forget()
    manager.get(ROUTE)
    assert told == [(first, threading.get_ident()), (second, threading.get_ident())]


def test_the_update_callback_does_not_hear_of_a_preset_token(make, endpoint, hands):
    """The user knows it already, also when the endpoint gives it again."""
    told = []
    endpoint.life = 100
    manager = make(token=endpoint(None), on_token_update=told.append)
    hands.advance(50)
    manager.get(ROUTE)
    assert endpoint.calls == 2
    assert told == []


@pytest.mark.parametrize("message", ["no database", "no database for {token}"])
def test_a_failing_update_callback_costs_nothing(make, caplog, message):
    """The error is logged with its traceback, without the token, and the call goes on."""

    def on_token_update(token):
        raise OSError(message.format(token=token.access_token))

    token = make(on_token_update=on_token_update).get(ROUTE)
    assert "Traceback" in caplog.text
    assert "OSError: no database" in caplog.text
    assert token.access_token not in caplog.text


def test_a_token_without_expiry_is_used_and_warned_of_once(hands, caplog):
    """Until the server says otherwise; one line in the log."""
    numbers = iter(range(10))
    manager = TokenManager(OAuthToken, lambda _: OAuthToken(f"number-{next(numbers)}"), clock=hands.clock)
    first = manager.get(ROUTE)
    hands.advance(10**9)
    assert manager.get(ROUTE) is first
    manager.replace(first.value, ROUTE)
    assert caplog.text.count("no known expiry") == 1


def test_a_session_token_is_not_warned_of(hands, caplog):
    """It never has an expiry."""
    TokenManager(SessionToken, lambda _: SessionToken("guid"), clock=hands.clock).get(ROUTE)
    assert caplog.text == ""


def test_forgetting_starts_anew(make, endpoint):
    """No token and no cool-down are left."""
    manager = make()
    manager.get(ROUTE)
    manager.forget()
    assert manager.current is None
    endpoint.failure = TokenRequestError("down")
    with pytest.raises(TokenRequestError):
        manager.get(ROUTE)
    manager.forget()
    endpoint.failure = None
    assert value(manager.get(ROUTE)) == 1
    assert value(manager.current) == 1


def test_held_since_is_when_the_token_came(make, hands):
    """The present where there is none."""
    manager = make()
    assert manager.held_since() == hands.clock.now()
    manager.get(ROUTE)
    came = hands.clock.now()
    hands.advance(10)
    assert manager.held_since() == came


def test_cache_keys_tell_clients_and_kinds_apart_and_nothing_else(make, endpoint):
    """A hash, equal for the same client, different for every other and for the other kind."""
    keys = {
        make(identity=("a", "b")).cache_key,
        make(identity=("ab", "")).cache_key,
        make(identity=("a", "c")).cache_key,
        TokenManager(SessionToken, endpoint, identity=("a", "b")).cache_key,
    }
    assert len(keys) == 4
    assert make(identity=("a", "b")).cache_key in keys
    assert all(len(key) == 64 for key in keys)


def fetch_for_pickle(route):
    """A fetch that pickle finds by its name."""
    return OAuthToken("after pickling".replace(" ", "-"))


@pytest.mark.parametrize("twin", [copy.copy, copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_a_copy_works_on_its_own(twin):
    """It has the token but not the lock, a renewal or a failure of the original."""
    original = TokenManager(OAuthToken, fetch_for_pickle, token=OAuthToken("preset"))
    with original._lock:
        other = twin(original)
        assert other.get(ROUTE).access_token == "preset"
        assert other.replace("preset", ROUTE).access_token == "after-pickling"
    assert original.get(ROUTE).access_token == "preset"


def test_a_rejected_token_is_not_copied(make, endpoint):
    """The copy asks for its own."""
    original = TokenManager(OAuthToken, fetch_for_pickle, token=OAuthToken("preset"))
    original._held = original._held.spurned()
    assert copy.copy(original).current is None


def test_repr_tells_no_token():
    """Which kind, nothing else."""
    manager = TokenManager(OAuthToken, fetch_for_pickle, token=OAuthToken("the-client-secret"))
    assert repr(manager) == "<TokenManager of an OAuthToken>"


def test_errors_of_requests_come_through(make, endpoint):
    """They are shared like any other."""
    manager, endpoint.failure = make(), requests.ConnectionError("refused")
    errors = in_threads(8, lambda: manager.get(ROUTE))
    assert {type(error) for error in errors} == {requests.ConnectionError}
    assert endpoint.calls == 1
