"""A small ThingSpace that asks for a client certificate, and writes down who called what."""

from __future__ import annotations

import json
import ssl
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import trustme


class _ThingSpace(BaseHTTPRequestHandler):
    """Gives a token to whoever asks, and an empty document for all else."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer, and note the e-mail address in the client's certificate."""
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        ((_, caller),) = self.connection.getpeercert()["subjectAltName"]
        self.server.callers.append((self.path, caller))
        body = json.dumps({"access_token": "a-token", "expires_in": 3600}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET  # noqa: N815 - the same

    def log_message(self, *arguments) -> None:
        """Be quiet."""


class _Server(ThreadingHTTPServer):
    """Shakes hands in the thread of the connection, and keeps its failures to itself."""

    daemon_threads = False
    allow_reuse_address = False

    def __init__(self, context: ssl.SSLContext) -> None:
        super().__init__(("127.0.0.1", 0), _ThingSpace)
        self.callers: list[tuple[str, str]] = []
        self._context = context

    def finish_request(self, request, client_address) -> None:
        """Put TLS around the connection first."""
        with self._context.wrap_socket(request, server_side=True) as secured:
            super().finish_request(secured, client_address)

    def handle_error(self, request, client_address) -> None:
        """A client without a certificate is turned away, and that is all."""


@contextmanager
def mutual_tls(folder: Path):
    """Serve, and give `origin`, `ca_file`, `certificate` (a path) and `callers` (path and e-mail address)."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.verify_mode = ssl.CERT_REQUIRED
    authority.configure_trust(context)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    server = _Server(context)
    server.origin = "https://{}:{}".format(*server.server_address)
    server.ca_file, server.certificate = str(folder / "ca.pem"), str(folder / "client.pem")
    authority.cert_pem.write_to_path(server.ca_file)
    client = authority.issue_cert("client@example.com")
    client.private_key_and_cert_chain_pem.write_to_path(server.certificate)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
