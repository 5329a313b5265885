"""Two servers on loopback: one that asks for a client certificate, and a SOCKS5 proxy (RFC 1928)."""

from __future__ import annotations

import socket
import ssl
import struct
from pathlib import Path

import trustme

from ..hostile import json_answer
from ..hostile._loopback import LOOPBACK, LoopbackServer
from ..hostile._proxy import connected, relay
from ..hostile._wire import Wire


class MutualTls(LoopbackServer):
    """It gives a token to whoever presents `certificate` (a path), and keeps each path and e-mail address."""

    def __init__(self, folder: Path) -> None:
        super().__init__("main")
        authority = trustme.CA()
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.verify_mode = ssl.CERT_REQUIRED
        authority.configure_trust(self._context)
        authority.issue_cert(LOOPBACK).configure_cert(self._context)
        self.origin = f"https://{LOOPBACK}:{self.port('main')}"
        self.callers: list[tuple[str, str]] = []
        self.ca_file, self.certificate = str(folder / "ca.pem"), str(folder / "client.pem")
        authority.cert_pem.write_to_path(self.ca_file)
        client = authority.issue_cert("client@example.com")
        client.private_key_and_cert_chain_pem.write_to_path(self.certificate)

    def serve(self, connection: socket.socket, listener: str) -> None:
        wire = Wire(self, connection)
        try:
            wire.start_tls(self._context)
            ((_, caller),) = wire.certificate["subjectAltName"]
            while request := wire.read_request():
                self.callers.append((request.path, caller))
                json_answer(200, {"access_token": "a-token", "expires_in": 3600})(wire, request)
        finally:
            wire.release()


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
