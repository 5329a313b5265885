"""A sandbox is a whole ThingSpace: it shares nothing with another one, and leaves nothing behind."""

from __future__ import annotations

import secrets
import threading
import uuid
from collections import Counter
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any

import requests

from ._calls import Call, Calls
from ._clock import SandboxClock
from ._faults import Body, Faults
from ._oauth import OAuthEndpoints, TokenLedger
from ._resources import ACCOUNT
from ._routes import Place, Platform
from ._running import Running
from ._sessions import Contact

if TYPE_CHECKING:
    from requests_thingspace import Environment, ThingspaceAuth


class Sandbox:
    """A ThingSpace on three loopback ports: the main origin, ``imp.`` and ``5gedge.``.

    All methods may be called from any thread, while clients are being served.

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
        on_call: Callable[[Call], object] | None = None,
    ) -> None:
        """Prepare a sandbox; `start` or ``with`` makes it serve.

        Args:
            token_life: seconds from the first issue of an OAuth token to its expiry.
            session_idle: seconds without use after which an M2M session is dead.
            port: of the main origin, 0 for a free one; the other two origins always get free ones.
            client_id: a new UUID where none is given.
            client_secret: a new UUID where none is given.
            username: "sandbox-user" where none is given.
            password: a random one where none is given.
            m2m_sessions: ``False``: no resource asks for a session token.
            on_call: called with a `Call` for each answer just before it is sent, in the thread that sends it.

        Raises:
            ValueError: a number is out of range.
        """
        if not (token_life >= 1 and session_idle > 0 and 0 <= port <= 65535):
            raise ValueError("token_life is at least 1 second, session_idle more than 0, port 0 to 65535.")
        self.client_id = client_id or str(uuid.uuid4())
        self.client_secret = client_secret or str(uuid.uuid4())
        self.username = username or "sandbox-user"
        self.password = password or secrets.token_urlsafe(12)
        self.clock = SandboxClock()
        self._wanted_port = port
        ledger = TokenLedger(self.clock, token_life)
        self._platform = Platform(
            ledger=ledger,
            oauth=OAuthEndpoints(self.client_id, self.client_secret, ledger),
            contact=Contact(self.clock, self.username, self.password, session_idle),
            faults=Faults(),
            calls=Calls(on_call),
            m2m_sessions=m2m_sessions,
        )
        self._lock = threading.RLock()  # guards _running
        self._running: Running | None = None

    def __repr__(self) -> str:
        """Where it serves, without its secrets."""
        with self._lock:
            return f"<Sandbox {self.origin if self._running else 'closed'}>"

    def __enter__(self) -> Sandbox:
        """Start."""
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        self.close()

    # Life

    def start(self) -> Sandbox:
        """Serve; a sandbox that serves already goes on.

        Raises:
            OSError: the port is in use, or may not be used.
        """
        with self._lock:
            if self._running is None:
                self._platform.faults.open()
                self._running = Running(self._platform, self._wanted_port)
        return self

    def close(self) -> None:
        """Stop serving, and remove every thread, socket and file; to close twice does no harm.

        Connections are cut, delayed answers are not waited for. Sessions that came from `session` and
        `auth` are closed too. Counts can still be read, and `start` serves again, on new ports.
        """
        with self._lock:
            running, self._running = self._running, None
        if running is not None:
            self._platform.faults.close()
            running.close()

    # What a client needs

    @property
    def origin(self) -> str:
        """The main origin, such as ``https://127.0.0.1:40001``."""
        return self._serving().origin(Place.MAIN)

    @property
    def imp_origin(self) -> str:
        """The origin in place of ``imp.``, where the session token's header is ``SessionToken``."""
        return self._serving().origin(Place.IMP)

    @property
    def edge_origin(self) -> str:
        """The origin in place of ``5gedge.``."""
        return self._serving().origin(Place.EDGE)

    @property
    def ca_file(self) -> str:
        """The path of the certificate file that a client trusts, for requests' ``verify``."""
        return self._serving().ca_file

    @property
    def environment(self) -> Environment:
        """The three origins and the endpoints, as `ThingspaceAuth` wants them."""
        from requests_thingspace import Environment

        return Environment(
            origins=(self.origin, self.imp_origin, self.edge_origin),
            token_url=f"{self.origin}/api/ts/v1/oauth2/token",
            revoke_url=f"{self.origin}/api/ts/v1/oauth2/revoke",
            login_url=f"{self.origin}/api/m2m/v1/session/login",
            logout_url=f"{self.origin}/api/m2m/v1/session/logout",
            imp_origins=(self.imp_origin,),
        )

    def auth(self, **overrides: Any) -> ThingspaceAuth:
        """A `ThingspaceAuth` for this sandbox, on its clock.

        Args:
            overrides: arguments of `ThingspaceAuth` that replace those of the sandbox.
        """
        from requests_thingspace import Clock, ThingspaceAuth

        arguments: dict[str, Any] = {
            "client_id": self.client_id,
            "client_secret": self.client_secret,
            "environment": self.environment,
            "clock": Clock(self.clock.wall, self.clock.monotonic),
        }
        if self._platform.m2m_sessions:
            arguments.update(username=self.username, password=self.password)
        if "session" not in overrides:
            arguments["session"] = self._serving().new_session()
        return ThingspaceAuth(**{**arguments, **overrides})

    def session(self, **overrides: Any) -> requests.Session:
        """A Session that trusts this sandbox and carries `auth`; no proxy or netrc of the machine is used.

        Args:
            overrides: as for `auth`.
        """
        session = self._serving().new_session()
        session.auth = self.auth(**overrides)
        return session

    # What a test does to it

    def advance(self, seconds: float) -> None:
        """Let `seconds` pass at once, on the sandbox's clock."""
        self.clock.advance(seconds)

    def revoke_tokens(self) -> None:
        """End every OAuth token that was issued."""
        self._platform.ledger.reset()

    def end_sessions(self) -> None:
        """End every M2M session, as 20 idle minutes do."""
        self._platform.contact.end_sessions()

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
            times: how many calls fail; faults that are asked for one after the other happen in that order.
            body: text or bytes are sent as they are, a dict or list as JSON; without one the body is
                what such a failure usually looks like.
            headers: they replace the answer's own. A ``Content-Length`` that promises more than the
                body holds makes an answer that breaks off.
            delay: real seconds before the answer; `reset` and `close` cut them short.

        Raises:
            ValueError: there is no such endpoint, or a number is out of range.
        """
        self._platform.faults.fail_next(
            endpoint, status=status, times=times, body=body, headers=headers, delay=delay
        )

    def slow(self, endpoint: str, seconds: float) -> None:
        """Let each answer of `endpoint` take that many real seconds more; 0 takes it back.

        Raises:
            ValueError: there is no such endpoint, or `seconds` is negative.
        """
        self._platform.faults.slow(endpoint, seconds)

    @property
    def calls(self) -> dict[str, int]:
        """How many calls each endpoint has received, as a snapshot."""
        return self._platform.calls.received

    @property
    def answers(self) -> Counter[tuple[str, int]]:
        """How many answers there were by ``(endpoint, status)``, as a snapshot."""
        return self._platform.calls.answered

    def wait_for_calls(self, endpoint: str, count: int, timeout: float = 10.0) -> bool:
        """Wait until `endpoint` has received `count` calls, answered or not.

        Returns:
            ``False`` if that took more than `timeout` real seconds.
        """
        return self._platform.calls.wait_for(endpoint, count, timeout)

    def reset(self) -> None:
        """Return to a clean state: no tokens, sessions, faults, latency or counts, unlocked, real time.

        Time on `clock` goes back by what was advanced: make new clients after it. The Sessions that came
        from `session` and `auth` are closed, which does not keep anyone from using them again.
        """
        self._platform.faults.reset()
        self._platform.ledger.reset()
        self._platform.contact.reset()
        self.clock.reset()
        self._platform.calls.reset()
        with self._lock:
            running = self._running
        if running is not None:
            running.close_sessions()

    def _serving(self) -> Running:
        with self._lock:
            if self._running is None:
                raise RuntimeError("The sandbox is closed: use 'with Sandbox() as sandbox', or start() it.")
            return self._running
