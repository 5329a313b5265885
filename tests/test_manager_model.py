"""Random histories of a TokenManager, checked against a small model of the laws."""

import math
import threading
from concurrent.futures import ThreadPoolExecutor

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from requests_thingspace import OAuthToken, TokenManager, TokenRequestError
from requests_thingspace._held import SHORTEST_USE
from requests_thingspace._manager import COOL_DOWN
from requests_thingspace._wire import Route

from .clocks import Hands

ROUTE = Route()
STEPS = st.sampled_from(
    [-86400.0, -3600.0, -61.0, -1.0, 0.0, 0.5, 1.0, 2.0, 30.0, 61.0, 3540.0, 3600.0, 86400.0]
)


class ThingSpace:
    """The token endpoint: the same token for as long as it lives by the server's own clock."""

    def __init__(self, hands: Hands):
        self.hands = hands
        self.time = 0.0  # the server's clock, which nobody sets
        self.life = 3600.0
        self.fails = False
        self.calls = self.active = self.most_active = 0
        self.number = 0
        self.until = 0.0
        self.refused: set[str] = set()
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Event()
        self.asked: dict[str, tuple[float, float, float | None]] = {}
        self.arrived: dict[str, tuple[float, float]] = {}

    def fetch(self, route: Route | None) -> OAuthToken:
        """What `TokenManager` calls."""
        self.calls += 1
        self.active += 1
        self.most_active = max(self.most_active, self.active)
        wall, monotonic = self.hands.wall, self.hands.monotonic
        if self.time >= self.until:
            self.number, self.until = self.number + 1, self.time + self.life
        fails, value = self.fails, f"token-{self.number}"
        left = None if math.isinf(self.until) else self.until - self.time
        self.entered.set()
        self.gate.wait(30)
        self.active -= 1
        if fails:
            raise TokenRequestError("down", status=503)
        self.asked[value] = (wall, monotonic, left)
        self.arrived[value] = (self.hands.wall, self.hands.monotonic)
        return OAuthToken(value, expires_at=None if left is None else wall + left)

    def revoke(self) -> None:
        """The token is dead, and the next call gives another."""
        self.refused.add(f"token-{self.number}")
        self.until = self.time


