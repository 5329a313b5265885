"""A small ThingSpace that asks for a client certificate, and writes down who called what."""

from __future__ import annotations

import socket
import ssl
from pathlib import Path

import trustme

from ..hostile import json_answer
from ..hostile._loopback import LOOPBACK, LoopbackServer
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
