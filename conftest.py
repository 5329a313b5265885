"""The examples in README.rst and docs/ run as they stand, and as the reader would run them.

They speak to https://thingspace.verizon.com, as client-id with client-secret. Between them and the Internet
stands a proxy, found by HTTPS_PROXY as any proxy is, that leads the names of ThingSpace to a `Sandbox`.

An example may run by itself, in any order and in any process: those above it on its page run first.

No test, here or in tests/, depends on the proxies and credentials that the machine has set.
"""

from __future__ import annotations

import contextlib
import gc
import logging
import os
import select
import signal
import socket
import socketserver
import ssl
import threading
import warnings
from collections.abc import Iterator
from doctest import ELLIPSIS
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
import trustme
from sybil import Sybil
from sybil.parsers.rest import DocTestParser, PythonCodeBlockParser, SkipParser

from requests_thingspace import PRODUCTION
from requests_thingspace.sandbox import Sandbox

for name in list(os.environ):
    if name.startswith("THINGSPACE_") or name.lower().endswith("_proxy"):
        del os.environ[name]
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a shell does that to what runs in the background
    signal.signal(signal.SIGINT, signal.default_int_handler)


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
        self.origins = {f"{name}:443": place for name, place in zip(names, places)}
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
) -> Iterator[tuple[Sandbox, dict[str, str]]]:
    """A sandbox with the credentials of the pages, and the environment by which the pages reach it."""
    known = {
        "client_id": "client-id",
        "client_secret": "client-secret",
        "username": "uws-user",
        "password": "uws-password",
    }
    authority = trustme.CA()
    with Sandbox(**known) as sandbox, _ProxyToTheSandbox(sandbox, authority) as proxy:
        bundle = tmp_path_factory.mktemp("reader") / "ca.pem"
        bundle.write_bytes(authority.cert_pem.bytes() + Path(sandbox.ca_file).read_bytes())
        threading.Thread(target=proxy.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        environment = {f"THINGSPACE_{name.upper()}": value for name, value in known.items()}
        environment |= {"HTTPS_PROXY": proxy.url, "NO_PROXY": "127.0.0.1", "REQUESTS_CA_BUNDLE": str(bundle)}
        yield sandbox, environment
        proxy.shutdown()


def _close_page(namespace: dict[str, Any]) -> None:
    """Forget what the examples of a page have made: it was left in the middle, so some of it may be open."""
    made = [thing for name, thing in namespace.items() if not name.startswith("documented_")]
    namespace.clear()
    for kind in (requests.Response, requests.Session, Sandbox):
        for thing in made:
            if isinstance(thing, kind):
                thing.close()
    if made:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)
            del made, thing
            gc.collect()


@pytest.fixture(scope="session")
def opened_pages() -> Iterator[dict[str, dict[str, Any]]]:
    """The namespace of each page that an example has run on, by its path."""
    pages: dict[str, dict[str, Any]] = {}
    yield pages
    for namespace in pages.values():
        _close_page(namespace)


@pytest.fixture
def log_levels() -> Iterator[None]:
    """What an example sets up for the log ends with it."""
    root, ours = logging.getLogger(), logging.getLogger("requests_thingspace")
    before = root.handlers[:], root.level, ours.level
    yield
    root.handlers[:] = before[0]
    root.setLevel(before[1])
    ours.setLevel(before[2])


@pytest.fixture
def as_a_reader(
    request: pytest.FixtureRequest,
    documented_thingspace: tuple[Sandbox, dict[str, str]],
    opened_pages: dict[str, dict[str, Any]],
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One example runs in the reader's environment, after those above it on its page.

    Each page begins with a clean sandbox and an empty home.
    """
    sandbox, environment = documented_thingspace
    example = request.node.example
    page, namespace = example.document, example.namespace
    above = [other for other in page.examples() if other.start < example.start]
    goes_on = namespace.get("documented_starts", []) == [other.start for other in above]
    if not goes_on or not above:
        for evaluator in list(page.evaluators):  # a "skip: next" that waits for its example
            evaluator.remove(example)
        _close_page(namespace)
        opened_pages[example.path] = namespace
        namespace["documented_home"] = tmp_path_factory.mktemp("reader")
        namespace["documented_sandbox"] = sandbox
        sandbox.reset()
    home = namespace["documented_home"]
    for name in ("HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME", "LOCALAPPDATA"):
        monkeypatch.setenv(name, str(home))
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(home)
    readers = dict(os.environ)
    for other in () if goes_on else above:
        other.evaluate()
        os.environ.clear()  # what an example changes there ends with it
        os.environ.update(readers)
    namespace["documented_starts"] = [other.start for other in (*above, example)]


pytest_collect_file = Sybil(
    parsers=[DocTestParser(ELLIPSIS), PythonCodeBlockParser(), SkipParser()],
    patterns=["README.rst", "docs/*.rst", "docs/*/*.rst"],
    fixtures=["log_levels", "as_a_reader"],
).pytest()
