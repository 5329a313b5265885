"""A SOCKS5 proxy on loopback (RFC 1928): just enough of one to prove that a call went through it."""

from __future__ import annotations

import socket
import struct

from ..hostile._loopback import LoopbackServer
from ..hostile._proxy import connected, relay


class SocksProxy(LoopbackServer):
    """A context manager; `url` goes into `session.proxies`; `destinations` are ``host:port``."""

    def __init__(self) -> None:
        super().__init__("socks")
        self.url = f"socks5h://127.0.0.1:{self.port('socks')}"
        self.destinations: list[str] = []

    def serve(self, connection: socket.socket, listener: str) -> None:
        with connection.makefile("rb", buffering=0) as stream:
            _, methods = stream.read(2)
            stream.read(methods)
            connection.sendall(b"\x05\x00")  # no authentication
            kind = stream.read(4)[3]  # 1: an address, 3: a name
            host = socket.inet_ntoa(stream.read(4)) if kind == 1 else stream.read(stream.read(1)[0]).decode()
            (port,) = struct.unpack("!H", stream.read(2))
        self.destinations.append(f"{host}:{port}")
        with connected(self, port) as upstream:
            connection.sendall(b"\x05\x00\x00\x01" + bytes(6))  # connected
            relay(connection, upstream)
