"""A SOCKS5 proxy on loopback (RFC 1928): just enough of one to prove that a call went through it."""

from __future__ import annotations

import socket
import struct
import threading

from ..hostile._loopback import LoopbackServer
from ..hostile._proxy import _relay

_NO_AUTHENTICATION = b"\x05\x00"
_CONNECTED = b"\x05\x00\x00\x01" + bytes(6)
_IPV4, _NAME = 1, 3


class SocksProxy(LoopbackServer):
    """A context manager; `url` goes into `session.proxies`."""

    def __init__(self) -> None:
        super().__init__("socks")
        self.url = f"socks5h://127.0.0.1:{self.port('socks')}"
        self._seen = threading.Lock()  # guards _destinations
        self._destinations: list[str] = []

    @property
    def destinations(self) -> list[str]:
        """The ``host:port`` of each tunnel so far."""
        with self._seen:
            return list(self._destinations)

    def serve(self, connection: socket.socket, listener: str) -> None:
        """Serve one tunnel."""
        with connection.makefile("rb", buffering=0) as stream:
            _, methods = stream.read(2)
            stream.read(methods)
            connection.sendall(_NO_AUTHENTICATION)
            kind = stream.read(4)[3]
            if kind == _IPV4:
                host = socket.inet_ntoa(stream.read(4))
            else:
                assert kind == _NAME
                host = stream.read(stream.read(1)[0]).decode()
            (port,) = struct.unpack("!H", stream.read(2))
        with self._seen:
            self._destinations.append(f"{host}:{port}")
        upstream = socket.create_connection((host, port), timeout=5)
        upstream.settimeout(None)
        self.adopt(upstream)
        try:
            connection.sendall(_CONNECTED)
            _relay(connection, upstream)
        finally:
            self.release(upstream)
