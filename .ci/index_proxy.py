"""A company's proxy: it leads to the package index, and neither to this machine nor to ThingSpace.

Prints its port, then serves until it is killed. Each request that it refuses is a line on stderr: nothing in
this repository should have sent it.
"""

from __future__ import annotations

import ipaddress
import select
import socket
import socketserver
import sys
from contextlib import suppress
from urllib.parse import urlsplit

PIECE = 65536  # bytes


def is_foreign(host: str) -> bool:
    """Whether `host` is a machine that a package index may be on."""
    if host == "verizon.com" or host.endswith(".verizon.com"):
        return False
    with suppress(ValueError):
        return not ipaddress.ip_address(host).is_loopback
    return host.rpartition(".")[2] != "localhost"


class Request(socketserver.StreamRequestHandler):
    """One tunnel, or one request by plain HTTP."""

    def handle(self) -> None:
        """Read the head, connect, and relay what comes on either side."""
        method, target, _ = self.rfile.readline().decode("latin-1").split(maxsplit=2)
        head = b"".join(iter(self.rfile.readline, b"\r\n"))
        place = urlsplit(f"//{target}" if method == "CONNECT" else target)
        if not is_foreign(place.hostname or "localhost"):
            print(f"the proxy refused {method} {place.netloc}", file=sys.stderr, flush=True)
            self.wfile.write(b"HTTP/1.1 403 Only the package index\r\nContent-Length: 0\r\n\r\n")
            return
        with socket.create_connection((place.hostname, place.port or 80), 60) as index:
            if method == "CONNECT":
                self.wfile.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            else:
                path = place._replace(scheme="", netloc="").geturl() or "/"
                start = f"{method} {path} HTTP/1.1\r\nConnection: close\r\n".encode("latin-1")
                kept = [line for line in head.splitlines(True) if b"connection:" not in line.lower()]
                index.sendall(b"".join([start, *kept, b"\r\n"]))
            self.relay(index)

    def relay(self, index: socket.socket) -> None:
        """Copy bytes in both directions until one side ends."""
        ways = {self.connection: index, index: self.connection}
        with suppress(OSError):
            while True:
                for source in select.select(list(ways), [], [])[0]:
                    piece = source.recv(PIECE)
                    if not piece:
                        return
                    ways[source].sendall(piece)


class Proxy(socketserver.ThreadingTCPServer):
    """A thread for each connection."""

    daemon_threads = True
    request_queue_size = 128


with Proxy(("127.0.0.1", 0), Request) as proxy:
    print(proxy.server_address[1], flush=True)
    proxy.serve_forever()
