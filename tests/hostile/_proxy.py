"""`ForwardProxy`: a small real HTTP proxy on loopback, to prove that a call goes through the Session's proxy.

It tunnels (CONNECT) and forwards (absolute URIs), asks for Basic credentials if it has any, and writes down
what it saw. It never leaves loopback: other names must be routed to a loopback port, or are hung up on.
"""

from __future__ import annotations

import base64
import selectors
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from urllib.parse import quote, urlsplit

import requests

from ._loopback import LOOPBACK, LoopbackServer
from ._mischief import Answer
from ._wire import LOOPBACK_NAMES, PIECE, Ending, RecordedRequest, Wire

REFUSAL = Answer(407, headers=[("Proxy-Authenticate", 'Basic realm="loopback"'), ("Connection", "close")])


class ForwardProxy(LoopbackServer):
    """A context manager; `proxies` is for a Session, `requests` holds what was asked, refused or not."""

    def __init__(self, username: str = "", password: str = "", *, routes: Mapping[str, int] | None = None):
        """`routes` sends `"host:port"` to a port of loopback, so that real names can be tested."""
        super().__init__("proxy")
        self._routes = routes or {}
        pair = base64.b64encode(f"{username}:{password}".encode()).decode()
        self._wanted = f"Basic {pair}" if username else None
        self.requests: list[RecordedRequest] = []
        self.bare_url = f"http://{LOOPBACK}:{self.port('proxy')}"
        user = f"{quote(username, safe='')}:{quote(password, safe='')}@" if username else ""
        self.url = self.bare_url.replace("://", f"://{user}")
        self.proxies = {"http": self.url, "https": self.url}

    def count(self, method: str) -> int:
        """How many admitted requests had this method."""
        return sum(seen.method == method and self._admits(seen) for seen in self.requests)

    def serve(self, connection: socket.socket, listener: str) -> None:
        """Serves one request or one tunnel, and closes."""
        wire = Wire(self, connection)
        request = wire.read_request()
        if request is None:
            return
        self.requests.append(request)
        if not self._admits(request):
            REFUSAL(wire, request)
            return
        is_tunnel = request.method == "CONNECT"
        authority = request.target if is_tunnel else urlsplit(request.target).netloc
        host, _, port = authority.rpartition(":")
        if authority not in self._routes and host not in LOOPBACK_NAMES:
            return
        if not is_tunnel:
            _forward(request)(wire, request)
            return
        with connected(self, self._routes.get(authority, int(port))) as upstream:
            wire.send(b"HTTP/1.1 200 Connection established\r\n\r\n")
            relay(connection, upstream)
            wire.end(Ending.CLOSE)

    def _admits(self, request: RecordedRequest) -> bool:
        """Whether the credentials are right, or none are needed."""
        return self._wanted in (None, request.headers.get("Proxy-Authorization"))


def _forward(request: RecordedRequest) -> Answer:
    """The answer of the destination."""
    headers = {
        name: value for name, value in request.headers.items() if not name.lower().startswith("proxy-")
    }
    with requests.Session() as session:
        session.trust_env = False
        sent = requests.Request(request.method, request.target, headers, data=request.body).prepare()
        answer = session.send(sent, allow_redirects=False, timeout=5)
    kept = [(name, value) for name, value in answer.headers.items() if name == "Location"]
    return Answer(answer.status_code, answer.content, headers=[("Connection", "close"), *kept])


@contextmanager
def connected(server: LoopbackServer, port: int) -> Iterator[socket.socket]:
    """A connection to another port of loopback, in the care of a server."""
    with socket.create_connection((LOOPBACK, port), timeout=5) as upstream:
        upstream.settimeout(None)
        server.adopt(upstream)
        yield upstream


def relay(client: socket.socket, upstream: socket.socket) -> None:
    """Copies bytes in both directions until either side ends."""
    with selectors.DefaultSelector() as selector:
        selector.register(client, selectors.EVENT_READ, upstream)
        selector.register(upstream, selectors.EVENT_READ, client)
        while True:
            for key, _ in selector.select():
                piece = key.fileobj.recv(PIECE)
                if not piece:
                    return
                key.data.sendall(piece)
