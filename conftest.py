"""The examples in README.rst and docs/ run as they stand, and as the reader would run them.

They speak to https://thingspace.verizon.com, as client-id with client-secret. Between them and the Internet
stands a proxy, found by HTTPS_PROXY as any proxy is, that leads the names of ThingSpace to a `Sandbox`.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import socketserver
import ssl
import threading
from collections.abc import Iterator
from doctest import ELLIPSIS
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import trustme
from sybil import Sybil
from sybil.parsers.rest import DocTestParser, PythonCodeBlockParser, SkipParser

from requests_thingspace import PRODUCTION
from requests_thingspace.sandbox import Sandbox


class _TunnelToTheSandbox(socketserver.BaseRequestHandler):
    """One CONNECT: behind it is the sandbox, with a certificate for the name that was asked for."""

    def handle(self) -> None:
        """Open the tunnel, take the TLS off, and put the sandbox's own on."""
        with self.request.makefile("rb", buffering=0) as head:
            asked = head.readline().split()
            while head.readline().strip():
                pass
        origin = self.server.origins.get(asked[1].decode())
        if origin is None:
            self.request.sendall(b"HTTP/1.1 502 That is not ThingSpace\r\n\r\n")
            return
        self.request.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        place = urlsplit(origin)
        with contextlib.suppress(OSError), contextlib.ExitStack() as open_sockets:
            front = self.server.front.wrap_socket(self.request, server_side=True)
            plain = socket.create_connection((place.hostname, place.port))
            back = self.server.back.wrap_socket(plain, server_hostname=place.hostname)
            open_sockets.enter_context(back)
            open_sockets.enter_context(front)
            _relay(front, back)


class _ProxyToTheSandbox(socketserver.ThreadingTCPServer):
    """A proxy that knows the way to ThingSpace and to nowhere else."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, sandbox: Sandbox, authority: trustme.CA) -> None:
        super().__init__(("127.0.0.1", 0), _TunnelToTheSandbox)
        names = [urlsplit(origin).hostname for origin in PRODUCTION.origins]
        places = (sandbox.origin, sandbox.imp_origin, sandbox.edge_origin)
        self.origins = {f"{name}:443": place for name, place in zip(names, places, strict=True)}
        self.front = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(*names).configure_cert(self.front)
        self.back = ssl.create_default_context(cafile=sandbox.ca_file)
        self.url = "http://{}:{}".format(*self.server_address)


def _relay(one: ssl.SSLSocket, other: ssl.SSLSocket) -> None:
    """Copy what comes on either side to the other, until one ends."""
    ways = {one: other, other: one}
    while True:
        ready = [end for end in ways if end.pending()] or select.select(list(ways), [], [])[0]
        for source in ready:
            source.setblocking(False)
            try:
                piece = source.recv(65536)
            except ssl.SSLWantReadError:  # readable, but nothing that is meant for us
                continue
            finally:
                source.setblocking(True)
            if not piece:
                return
            ways[source].sendall(piece)


@pytest.fixture(scope="session")
def documented_thingspace(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[Sandbox, dict[str, str], Path]]:
    """A sandbox with the credentials of the pages, and the environment by which the pages reach it."""
    home = tmp_path_factory.mktemp("reader")
    known = {
        "client_id": "client-id",
        "client_secret": "client-secret",
        "username": "uws-user",
        "password": "uws-password",
    }
    authority = trustme.CA()
    with Sandbox(**known) as sandbox, _ProxyToTheSandbox(sandbox, authority) as proxy:
        bundle = home / "ca.pem"
        bundle.write_bytes(authority.cert_pem.bytes() + Path(sandbox.ca_file).read_bytes())
        threading.Thread(target=proxy.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        environment = {f"THINGSPACE_{name.upper()}": value for name, value in known.items()}
        environment |= {"HTTPS_PROXY": proxy.url, "NO_PROXY": "127.0.0.1", "REQUESTS_CA_BUNDLE": str(bundle)}
        yield sandbox, environment, home
        proxy.shutdown()


@pytest.fixture
def as_a_reader(
    request: pytest.FixtureRequest,
    documented_thingspace: tuple[Sandbox, dict[str, str], Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One example runs in the reader's environment; each page begins with a clean sandbox."""
    sandbox, environment, home = documented_thingspace
    for name in list(os.environ):
        if name.lower().endswith("_proxy") or name.startswith("THINGSPACE_"):
            monkeypatch.delenv(name)
    for name in ("HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME", "LOCALAPPDATA"):
        monkeypatch.setenv(name, str(home))
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(home)
    namespace = request.node.example.namespace
    if "documented_sandbox" not in namespace:
        sandbox.reset()
        namespace["documented_sandbox"] = sandbox


pytest_collect_file = Sybil(
    parsers=[DocTestParser(ELLIPSIS), PythonCodeBlockParser(), SkipParser()],
    patterns=["README.rst", "docs/*.rst", "docs/*/*.rst"],
    fixtures=["as_a_reader"],
).pytest()
