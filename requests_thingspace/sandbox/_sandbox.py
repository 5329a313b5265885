"""A sandbox is a whole ThingSpace: it shares nothing with another one, and leaves nothing behind."""

from __future__ import annotations

import math
import re
import secrets
import threading
import time
import uuid
import weakref
from collections import Counter
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import requests

from requests_thingspace import Clock, Environment, ThingspaceAuth

from ._gateway import respond
from ._messages import Answer, Body, Place, failure
from ._resources import ACCOUNT
from ._serving import Running
from ._state import ENDPOINTS, MOST_FAILED_LOGINS, Call, State


class SandboxClock:
    """Both clocks of the sandbox: real time plus an offset that only a test moves, and only forward."""

    _lock = threading.Lock()  # guards the _offset of each; it is no part of a pickle

    def __init__(self) -> None:
        self._offset = 0.0

    def __deepcopy__(self, _: object) -> SandboxClock:
        return self  # a copied auth goes on with the sandbox's time; a pickled one has that of its pickle

    def wall(self) -> float:
        """Unix time in seconds, as `time.time` would give it after all that was advanced."""
        return time.time() + self._offset

    def monotonic(self) -> float:
        """Seconds that never go back, except by `reset`, as `time.monotonic` counts them."""
        return time.monotonic() + self._offset

    def advance(self, seconds: float) -> None:
        """Let `seconds` pass at once; a negative number, NaN or infinity is a `ValueError`."""
        if not 0 <= seconds < math.inf:
            raise ValueError(f"The sandbox's clock only goes forward, not by {seconds} seconds.")
        with self._lock:
            self._offset += seconds

    def reset(self) -> None:
        """Return to real time."""
        with self._lock:
            self._offset = 0.0


