"""One renewal at a time, shared by all, and never a token call for each API call."""

import sqlite3
import threading
from contextlib import closing
from datetime import timedelta
from functools import partial

import pytest
import requests

from requests_thingspace import InvalidTokenError, OAuthToken, ThingspaceAuth, TokenRequestError
from requests_thingspace._manager import COOL_DOWN, LONGEST_COOL_DOWN
from requests_thingspace._values import Secret

from .catalogue import error_of
from .clocks import FakeClock
from .threads import Gate, in_threads, stopping_at


class Provider:
    """It gives tokens as ThingSpace does: the same one until it expires."""

    def __init__(self, hands):
        self.hands, self.life, self.asked, self.error, self.token = hands, 3600.0, 0, None, None

    def __call__(self, *_):
        self.asked += 1
        if self.error is not None:
            raise self.error
        if self.token is None or self.token.is_expired(now=self.hands.wall):
            expires_at = self.hands.wall + self.life
            self.token = OAuthToken(f"the-password-{self.asked}", expires_at=expires_at)
        return self.token


@pytest.fixture
def hands():
    return FakeClock()


@pytest.fixture
def provider(hands):
    return Provider(hands)


@pytest.fixture
def mine(provider, hands):
    return ThingspaceAuth("id", "the-client-secret", token_provider=provider, clock=hands.clock)


def test_a_usable_token_costs_no_call_and_no_lock(mine, provider, monkeypatch):
    """The fast path takes none."""
    first = mine.get_token()
    monkeypatch.setattr(threading, "Lock", None)
    assert mine.get_token() is first
    assert provider.asked == 1


def test_a_token_rejected_while_it_is_renewed_is_asked_for_again(sandbox, warm, echo, beside, spent):
    """The renewal began before the rejection: the same token as its answer proves nothing."""
    session, mine = warm(
        token_provider=stopping_at(gate := Gate(), fetched=True),
        on_event=lambda event: event.name != "renewal_awaited" or gate.open(),
    )
    first = mine.token
    sandbox.advance(3550)
    renewing = beside(mine.get_token)
    gate.reached()
    sandbox.revoke_tokens()
    assert session.get(echo).status_code == 200
    assert renewing.result(10) == mine.token != first
    assert spent()[0] == 3


LIVES = [(0.0001, 0), (59.9, 0), (60, 0), (3600, -86400), (3600, -3600), (3600, 3599), (3600, 86400)]


@pytest.mark.parametrize(("life", "step"), LIVES)
def test_no_lifetime_and_no_clock_makes_a_call_per_call(mine, provider, hands, life, step):
    """A skew larger than the whole life is normal at ThingSpace; NTP sets the wall clock back or forth."""
    provider.life = life
    mine.get_token()
    hands.wall += step
    for _ in range(100):
        mine.get_token()
    assert provider.asked <= 2


COOL_DOWNS = {None: COOL_DOWN, 0.5: COOL_DOWN, 10: 10, 3600: LONGEST_COOL_DOWN}


@pytest.mark.parametrize("wait", COOL_DOWNS)
def test_no_attempt_is_made_in_the_cool_down(mine, provider, hands, caplog, wait):
    """2 s, or as long as the server asks up to a minute; a usable token goes on, with one warning."""
    first = mine.get_token()
    hands.advance(3550)
    provider.error = TokenRequestError(f"down, {first.access_token}", retry_after=wait)
    assert [mine.get_token() for _ in range(10)] == [first] * 10
    hands.advance(60)
    for _ in range(100):
        with pytest.raises(TokenRequestError, match="down") as caught:
            mine.get_token()
        hands.advance((COOL_DOWNS[wait] - 0.001) / 100)
    assert len(caught.traceback) < 10  # an error that is raised again does not grow
    assert provider.asked == 3
    assert [r.levelname for r in caplog.records if "down, ***" in r.getMessage()] == ["WARNING", "INFO"]
    hands.advance(0.002)
    provider.error = None
    assert mine.get_token()


def test_a_token_without_expiry_is_used_and_warned_of_once(sandbox, auth, caplog):
    """Until the server says otherwise; one line in the log."""
    sandbox.fail_next("token", status=200, body={"access_token": "without-expiry"}, times=2)
    mine = auth()
    first = mine.get_token()
    sandbox.advance(10**9)
    assert mine.get_token() is first
    mine.token = None
    mine.get_token()
    assert caplog.text.count("no known expiry") == 1


def test_a_manager_may_be_used_outside_of_a_renewal(sandbox, auth, account, caplog):
    """A provider that kept it can ask ThingSpace, and speak of a token that is not current any more."""
    managers = []
    mine = auth(token_provider=lambda _, manager: managers.append(manager))
    headers = mine.headers(account)
    assert managers[0].fetch_token().access_token == mine.token.access_token
    managers[0].confirm(Secret("an-older-one"))
    sandbox.advance(61)
    sandbox.revoke_tokens()
    assert mine.refused(headers, 401, b"") is True
    sandbox.fail_next("token", status=200, body={"access_token": "without-expiry"})
    managers[0].fetch_token()
    assert "): it has no known expiry" in caplog.text


