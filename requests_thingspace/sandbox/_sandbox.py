"""A sandbox is a whole ThingSpace: it shares nothing with another one, and leaves nothing behind."""

from __future__ import annotations

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

from ._calls import Call, Calls, Fault
from ._gateway import Platform
from ._messages import Answer, Body, Place, Request, failure
from ._oauth import OAuth
from ._resources import ACCOUNT
from ._serving import Running
from ._sessions import Contact

_PLANNED = re.compile(r"0*([1-9]\d*)\s*:\s*(revoke|end-session|[45]\d\d)", re.ASCII)


class SandboxClock:
    """Both clocks of the sandbox: real time plus an offset that only a test moves, and only forward.

    A client that is given them ages together with the sandbox.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()  # guards _offset
        self._offset = 0.0

    def wall(self) -> float:
        """Unix time in seconds, as `time.time` would give it after all that was advanced."""
        return time.time() + self._offset

    def monotonic(self) -> float:
        """Seconds that never go back, except by `reset`, as `time.monotonic` counts them."""
        return time.monotonic() + self._offset

    def advance(self, seconds: float) -> None:
        """Let `seconds` pass at once.

        Raises:
            ValueError: `seconds` is negative or no number.
        """
        if not seconds >= 0:
            raise ValueError(f"The sandbox's clock only goes forward, not by {seconds} seconds.")
        with self._lock:
            self._offset += seconds

    def reset(self) -> None:
        """Return to real time."""
        with self._lock:
            self._offset = 0.0


class Sandbox:
    """A ThingSpace on three loopback ports: the main origin, ``imp.`` and ``5gedge.``.

    Any thread may call its methods, also while clients are being served.

    Attributes:
        clock: the sandbox's time; `advance` moves it.
        client_id: the application key that the token endpoint knows.
        client_secret: its secret.
        username: the UWS username that the M2M login knows.
        password: its password.
        account: the name of an account that exists.
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
        """Prepare a sandbox; `start` or ``with`` makes it serve.

        Args:
            token_life: seconds from the first issue of an OAuth token to its expiry.
            session_idle: seconds without use after which an M2M session is dead.
            port: of the main origin, 0 for a free one; the other two origins always get free ones.
            client_id: by default a new UUID.
            client_secret: by default a new UUID.
            username: by default "sandbox-user".
            password: by default a random one.
            m2m_sessions: ``False``: no resource asks for a session token.
            lenient: accept every key, secret, user, password and account, and answer every path under
                ``/api/`` plausibly.
            plan: faults that happen by themselves, as for :meth:`plan`.
            on_call: called with a `Call` just before each answer is sent, in the thread that sends it.

        Raises:
            ValueError: a number is out of range, or the plan cannot be read.
        """
        if not (token_life >= 1 and session_idle > 0 and 0 <= port <= 65535):
            raise ValueError("token_life is at least 1 second, session_idle more than 0, port 0 to 65535.")
        self.client_id = client_id or str(uuid.uuid4())
        self.client_secret = client_secret or str(uuid.uuid4())
        self.username = username or "sandbox-user"
        self.password = password or secrets.token_urlsafe(12)
        self.clock = SandboxClock()
        self._first_credentials = self.client_secret, self.password
        self._wanted_port = port
        self._on_call = on_call
        now = self.clock.monotonic
        # One without tokens, sessions, faults and counts.
        self._new_platform: Callable[[], Platform] = lambda: Platform(
            OAuth(now, self.client_id, self.client_secret, token_life, lenient),
            Contact(now, self.username, self.password, session_idle, lenient),
            Calls(self._answered),
            m2m_sessions,
            lenient,
        )
        self._platform = self._new_platform()
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
        """Serve, if it does not do so already.

        Raises:
            OSError: the port is in use, or may not be used.
        """
        with self._lock:
            if self._running is None:
                self._platform.calls.hurry.clear()
                self._running = Running(self._respond, self._wanted_port)
        return self

    def close(self) -> None:
        """Stop serving, and remove every thread, socket and file; closing twice does no harm.

        Connections are cut, also where an answer is delayed. Sessions that came from `session` and `auth`
        are closed too. You can still read the counts, and `start` serves again, on new ports.
        """
        with self._lock:
            running, self._running = self._running, None
        if running is not None:
            self._platform.calls.hurry.set()
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
        main, imp, edge = self._serving().origins.values()
        at = Environment.at(main)
        urls = at.token_url, at.revoke_url, at.login_url, at.logout_url
        return Environment((main, imp, edge), *urls, imp_origins=(imp,))

    def auth(self, **overrides: Any) -> ThingspaceAuth:
        """A `ThingspaceAuth` for this sandbox, on its clock; `overrides` replace its arguments."""
        clock = Clock(self.clock.wall, self.clock.monotonic)
        arguments: dict[str, Any] = {"environment": self.environment, "clock": clock}
        arguments.update(client_id=self.client_id, client_secret=self.client_secret)
        if self._platform.m2m_sessions:
            arguments.update(username=self.username, password=self.password)
        if "session" not in overrides:
            arguments["session"] = self._new_session()
        return ThingspaceAuth(**{**arguments, **overrides})

    def session(self, **overrides: Any) -> requests.Session:
        """A Session that trusts this sandbox and uses `auth` with these overrides.

        It ignores the proxies and the netrc of the machine.
        """
        session = self._new_session()
        session.auth = self.auth(**overrides)
        return session

    # What a test does to it

    def advance(self, seconds: float) -> None:
        """Let `seconds` pass at once, on the sandbox's clock."""
        self.clock.advance(seconds)

    def revoke_tokens(self) -> None:
        """End every OAuth token that was issued."""
        self._platform.oauth.revoke_all()

    def end_sessions(self) -> None:
        """End every M2M session, as 20 idle minutes do."""
        self._platform.contact.end_sessions()

    def change_secret(self, client_secret: str) -> None:
        """Replace the client secret until `reset`; tokens that were issued stay alive."""
        self.client_secret = self._platform.oauth.client_secret = client_secret

    def change_password(self, password: str) -> None:
        """Replace the password of the UWS user until `reset`; sessions stay alive."""
        self.password = self._platform.contact.password = password

    @property
    def locked(self) -> bool:
        """Whether 5 failed logins in a row have locked the contact record."""
        return self._platform.contact.locked

    def unlock(self) -> None:
        """Unlock the contact record, as Verizon Support does."""
        self._platform.contact.unlock()

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
        answer = None if status is None else failure(endpoint, status, body, headers or {})
        self._platform.calls.fail(endpoint, Fault(answer, delay), times)

    def plan(self, text: str) -> None:
        """Plan faults that happen by themselves, instead of those planned before.

        Args:
            text: for example ``5:revoke,9:end-session,12:503``: after the fifth API call from now all tokens
                are revoked, after the ninth all sessions end, and the call after the twelfth gets a 503.
                Refused calls count too.

        Raises:
            ValueError: the text is not such a plan.
        """
        actions = {"revoke": self.revoke_tokens, "end-session": self.end_sessions}
        planned: list[tuple[int, Callable[[], None]]] = []
        for item in filter(None, map(str.strip, text.split(","))):
            found = _PLANNED.fullmatch(item)
            if found is None:
                known = "N:revoke, N:end-session or N:503"
                raise ValueError(f"{item!r} is no fault: write {known}, separated by commas.")
            after, what = found.groups()
            action = actions.get(what) or partial(self.fail_next, "api", status=int(what))
            planned.append((int(after), action))
        with self._lock:
            self._api_calls, self._planned = 0, planned

    def slow(self, endpoint: str, seconds: float) -> None:
        """Delay each answer of `endpoint` by that many real seconds; 0 takes it back.

        Raises:
            ValueError: there is no such endpoint, or `seconds` is negative.
        """
        self._platform.calls.slow(endpoint, seconds)

    @property
    def calls(self) -> dict[str, int]:
        """How many calls each endpoint has received, as a snapshot."""
        return dict(self._platform.calls.received)

    @property
    def answers(self) -> Counter[tuple[str, int]]:
        """How many answers there were by ``(endpoint, status)``, as a snapshot."""
        return Counter(self._platform.calls.answered)

    def wait_for_calls(self, endpoint: str, count: int, timeout: float = 10.0) -> bool:
        """Wait until `endpoint` has received `count` calls; ``False`` after `timeout` real seconds."""
        return self._platform.calls.wait_for(endpoint, count, timeout)

    def reset(self) -> None:
        """Return to a clean state: first credentials, unlocked, no tokens, faults or counts, real time.

        Time on `clock` goes back by what was advanced: make new clients after it. The Sessions that came
        from `session` and `auth` are closed; you may go on using them.
        """
        self.plan("")
        self.clock.reset()
        self.client_secret, self.password = self._first_credentials
        before, self._platform = self._platform, self._new_platform()
        before.calls.hurry.set()
        self._close_sessions()

    def _respond(self, place: Place, request: Request) -> Answer | None:
        return self._platform.respond(place, request)

    def _answered(self, call: Call) -> None:
        """Do what is planned after this call, and report it."""
        if call.endpoint == "api":
            with self._lock:
                self._api_calls += 1
                due = [action for after, action in self._planned if after == self._api_calls]
            for action in due:
                action()
        if self._on_call is not None:
            self._on_call(call)

    def _serving(self) -> Running:
        running = self._running
        if running is None:
            raise RuntimeError("The sandbox is closed: use 'with Sandbox() as sandbox', or start() it.")
        return running

    def _new_session(self) -> requests.Session:
        """A Session that trusts the certificates, and ignores the machine's proxies and netrc."""
        session = requests.Session()
        session.trust_env, session.verify = False, self.ca_file
        with self._lock:
            self._sessions.add(session)
        return session

    def _close_sessions(self) -> None:
        """Close the connections of the Sessions that were handed out and are still there."""
        with self._lock:
            sessions = list(self._sessions)
        for session in sessions:
            session.close()
