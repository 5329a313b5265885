"""`HostileServer`: a TLS server on loopback that does, path by path, what a test tells it to.

    with HostileServer() as server:
        server.script("/token", hang(), json_answer(200, {"access_token": "t"}))
        ...
        assert server.count("/token") == 2

A connection to its other listener, or a request at `/stray`, is a stray: only a redirect leads there.
"""

from __future__ import annotations

import socket
import tempfile
import threading
from collections import deque
from pathlib import Path

from ._loopback import LoopbackServer
from ._mischief import STRAY_PATH, Behaviour, OnAccept, json_answer
from ._wire import Ending, RecordedRequest, Wire, authority, server_context


class HostileServer(LoopbackServer):
    """See the module; all attributes may be read while it runs."""

    def __init__(self, *, tls: bool = True) -> None:
        """`tls=False` makes the main listener plain."""
        super().__init__("main", "elsewhere")
        self._folder = tempfile.TemporaryDirectory(prefix="hostile-")
        self.ca_file = str(Path(self._folder.name) / "ca.pem")
        authority().cert_pem.write_to_path(self.ca_file)
        self._tls = tls
        self.origin = f"{'https' if tls else 'http'}://localhost:{self.port('main')}"
        other = f"//127.0.0.1:{self.port('elsewhere')}"
        self._places = {"{origin}": self.origin, "{elsewhere}": f"https:{other}", "{http}": f"http:{other}"}
        self._choosing = threading.Lock()  # guards _scripts
        self._scripts: dict[str, deque[Behaviour]] = {}
        self.requests: list[RecordedRequest] = []
        self.strays: list[str] = []

    def script(self, path: str, *behaviours: Behaviour) -> None:
        """Replaces what happens at a path: one behaviour per request, the last one repeated."""
        with self._choosing:
            self._scripts[path] = deque(behaviours)

    def count(self, path: str | None = None) -> int:
        return sum(path in (None, request.path) for request in list(self.requests))

    def __exit__(self, *_: object) -> None:
        """Ends all connections and threads, and removes the CA file."""
        try:
            super().__exit__()
        finally:
            self._folder.cleanup()

    def serve(self, connection: socket.socket, listener: str) -> None:
        if listener == "elsewhere":
            self.strays.append(listener)
            return
        wire = Wire(self, connection)
        wire.places = self._places
        try:
            wire.end(self._converse(wire))
        finally:
            wire.release()

    def _converse(self, wire: Wire) -> Ending:
        """Greets, shakes hands, and answers requests until something ends it."""
        greeting = self._take_greeting()
        ending = Ending.KEEP if greeting is None or greeting.handshake else greeting.greet(wire)
        if ending is Ending.KEEP and self._tls:
            wire.start_tls(server_context(greeting.certificate if greeting else "good"))
        if greeting is not None and greeting.handshake:
            ending = greeting.greet(wire)
        while ending is Ending.KEEP and (request := wire.read_request()):
            ending = self.choose(request)(wire, request)
            if ending is Ending.KEEP and request.headers.get("Connection", "").lower() == "close":
                break
        return Ending.CLOSE if ending is Ending.KEEP else ending

    def _take_greeting(self) -> OnAccept | None:
        """The behaviour that strikes a new connection, if one is next at any path."""
        with self._choosing:
            for script in self._scripts.values():
                if script and isinstance(script[0], OnAccept):
                    return _next(script)
        return None

    def choose(self, request: RecordedRequest) -> Behaviour:
        """Writes the request down and says what to do with it."""
        self.requests.append(request)
        if request.path == STRAY_PATH:
            self.strays.append(request.path)
        with self._choosing:
            script = self._scripts.get(request.path)
            return _next(script) if script else json_answer(404, {})


def _next(script: deque[Behaviour]) -> Behaviour:
    """What a script does now; its last behaviour stays for ever."""
    return script[0] if len(script) == 1 else script.popleft()