def test_a_provider_is_asked_first(sandbox, auth, spent):
    """In the caller's thread: it may hold a sqlite connection; it is told of the last token."""
    asked = []
    with closing(sqlite3.connect(":memory:")) as database:

        def provider(last_token, _):
            database.execute("select 1")
            asked.append(last_token)
            return {"access_token": f"stored-{len(asked)}", "expires_in": 3600}

        mine = auth(token_provider=provider)
        first = mine.get_token()
        sandbox.advance(3600)
        assert mine.get_token().access_token == "stored-2"
    assert (asked, spent()) == ([None, first], (0, 0))


@pytest.mark.parametrize("offer", [None, OAuthToken("old", expires_at=0), OAuthToken("preset")])
def test_a_provider_with_nothing_to_offer_is_passed_over(connect, echo, spent, offer):
    """None, an expired and the just-rejected token: ThingSpace is asked."""
    given = {"username": None, "password": None, "token": OAuthToken("preset")}
    assert connect(token_provider=lambda *_: offer, **given).get(echo).status_code == 200
    assert spent()[0] == 1


def test_what_a_provider_cannot_mean_is_an_error(mine, hands):
    """The message says that it was the provider, and what to give."""
    for offered in ("a bare string", 7, {"access_token": "cr\rlf"}):
        mine.token_provider = lambda *_, offered=offered: offered
        with pytest.raises(InvalidTokenError, match="the token provider gave no usable token"):
            mine.get_token()
        hands.advance(COOL_DOWN)


class StrangeError(requests.RequestException):
    """An exception that answers no question without raising another."""

    def __str__(self):
        raise LookupError

    __repr__ = __reduce__ = __copy__ = __str__
    retry_after = property(__str__)


def wishing(retry_after):
    """An exception of a provider's own that says when to ask again, in words that nobody expects."""
    error = OSError("it is down")
    error.retry_after = retry_after
    return error


RETRY_AFTER = ["60", timedelta(minutes=1), float("nan"), float("inf"), -1, 10**400, True, None, lambda: 60]
STRANGE = [*[partial(wishing, value) for value in RETRY_AFTER], StrangeError]
STRANGE += [lambda: requests.ConnectionError(StrangeError())]


@pytest.mark.parametrize("makes", STRANGE, ids=range(len(STRANGE)))
def test_a_strange_exception_of_a_provider_harms_nobody(mine, provider, hands, makes):
    """A usable token goes on; without one each gets the exception as it is, and later all is well."""
    provider.error = makes()
    errors = in_threads(8, mine.get_token)
    assert {type(error) for error in errors} == {type(provider.error)}
    assert any(error is provider.error for error in errors)
    provider.error = None
    hands.advance(61)
    first = mine.get_token()
    provider.error = makes()
    hands.advance(3570)
    assert in_threads(4, mine.get_token) == [first] * 4
    provider.error = None
    hands.advance(70)
    assert mine.get_token() != first


def test_providers_that_ask_for_their_own_or_each_others_token_get_an_error(beside, mine):
    """They would wait for themselves, or for each other, for ever."""
    mine.token_provider = lambda *_: mine.get_token()
    both_renew = threading.Barrier(2)

    def ask(other):
        both_renew.wait(10)
        return other.get_token()

    one = ThingspaceAuth("one", "the-client-secret", token_provider=lambda *_: ask(other))
    other = ThingspaceAuth("other", "the-client-secret", token_provider=lambda *_: ask(one))
    for renewing in [beside(auth.get_token) for auth in (mine, one, other)]:
        assert "the very token being renewed" in str(error_of(lambda renewing=renewing: renewing.result(10)))


def test_the_update_callback_hears_of_each_new_token_once(provider, hands):
    """After it is in place, and neither of a preset one nor of one that a renewal brings again."""
    provider.life, told = 100, []
    first = provider()
    mine = ThingspaceAuth("id", "the-client-secret", token=first, token_provider=provider, clock=hands.clock)
    mine.on_token_update = lambda token: told.append((token, mine.get_token()))
    hands.advance(50)
    assert mine.get_token() == first
    assert (told, provider.asked) == ([], 2)
    hands.advance(50)
    second = mine.get_token()
    mine.reset()
    assert mine.get_token() == second
    assert told == [(second, second)]


def test_tokens_are_told_in_the_order_in_which_they_became_current(sandbox, auth, beside):
    """No renewal begins before the listener has heard of the last one, and holders do not wait for it."""
    told, gates = [], [gate := Gate()]

    def listen(token):
        if gates:
            gates.pop().stop()
        told.append(token)

    mine = auth(on_token_update=listen)
    first = beside(mine.get_token)
    gate.reached()
    held = beside(mine.get_token).result(10)  # usable, and the listener is busy
    sandbox.revoke_tokens()
    sandbox.advance(3600)
    second = beside(mine.get_token)
    assert not sandbox.wait_for_calls("token", 2, timeout=0.3)
    gate.open()
    assert [held, second.result(10)] == told == [first.result(10), mine.token]


def test_cache_keys_tell_clients_and_kinds_apart_and_nothing_else():
    """A hash, equal for the same client, different for every other and for the other kind."""

    def keys(client_id, scopes):
        secrets = {"client_secret": "the-client-secret", "username": "user", "password": "the-password"}
        return ThingspaceAuth(client_id, scopes=scopes, **secrets).cache_keys.values()

    found = [*keys("ab", ""), *keys("a", "b"), *keys("a", "c")]
    assert len(set(found)) == 3 + 1  # the session is the user's, whatever the client
    assert all(len(key) == 64 for key in found)
    assert set(keys("a", "b")) < set(found)
