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
from collections import deque
from pathlib import Path

from ._certificates import authority, server_context
from ._loopback import LoopbackServer
from ._mischief import STRAY_PATH, Behaviour, OnAccept, json_answer
from ._wire import Ending, RecordedRequest, Wire

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
        self._choosing = threading.Lock()  # guards _scripts
        self._scripts: dict[str, deque[Behaviour]] = {}
        self.requests: list[RecordedRequest] = []

    def script(self, path: str, *behaviours: Behaviour) -> None:
        """Replaces what happens at a path: one behaviour per request, the last one repeated."""
        with self._choosing:
            self._scripts[path] = deque(behaviours)

    @property
    def strays(self) -> list[RecordedRequest]:
        """Requests that no well-behaved client would have made."""
        return [request for request in list(self.requests) if _is_stray(request)]

    def count(self, path: str | None = None) -> int:
        return sum(path in (None, request.path) for request in list(self.requests))

    def __exit__(self, *_: object) -> None:
        """Ends all connections and threads, and removes the CA file."""
        try:
            super().__exit__()
        finally:
            self._folder.cleanup()

    def serve(self, connection: socket.socket, listener: str) -> None:
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
        with self._choosing:
            for script in self._scripts.values():
                if script and isinstance(script[0], OnAccept):
                    return _next(script)
        return None

    def _record_and_choose(self, request: RecordedRequest) -> Behaviour:
        """Writes the request down and says what to do with it."""
        self.requests.append(request)
        if _is_stray(request):
            return json_answer(200, LURE)
        with self._choosing:
            script = self._scripts.get(request.path)
            return _next(script) if script else json_answer(404, {})


def _is_stray(request: RecordedRequest) -> bool:
    """Whether it came to where only a redirect leads."""
    return request.listener != "main" or request.path == STRAY_PATH


def _next(script: deque[Behaviour]) -> Behaviour:
    """What a script does now; its last behaviour stays for ever."""
    return script[0] if len(script) == 1 else script.popleft()
