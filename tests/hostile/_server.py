"""`HostileServer`: a TLS server on loopback that does, path by path, what a test tells it to.

    with HostileServer() as server:
        server.script("/token", hang(), json_answer(200, {"access_token": "t"}))
        ...
        assert server.count("/token") == 2

Three listeners share the work: the main one, `elsewhere` (TLS, another host name and port) and `http_origin`
(no TLS). A request at the last two, or at `/stray`, is a stray: it is answered with a lure, a false token.
"""

from __future__ import annotations

import socket
import tempfile
import threading
from collections import Counter, deque
from pathlib import Path

from ._certificates import authority, server_context
from ._loopback import LoopbackServer
from ._mischief import STRAY_PATH, Behaviour, OnAccept, json_answer
from ._wire import Ending, RecordedRequest, Wire

RECORD_LIMIT = 10_000  # requests remembered whole; they are all counted

LURE = {
    "access_token": "stray-token-that-nobody-may-use",
    "token_type": "Bearer",
    "expires_in": 3600,
    "scope": "",
    "sessionToken": "57247000-0000-4000-8000-000000000000",
}


class HostileServer(LoopbackServer):
    """See the module; all attributes may be read while it runs."""

    def __init__(self, *, tls: bool = True) -> None:
        """`tls=False` makes the main listener plain."""
        super().__init__("main", "elsewhere", "http")
        self._folder = tempfile.TemporaryDirectory(prefix="hostile-")
        self.ca_file = str(Path(self._folder.name) / "ca.pem")
        authority().cert_pem.write_to_path(self.ca_file)
        self.origin = f"{'https' if tls else 'http'}://localhost:{self.port('main')}"
        self.elsewhere = f"https://127.0.0.1:{self.port('elsewhere')}"
        self.http_origin = f"http://localhost:{self.port('http')}"
        self._plain = {"http"} if tls else {"http", "main"}
        self._seen = threading.Lock()  # guards _scripts, _requests, _counts and _strays
        self._scripts: dict[str, deque[Behaviour]] = {}
        self._requests: deque[RecordedRequest] = deque(maxlen=RECORD_LIMIT)
        self._counts: Counter[str] = Counter()
        self._strays: list[RecordedRequest] = []

    # What a test says

    def script(self, path: str, *behaviours: Behaviour) -> None:
        """Replaces what happens at a path: one behaviour per request, the last one repeated."""
        with self._seen:
            self._scripts[path] = deque(behaviours)

    # What a test asks

    @property
    def requests(self) -> list[RecordedRequest]:
        """The requests so far, the last 10,000 of them."""
        with self._seen:
            return list(self._requests)

    @property
    def strays(self) -> list[RecordedRequest]:
        """Requests that no well-behaved client would have made (the first 100)."""
        with self._seen:
            return list(self._strays)

    def count(self, path: str | None = None) -> int:
        """How many requests came for a path, or in all."""
        with self._seen:
            return sum(self._counts.values()) if path is None else self._counts[path]

    def __exit__(self, *_: object) -> None:
        """Ends all connections and threads, and removes the CA file."""
        try:
            super().__exit__()
        finally:
            self._folder.cleanup()

    # What it does

    def serve(self, connection: socket.socket, listener: str) -> None:
        """Serves one connection from its accept to its end."""
        wire = Wire(self, connection, listener)
        wire.places = {"{origin}": self.origin, "{elsewhere}": self.elsewhere, "{http}": self.http_origin}
        try:
            wire.end(self._converse(wire, listener))
        finally:
            wire.release()

    def _converse(self, wire: Wire, listener: str) -> Ending:
        """Greets, shakes hands, and answers requests until something ends it."""
        greeting = self._take_greeting() if listener == "main" else None
        ending = Ending.KEEP if greeting is None or greeting.handshake else greeting.greet(wire)
        if ending is Ending.KEEP and listener not in self._plain:
            wire.start_tls(server_context(greeting.certificate if greeting else "good"))
        if greeting is not None and greeting.handshake:
            ending = greeting.greet(wire)
        if ending is not Ending.KEEP:
            return ending
        while request := wire.read_request():
            ending = self._record_and_choose(request)(wire, request)
            if ending is not Ending.KEEP or request.last:
                return Ending.CLOSE if ending is Ending.KEEP else ending
        return Ending.CLOSE

    def _take_greeting(self) -> OnAccept | None:
        """The behaviour that strikes a new connection, if one is next at any path."""
        with self._seen:
            for script in self._scripts.values():
                if script and isinstance(script[0], OnAccept):
                    return _next(script)
        return None

    def _record_and_choose(self, request: RecordedRequest) -> Behaviour:
        """Writes the request down and says what to do with it."""
        stray = request.listener != "main" or request.path == STRAY_PATH
        with self._seen:
            self._requests.append(request)
            self._counts[request.path] += 1
            self._strays += [request] if stray and len(self._strays) < 100 else []
            script = None if stray else self._scripts.get(request.path)
            if script:
                return _next(script)
        return json_answer(200, LURE) if stray else json_answer(404, {})


def _next(script: deque[Behaviour]) -> Behaviour:
    """What a script does now; its last behaviour stays for ever."""
    return script[0] if len(script) == 1 else script.popleft()
