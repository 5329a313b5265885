"""One origin is one HTTPS server, with a thread for each connection; closed, it leaves nothing behind.

http.server reads requests from a connection and writes the answers. Here is what it lacks: TLS, bodies that
come in chunks, and an end that cuts the open connections. A thread ends with its connection, since OpenSSL
remembers a failed write for all later connections of a thread
(https://github.com/python/cpython/issues/148594).
"""

from __future__ import annotations

import logging
import os
import socket
import socketserver
import ssl
import sys
import tempfile
import threading
from collections.abc import Callable
from contextlib import ExitStack, suppress
from functools import partial
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, unquote

import trustme
from requests.structures import CaseInsensitiveDict

from ._messages import Answer, Place, Request


class _Connection(BaseHTTPRequestHandler):
    server: _Listener
    protocol_version = "HTTP/1.1"  # connections are kept
    disable_nagle_algorithm = True
    timeout = 60  # seconds that a client may say nothing

    def __getattr__(self, name: str) -> Any:
        """One method in place of ``do_GET``, ``do_POST`` and all others that http.server asks for."""
        if name.startswith("do_"):
            return self._exchange
        raise AttributeError(name)

    def _exchange(self) -> None:
        path, _, query = self.path.partition("?")
        parameters = {name: values[0] for name, values in parse_qs(query).items()}
        body = self._read_body()
        answer = self.server.respond(Request(self.command, unquote(path), parameters, self.headers, body))
        if answer.status:
            self._send(answer)
        else:
            self.close_connection = True

    def _read_body(self) -> bytes:
        """All of it, so that the connection can be kept, whatever the answer is."""
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", "0")))
        body = bytearray()
        while size := int(self.rfile.readline().partition(b";")[0], 16):  # without the chunk's extensions
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return bytes(body)

    def _send(self, answer: Answer) -> None:
        """Send it; if its body is not as long as its headers say, the connection ends with it."""
        headers = CaseInsensitiveDict({"Date": self.date_time_string(), **answer.headers})
        content = b"" if answer.status in (204, 205, 304) else answer.body
        if isinstance(content, bytes):
            headers.setdefault("Content-Length", str(len(content)))
            content = (content,)
        if threading.current_thread() is self.server.thread:
            headers["Connection"] = "close"
        self.send_response_only(answer.status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            sent = sum(map(self.wfile.write, content))
            self.close_connection |= str(sent) != headers["Content-Length"]

    def log_message(self, *_: object) -> None:
        """Write nothing to stderr."""


class _Listener(socketserver.ThreadingTCPServer):
    """The server of one origin on 127.0.0.1."""

    allow_reuse_address = os.name != "nt"  # there it would let two servers listen on one port
    request_queue_size = 256
    timeout = 0.5  # seconds until it looks at `closing` if nobody connects

    def __init__(self, respond: Callable[[Request], Answer], tls: ssl.SSLContext, port: int) -> None:
        try:
            super().__init__(("127.0.0.1", port), _Connection)
        except OSError as refused:
            text = f"The sandbox cannot listen on 127.0.0.1:{port}; is the port in use? {refused}"
            raise OSError(text) from None
        self.respond = respond
        self.closing = False
        self._tls = tls
        self._connections: list[tuple[ssl.SSLSocket, threading.Thread]] = []
        # Its threads are daemons: a sandbox that nobody closed ends with its process.
        self.thread = threading.Thread(target=self._accept, name="ThingSpace sandbox", daemon=True)
        self.thread.start()

    def _accept(self) -> None:
        while not self.closing:
            self.handle_request()

    def get_request(self) -> tuple[Any, Any]:
        """Accept a connection; TLS begins with the first byte that is read, in the connection's thread."""
        accepted, address = self.socket.accept()
        return self._tls.wrap_socket(accepted, server_side=True, do_handshake_on_connect=False), address

    def process_request(self, request: Any, client_address: Any) -> None:
        """Serve a connection in a thread, or here if Python, which is about to exit, starts no more."""
        work = partial(self.process_request_thread, request, client_address)
        thread = threading.Thread(target=work, name="ThingSpace sandbox", daemon=True)
        try:
            thread.start()
        except RuntimeError:
            work()
        else:
            self._connections = [known for known in self._connections if known[1].is_alive()]
            self._connections.append((request, thread))

    def handle_error(self, *_: object) -> None:
        """Tell logging, not stderr; of an exception only its type, for its text may quote a request."""
        kind = getattr(sys.exc_info()[0], "__name__", None)
        logging.getLogger("requests_thingspace.sandbox").debug("connection broken: %s", kind)

    def close(self) -> None:
        """Stop serving: cut all connections, end all threads."""
        self.closing = True
        with suppress(OSError):  # wakes the thread that accepts
            socket.create_connection(("127.0.0.1", self.server_address[1])).close()
        self.thread.join()
        for connection, thread in self._connections:
            with suppress(OSError):
                # Not SSLSocket.shutdown, which drops the TLS state that the thread is using.
                socket.socket.shutdown(connection, socket.SHUT_RDWR)
            thread.join()
        self.server_close()


class Running:
    """What a sandbox has between start and close: certificates, and a server for each origin."""

    def __init__(self, respond: Callable[[Place, Request], Answer], port: int) -> None:
        with ExitStack() as opened:
            folder = opened.enter_context(tempfile.TemporaryDirectory(prefix="thingspace-sandbox-"))
            self.ca_file = os.path.join(folder, "ca.pem")
            authority, tls = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            authority.cert_pem.write_to_path(self.ca_file)
            authority.issue_cert("localhost", "127.0.0.1", "::1").configure_cert(tls)
            self.origins: dict[Place, str] = {}
            for place in Place:
                listener = _Listener(partial(respond, place), tls, port if place is Place.MAIN else 0)
                opened.callback(listener.close)
                self.origins[place] = f"https://127.0.0.1:{listener.server_address[1]}"
            self.close = opened.pop_all().close