class Sandbox:
    """A ThingSpace on three loopback ports: the main origin, ``imp.`` and ``5gedge.``.

    `start` or ``with`` makes it serve. Any thread may call its methods, also while clients are being served.
    The four credentials are attributes too.

    Args:
        token_life: seconds from the first issue of an OAuth token to its expiry.
        session_idle: seconds without use that end an M2M session.
        port: of the main origin, 0 for a free one; the other two origins always get free ones.
        client_id: the application key that the token endpoint knows; by default a new UUID.
        client_secret: its secret; by default a new UUID.
        username: the UWS username that the M2M login knows; by default "sandbox-user".
        password: its password; by default a random one.
        m2m_sessions: ``False``: no resource asks for a session token.
        lenient: accept every key, secret, user, password and account, and answer every path under ``/api/``
            plausibly.
        plan: faults that happen by themselves, as for :meth:`plan`.
        on_call: called with a `Call` just before each answer is sent, in the thread that sends it.

    Attributes:
        clock: the sandbox's time; `advance` moves it.
        account: the name of an account that exists.

    Raises:
        ValueError: a number is out of range, or the plan cannot be read.
    """

    account = ACCOUNT

    def __init__(
        self,
        *,
        token_life: float = 3600,
        session_idle: float = 1200,
        port: int = 0,
        client_id: str | None = None,
        client_secret: str | None = None,
        username: str | None = None,
        password: str | None = None,
        m2m_sessions: bool = True,
        lenient: bool = False,
        plan: str = "",
        on_call: Callable[[Call], object] | None = None,
    ) -> None:
        if not (1 <= token_life < math.inf and session_idle > 0 and 0 <= port <= 65535):
            life = "token_life is finite and at least 1 second"
            raise ValueError(f"{life}, session_idle more than 0, port 0 to 65535.")
        self.client_id = client_id or str(uuid.uuid4())
        self.client_secret = client_secret or str(uuid.uuid4())
        self.username = username or "sandbox-user"
        self.password = password or secrets.token_urlsafe(12)
        self.clock = SandboxClock()
        self._wanted_port = port
        known = self.client_id, self.client_secret, self.username, self.password
        self._new_state: Callable[[], State] = lambda: State(
            self.clock.monotonic, *known, token_life, session_idle, m2m_sessions, lenient, on_call
        )
        self._state = self._new_state()
        self._lock = threading.Lock()  # guards all below
        self._running: Running | None = None
        self._sessions: weakref.WeakSet[requests.Session] = weakref.WeakSet()
        self.plan(plan)

    def __repr__(self) -> str:
        running = self._running
        return f"<Sandbox {running.origins[Place.MAIN] if running else 'closed'}>"

    def __enter__(self) -> Sandbox:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self) -> Sandbox:
        """Serve, if it does not already; an `OSError` tells that the port is in use, or may not be used."""
        with self._lock:
            if self._running is None:
                self._state.hurry.clear()
                self._running = Running(lambda *call: respond(self._state, *call), self._wanted_port)
        return self

    def close(self) -> None:
        """Stop serving, and remove every thread, socket and file; closing twice does no harm.

        Connections are cut, also where an answer is delayed. Sessions that came from `session` and `auth`
        are closed too. You can still read the counts, and `start` serves again, on new ports.
        """
        with self._lock:
            running, self._running = self._running, None
        if running is not None:
            self._state.hurry.set()
            running.close()
            self._close_sessions()

    # What a client needs

    @property
    def origin(self) -> str:
        """The main origin, such as ``https://127.0.0.1:40001``."""
        return self._serving().origins[Place.MAIN]

    @property
    def imp_origin(self) -> str:
        """The origin in place of ``imp.``, where the session token's header is ``SessionToken``."""
        return self._serving().origins[Place.IMP]

    @property
    def edge_origin(self) -> str:
        """The origin in place of ``5gedge.``."""
        return self._serving().origins[Place.EDGE]

    @property
    def ca_file(self) -> str:
        """The path of the certificate file that a client trusts, for requests' ``verify``."""
        return self._serving().ca_file

    @property
    def environment(self) -> Environment:
        """The three origins and the endpoints, as `ThingspaceAuth` wants them."""
        at, imp = Environment.at(self.origin), self.imp_origin
        urls = at.token_url, at.revoke_url, at.login_url, at.logout_url
        return Environment((self.origin, imp, self.edge_origin), *urls, imp_origins=(imp,))

    def auth(self, **overrides: Any) -> ThingspaceAuth:
        """A `ThingspaceAuth` for this sandbox, on its clock; `overrides` replace its arguments."""
        arguments: dict[str, Any] = {"client_id": self.client_id, "client_secret": self.client_secret}
        if self._state.m2m_sessions:
            arguments.update(username=self.username, password=self.password)
        if "session" not in overrides:
            arguments["session"] = self._new_session()
        arguments.update(environment=self.environment, clock=Clock(self.clock.wall, self.clock.monotonic))
        return ThingspaceAuth(**{**arguments, **overrides})

    def session(self, **overrides: Any) -> requests.Session:
        """A Session with such an auth; it trusts this sandbox, and ignores proxies and netrc."""
        session = self._new_session()
        session.auth = self.auth(**overrides)
        return session

    # What a test does to it

    def advance(self, seconds: float) -> None:
        """Let `seconds` pass at once, on the sandbox's clock."""
        self.clock.advance(seconds)

    def revoke_tokens(self) -> None:
        """End every OAuth token that was issued."""
        self._state.issued_at.clear()

    def end_sessions(self) -> None:
        """End every M2M session, as 20 idle minutes do."""
        with self._state.changed:
            self._state.last_use = dict.fromkeys(self._state.last_use, -math.inf)

    def change_secret(self, client_secret: str) -> None:
        """Replace the client secret until `reset`; tokens that were issued stay alive."""
        self.client_secret = self._state.client_secret = client_secret

    def change_password(self, password: str) -> None:
        """Replace the password of the UWS user until `reset`; sessions stay alive."""
        self.password = self._state.password = password

    @property
    def locked(self) -> bool:
        """Whether 5 failed logins in a row have locked the contact record."""
        return self._state.failed_logins >= MOST_FAILED_LOGINS

    def unlock(self) -> None:
        """Unlock the contact record, as Verizon Support does."""
        with self._state.changed:
            self._state.failed_logins = 0

    def fail_next(
        self,
        endpoint: str,
        *,
        status: int | None = 503,
        times: int = 1,
        body: Body = None,
        headers: Mapping[str, str] | None = None,
        delay: float = 0.0,
    ) -> None:
        """Let the next calls of an endpoint fail, whatever they bring.

        Args:
            endpoint: ``token``, ``revoke``, ``login``, ``logout``, or ``api`` for all else.
            status: the HTTP status; ``None`` drops the connection without an answer.
            times: how many calls fail. Faults happen in the order in which you ask for them.
            body: text or bytes as they are, a dict or list as JSON; by default that of a typical failure.
            headers: they replace the answer's own. A ``Content-Length`` beyond the body cuts it off.
            delay: real seconds before the answer; `reset` and `close` cut them short.

        Raises:
            ValueError: there is no such endpoint, or a number is out of range.
        """
        answer = Answer(0) if status is None else failure(endpoint, status, body, headers or {})
        _check(endpoint, delay)
        if times < 1:
            raise ValueError(f"A fault happens at least once, not {times} times.")
        self._state.faults[endpoint].extend([(answer, delay)] * times)

    def plan(self, text: str) -> None:
        """Plan faults that happen by themselves, instead of those planned before.

        With ``5:revoke,9:end-session,12:503`` all tokens are revoked after the fifth API call from now, all
        sessions end after the ninth, and the call after the twelfth gets a 503. Refused calls count too. A
        text that is not such a plan is a `ValueError`.
        """
        actions = {"revoke": self.revoke_tokens, "end-session": self.end_sessions}
        planned: list[tuple[int, Callable[[], None]]] = []
        for item in filter(None, map(str.strip, text.split(","))):
            found = re.fullmatch(r"0*([1-9]\d*)\s*:\s*(revoke|end-session|[45]\d\d)", item, re.ASCII)
            if found is None:
                known = "N:revoke, N:end-session or N:503"
                raise ValueError(f"{item!r} is no fault: write {known}, separated by commas.")
            after, what = found.groups()
            action = actions.get(what) or partial(self.fail_next, "api", status=int(what))
            planned.append((int(after), action))
        with self._state.changed:
            self._state.api_calls, self._state.planned = 0, planned

    def slow(self, endpoint: str, seconds: float) -> None:
        """Delay each answer of `endpoint` by that many real seconds, 0 or more; 0 takes it back."""
        _check(endpoint, seconds)
        self._state.latency[endpoint] = seconds

    @property
    def calls(self) -> dict[str, int]:
        """How many calls each endpoint has received, as a snapshot."""
        return dict(self._state.received)

    @property
    def answers(self) -> Counter[tuple[str, int]]:
        """How many answers there were by ``(endpoint, status)``, as a snapshot."""
        return Counter(self._state.answered)

    def wait_for_calls(self, endpoint: str, count: int, timeout: float = 10.0) -> bool:
        """Wait until `endpoint` has received `count` calls; ``False`` after `timeout` real seconds."""
        _check(endpoint)
        state = self._state
        with state.changed:
            return state.changed.wait_for(lambda: state.received[endpoint] >= count, timeout)

    def reset(self) -> None:
        """Return to a clean state: first credentials, unlocked, no tokens, faults or counts, real time.

        Time on `clock` goes back by what was advanced: make new clients after it. The Sessions that came
        from `session` and `auth` are closed; you may go on using them.
        """
        self.plan("")  # else a call that is still being answered could bring its trouble into the new state
        self.clock.reset()
        before, self._state = self._state, self._new_state()
        self.client_secret, self.password = self._state.client_secret, self._state.password
        before.hurry.set()
        self._close_sessions()

    def _serving(self) -> Running:
        running = self._running
        if running is None:
            raise RuntimeError("The sandbox is closed: use 'with Sandbox() as sandbox', or start() it.")
        return running

    def _new_session(self) -> requests.Session:
        session = requests.Session()
        session.trust_env, session.verify = False, self.ca_file
        with self._lock:
            self._sessions.add(session)
        return session

    def _close_sessions(self) -> None:
        with self._lock:
            sessions = list(self._sessions)
        for session in sessions:
            session.close()


def _check(endpoint: str, wait: float = 0) -> None:
    if endpoint not in ENDPOINTS:
        raise ValueError(f"There is no endpoint {endpoint!r}: it is one of {', '.join(ENDPOINTS)}.")
    if not 0 <= wait <= threading.TIMEOUT_MAX:
        raise ValueError(f"A wait is 0 seconds or more, and no eternity, not {wait}.")
