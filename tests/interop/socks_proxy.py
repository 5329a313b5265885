"""A SOCKS5 proxy on loopback (RFC 1928): just enough of one to prove that a call went through it."""

from __future__ import annotations

import socket
import struct

from ..hostile._loopback import LoopbackServer
from ..hostile._proxy import connected, relay

_NO_AUTHENTICATION = b"\x05\x00"
_CONNECTED = b"\x05\x00\x00\x01" + bytes(6)
_NAME = 3


class SocksProxy(LoopbackServer):
    """A context manager; `url` goes into `session.proxies`.

    Attributes:
        destinations: the ``host:port`` of each tunnel so far.
    """

    def __init__(self) -> None:
        super().__init__("socks")
        self.url = f"socks5h://127.0.0.1:{self.port('socks')}"
        self.destinations: list[str] = []

    def serve(self, connection: socket.socket, listener: str) -> None:
        with connection.makefile("rb", buffering=0) as stream:
            _, methods = stream.read(2)
            stream.read(methods)
            connection.sendall(_NO_AUTHENTICATION)
            is_named = stream.read(4)[3] == _NAME
            host = stream.read(stream.read(1)[0]).decode() if is_named else socket.inet_ntoa(stream.read(4))
            (port,) = struct.unpack("!H", stream.read(2))
        self.destinations.append(f"{host}:{port}")
        with connected(self, port) as upstream:
            connection.sendall(_CONNECTED)
            relay(connection, upstream)