class Laws(RuleBasedStateMachine):
    """Clock steps in both directions, expiry, rejection, failures, provider results and threads."""

    def __init__(self):
        super().__init__()
        self.hands = Hands()
        self.server = ThingSpace(self.hands)
        self.offers: list[OAuthToken | Exception | None] = []
        self.told: list[str] = []
        self.manager = TokenManager(
            OAuthToken,
            self.server.fetch,
            provider=lambda *_: self._offer(),
            on_token_update=lambda token: self.told.append(token.access_token),
            clock=self.hands.clock,
        )
        self.pool = ThreadPoolExecutor(1)
        self.renewing = None

    def teardown(self):
        """Let a blocked renewal end."""
        self.server.gate.set()
        self.pool.shutdown()

    def _offer(self):
        offer = self.offers.pop() if self.offers else None
        if isinstance(offer, Exception):
            raise offer
        return offer

    def _get(self):
        """One API call's worth of `get`; its token, or None for an error."""
        before = self.server.calls
        try:
            token = self.manager.get(ROUTE)
        except (TokenRequestError, LookupError):
            token = None
        assert self.server.calls - before <= 1
        return token

    def _is_expired(self, token: OAuthToken) -> bool:
        """Whether either clock says so, as the model counts."""
        wall, monotonic, left = self.server.asked.get(token.access_token, (0.0, 0.0, None))
        if left is None:
            return token.expires_at is not None and self.hands.wall >= token.expires_at
        came = self.server.arrived[token.access_token]
        return self.hands.wall >= max(wall + left, came[0] + SHORTEST_USE) or self.hands.monotonic >= max(
            monotonic + left, came[1] + SHORTEST_USE
        )

    @rule(wall=STEPS, passed=st.sampled_from([0.0, 0.5, 2.0, 61.0, 3540.0, 3600.0]))
    def time_passes(self, wall, passed):
        """The monotonic clock and the server's go on, the wall clock goes anywhere."""
        self.hands.wall += wall
        self.hands.monotonic += passed
        self.server.time += passed

    @rule(life=st.sampled_from([0.01, 1.0, 59.0, 61.0, 3600.0, math.inf]))
    def server_changes_the_lifetime(self, life):
        """Of the tokens to come."""
        self.server.life = life

    @rule()
    def server_revokes(self):
        """The current token is dead, whatever its expiry says."""
        self.server.revoke()

    @rule(fails=st.booleans())
    def server_fails(self, fails):
        """The token endpoint goes out of order, or comes back."""
        self.server.fails = fails

    @rule(kind=st.sampled_from(["nothing", "expired", "fresh", "due", "error"]), number=st.integers(0, 3))
    def provider_has(self, kind, number):
        """What the provider gives the next time it is asked."""
        lives = {"expired": -1.0, "fresh": 3600.0, "due": 30.0}
        if kind in lives:
            self.offers.append(OAuthToken(f"stored-{number}", expires_at=self.hands.wall + lives[kind]))
        else:
            self.offers.append(LookupError("no database") if kind == "error" else None)

    @precondition(lambda self: self.renewing is None)
    @rule()
    def callers_call(self):
        """Fifty API calls in half a second: one token call at most, and never an expired token."""
        before = self.server.calls
        for _ in range(50):
            self.hands.advance(0.01)
            self.server.time += 0.01
            token = self._get()
            assert token is None or not self._is_expired(token)
        assert self.server.calls - before <= 1

    @precondition(lambda self: self.renewing is None and self.manager.current is not None)
    @rule()
    def the_api_rejects_the_token(self):
        """Fifty parallel 401s for it: two token calls at most, and another token or none."""
        rejected, before = self.manager.current.access_token, self.server.calls
        now, held = self.hands.monotonic, self.manager._held
        resting = now < held.vouched_until or now < self.manager._cool_until
        for _ in range(50):
            try:
                other = self.manager.replace(rejected, ROUTE)
            except (TokenRequestError, LookupError):
                continue
            assert other is None or other.access_token != rejected
            assert other is not None or resting or rejected not in self.server.refused
        assert self.server.calls - before <= 2

    @precondition(lambda self: self.renewing is None)
    @rule()
    def somebody_waits_for_the_endpoint(self):
        """A caller hangs in the token endpoint, in a thread of its own."""
        self.server.gate.clear()
        self.server.entered.clear()
        self.offers.clear()
        self.renewing = self.pool.submit(self._get)
        while not (self.server.entered.wait(0.001) or self.renewing.done()):
            pass
        if self.renewing.done():
            self._let_it_end()

    @precondition(lambda self: self.renewing is not None)
    @rule()
    def others_go_on_with_a_usable_token(self):
        """A token that is only due is used by everybody else meanwhile, without a call."""
        held, before = self.manager._held, self.server.calls
        if held is not None and not self.hands.clock.now().reaches(held.dead):
            assert self.manager.get(ROUTE) is held.token
        assert self.server.calls == before

    @precondition(lambda self: self.renewing is not None)
    @rule()
    def the_endpoint_answers(self):
        """The hanging call ends."""
        self._let_it_end()

    def _let_it_end(self):
        self.server.gate.set()
        self.renewing.result(10)
        self.renewing = None

    @rule()
    def nobody_calls_for_a_while(self):
        """The cool-down of a failure passes."""
        self.time_passes(COOL_DOWN, COOL_DOWN)

    @invariant()
    def one_renewal_at_a_time(self):
        """At most one call is in the token endpoint."""
        assert self.server.most_active <= 1

    @invariant()
    def each_token_is_announced_once_in_a_row(self):
        """Never the same one twice."""
        assert all(one != other for one, other in zip(self.told, self.told[1:], strict=False))


Laws.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestLaws = Laws.TestCase
