"""`ForwardProxy`: a small real HTTP proxy on loopback, to prove that a call goes through the Session's proxy.

It tunnels (CONNECT) and forwards (absolute URIs), asks for Basic credentials if it has any, and writes down
what it saw. It never leaves loopback: other names must be routed to a loopback port, or are hung up on.
"""

from __future__ import annotations

import base64
import selectors
import socket
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

from ._certificates import LOOPBACK_NAMES
from ._loopback import LOOPBACK, LoopbackServer
from ._wire import PIECE, Ending, RecordedRequest, Wire

REFUSAL = (
    b'HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm="loopback"\r\n'
    b"Content-Length: 0\r\nConnection: close\r\n\r\n"
)
_HOP_HEADERS = frozenset({"connection", "proxy-connection", "proxy-authorization", "keep-alive"})


@dataclass(frozen=True)
class ProxiedRequest:
    """What the proxy saw; `authority` is host:port of the destination."""

    method: str
    target: str
    authority: str
    headers: Mapping[str, str]
    admitted: bool


class ForwardProxy(LoopbackServer):
    """A context manager; `url` goes into `session.proxies`."""

    def __init__(
        self, username: str | None = None, password: str = "", *, routes: Mapping[str, int] | None = None
    ) -> None:
        """`routes` sends `"host:port"` to a port of loopback, so that real names can be tested."""
        super().__init__("proxy")
        self._routes = dict(routes or {})
        self._credentials = None if username is None else f"{username}:{password}"
        self._seen = threading.Lock()  # guards _requests
        self._requests: list[ProxiedRequest] = []
        self.bare_url = f"http://{LOOPBACK}:{self.port('proxy')}"
        user = "" if username is None else f"{quote(username, safe='')}:{quote(password, safe='')}@"
        self.url = self.bare_url.replace("://", f"://{user}")

    @property
    def requests(self) -> list[ProxiedRequest]:
        """What was asked of the proxy so far, refused requests included."""
        with self._seen:
            return list(self._requests)

    @property
    def proxies(self) -> dict[str, str]:
        """For `Session.proxies`: this proxy for both schemes."""
        return {"http": self.url, "https": self.url}

    def count(self, method: str | None = None, authority: str | None = None) -> int:
        """How many admitted requests had this method and this destination."""
        return sum(
            seen.admitted and method in (None, seen.method) and authority in (None, seen.authority)
            for seen in self.requests
        )

    def serve(self, connection: socket.socket, listener: str) -> None:
        """Serves one request or one tunnel, and closes."""
        wire = Wire(self, connection, listener)
        request = wire.read_request()
        if request is None:
            return
        authority = _authority_of(request)
        admitted = self._admits(request)
        with self._seen:
            self._requests.append(
                ProxiedRequest(request.method, request.target, authority, request.headers, admitted)
            )
        if not admitted:
            wire.send(REFUSAL)
            return
        upstream = self._connect(authority)
        try:
            if request.method == "CONNECT":
                wire.send(b"HTTP/1.1 200 Connection established\r\n\r\n")
            else:
                upstream.sendall(_forwarded(request))
                _relay_head(connection, upstream)
            _relay(connection, upstream)
            wire.end(Ending.CLOSE)
        finally:
            self.release(upstream)

    def _admits(self, request: RecordedRequest) -> bool:
        """Whether the credentials are right, or none are needed."""
        if self._credentials is None:
            return True
        expected = base64.b64encode(self._credentials.encode()).decode()
        return request.headers.get("Proxy-Authorization", "") == f"Basic {expected}"

    def _connect(self, authority: str) -> socket.socket:
        """A connection to the destination, which is on loopback; else an OSError ends the client's."""
        host, _, port = authority.rpartition(":")
        if authority not in self._routes and host not in LOOPBACK_NAMES:
            raise ConnectionRefusedError(f"not a loopback destination: {authority}")
        upstream = socket.create_connection((LOOPBACK, self._routes.get(authority, int(port))), timeout=5)
        upstream.settimeout(None)
        self.adopt(upstream)
        return upstream


def _authority_of(request: RecordedRequest) -> str:
    """host:port of the destination."""
    if request.method == "CONNECT":
        return request.target
    parts = urlsplit(request.target)
    return f"{parts.hostname}:{parts.port or 80}"


def _forwarded(request: RecordedRequest) -> bytes:
    """The request as the destination should see it."""
    parts = urlsplit(request.target)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    lines = [f"{request.method} {path} HTTP/1.1", "Connection: close"]
    kept = [name for name in request.headers if name.lower() not in _HOP_HEADERS]
    lines += [f"{name}: {request.headers[name]}" for name in kept]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + request.body


def _relay_head(client: socket.socket, upstream: socket.socket) -> None:
    """Copies the head of the answer, and says in it that the connection ends with the answer."""
    head = b""
    while b"\r\n\r\n" not in head and (piece := upstream.recv(PIECE)):
        head += piece
    client.sendall(head.replace(b"\r\n", b"\r\nConnection: close\r\n", 1))


def _relay(client: socket.socket, upstream: socket.socket) -> None:
    """Copies bytes in both directions until either side ends."""
    with selectors.DefaultSelector() as selector:
        selector.register(client, selectors.EVENT_READ, upstream)
        selector.register(upstream, selectors.EVENT_READ, client)
        while True:
            for key, _ in selector.select():
                source, sink = (client, upstream) if key.data is upstream else (upstream, client)
                piece = source.recv(PIECE)
                if not piece:
                    return
                sink.sendall(piece)
