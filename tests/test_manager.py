"""One renewal at a time, shared by all, and never a token call for each API call."""

import logging
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from requests_thingspace import (
    Clock,
    InvalidTokenError,
    OAuthToken,
    SessionToken,
    ThingspaceError,
    TokenManager,
    TokenRequestError,
)
from requests_thingspace._endpoints.exchange import Transport
from requests_thingspace._events import Events
from requests_thingspace._manager import COOL_DOWN, LONGEST_COOL_DOWN
from requests_thingspace._values import Secret

from .clocks import FakeClock
from .endpoints.clients import manager_of
from .threads import in_threads

ROUTE = Transport()


class Endpoint:
    """A token endpoint in memory, which gives tokens as ThingSpace does: the same one for an hour."""

    def __init__(self, hands: FakeClock):
        self.hands = hands
        self.calls = 0
        self.life = 3600.0
        self.failure: Exception | None = None
        self.routes: list[Transport | None] = []
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
    return FakeClock()


@pytest.fixture
def endpoint(hands):
    """A token endpoint in memory."""
    return Endpoint(hands)


@pytest.fixture
def make(endpoint, hands):
    """A function that makes a manager of the endpoint."""

    def make(**arguments):
        arguments = {"identity": ("one",), **arguments}
        events = Events(None, hands.clock.wall)
        return TokenManager(
            OAuthToken, endpoint, fingerprint=str, events=events, clock=hands.clock, **arguments
        )

    return make


def value(token):
    """The number of the endpoint's token."""
    return int(token.access_token.rsplit("-", 1)[1])


def test_a_usable_token_costs_no_call_and_no_lock(make, endpoint, monkeypatch):
    """The fast path takes none."""
    manager = make()
    manager.get(ROUTE)
    with monkeypatch.context() as patched:
        patched.setattr(threading, "Lock", None)
        assert value(manager.get(ROUTE)) == 1
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


def test_who_comes_second_uses_what_the_first_one_fetched(endpoint, hands):
    """Two find no token at the same time: one of them fetches it."""
    others = []

    def wall():
        if others:
            others.pop()()
        return hands.wall

    manager = manager_of(endpoint, clock=Clock(wall=wall, monotonic=lambda: hands.monotonic))
    others.append(lambda: manager.get(ROUTE))
    assert value(manager.get(ROUTE)) == 1
    assert endpoint.calls == 1


def test_a_login_waits_for_the_token_that_another_thread_renews(endpoint, hands):
    """Who waits inside a renewal of its own waits too."""
    endpoint.gate = threading.Event()

    def hear(event):
        if event.name == "renewal_awaited":
            endpoint.gate.set()

    of = {"identity": ("one",), "fingerprint": str, "clock": hands.clock}
    bearers = TokenManager(OAuthToken, endpoint, events=Events(hear, hands.clock.wall), **of)
    sessions = TokenManager(
        SessionToken, lambda _: SessionToken(bearers.get().value), events=Events(None, hands.clock.wall), **of
    )
    with ThreadPoolExecutor(1) as pool:
        renewing = pool.submit(bearers.get)
        assert endpoint.entered.wait(10)
        assert sessions.get().session_token == renewing.result(10).value
    assert endpoint.calls == 1


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
    assert [r.levelname for r in caplog.records if "failed" in r.getMessage()] == ["WARNING"]
    assert "TokenRequestError: down, ***" in caplog.text


@pytest.mark.parametrize(
    ("wait", "cool_down"), [(None, COOL_DOWN), (0.5, COOL_DOWN), (10, 10), (3600, LONGEST_COOL_DOWN)]
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


def test_a_token_that_is_no_longer_current_is_not_renewed(make, endpoint):
    """A 401 that speaks of an older token only learns the current one."""
    manager = make()
    manager.get(ROUTE)
    assert value(manager.replace(Secret("an-older-one"), ROUTE)) == 1
    assert value(manager.replace(Secret(None), ROUTE)) == 1
    manager.confirm(Secret("an-older-one"))
    assert manager.active.confirmed_until < 0
    assert endpoint.calls == 1


def test_a_token_that_the_endpoint_insists_on_is_left_alone_for_a_minute(make, endpoint, hands):
    """The 401 was about something else: the caller gets it, and it costs one token call a minute."""
    manager = make()
    first = manager.get(ROUTE)
    assert [manager.replace(Secret(first.value), ROUTE) for _ in range(100)] == [None] * 100
    assert endpoint.calls == 2
    assert manager.get(ROUTE) == first
    hands.advance(60)
    assert manager.replace(Secret(first.value), ROUTE) is None
    assert endpoint.calls == 3


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
        replacing = pool.submit(manager.replace, first.secret, ROUTE)
        while not manager.active.rejected:
            assert not replacing.done()
        endpoint.revoke()
        endpoint.gate.set()
        assert value(soft.result(10)) == value(replacing.result(10)) == 2
    assert endpoint.calls == 3


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
    route = Transport()
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
    assert value(manager.replace(Secret("preset"), ROUTE)) == 1


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
    with pytest.raises(ThingspaceError, match="the very token being renewed"):
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


def test_a_token_without_expiry_is_used_and_warned_of_once(hands, caplog):
    """Until the server says otherwise; one line in the log."""
    numbers = iter(range(10))
    manager = manager_of(lambda _: OAuthToken(f"number-{next(numbers)}"), clock=hands.clock)
    first = manager.get(ROUTE)
    hands.advance(10**9)
    assert manager.get(ROUTE) is first
    manager.replace(Secret(first.value), ROUTE)
    assert caplog.text.count("no known expiry") == 1


def test_forgetting_starts_anew(make, endpoint):
    """No token and no cool-down are left."""
    manager = make()
    manager.get(ROUTE)
    manager.forget()
    assert manager.active is None
    endpoint.failure = TokenRequestError("down")
    with pytest.raises(TokenRequestError):
        manager.get(ROUTE)
    manager.forget()
    endpoint.failure = None
    assert value(manager.get(ROUTE)) == 1
    assert value(manager.active.token) == 1


def test_cache_keys_tell_clients_and_kinds_apart_and_nothing_else(make, endpoint):
    """A hash, equal for the same client, different for every other and for the other kind."""
    keys = {
        make(identity=("a", "b")).cache_key,
        make(identity=("ab", "")).cache_key,
        make(identity=("a", "c")).cache_key,
        TokenManager(
            SessionToken, endpoint, identity=("a", "b"), fingerprint=str, events=Events(None, float)
        ).cache_key,
    }
    assert len(keys) == 4
    assert make(identity=("a", "b")).cache_key in keys
    assert all(len(key) == 64 for key in keys)


def test_repr_tells_no_token():
    """Which kind, nothing else."""
    manager = manager_of(None, OAuthToken("the-client-secret"))
    assert repr(manager) == "<TokenManager of the token>"


def test_what_a_fetch_outside_of_a_renewal_raises_comes_through():
    """A program that asks the manager itself hears what happened."""

    def fetch(_):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        manager_of(fetch).fetch_token()
