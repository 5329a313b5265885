"""One origin is one cheroot server; when it is closed, no thread, socket or connection of it is left.

It differs from plain cheroot in four ways: the TLS handshake happens in a worker's thread (cheroot's own
adapters do it in the thread that accepts, where one silent client stops all others), its log goes to logging
instead of stderr, open connections are cut at once when the server closes, and a broken connection leaves no
trace in its thread.
"""

from __future__ import annotations

import logging
import os
import socket
import ssl
import sys
import tempfile
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from typing import Any

import requests
import trustme
from cheroot.makefile import MakeFile
from cheroot.server import HTTPConnection
from cheroot.wsgi import Server

from ._gateway import Place

_WORKERS = 72  # threads of one origin: 64 parallel requests, and some for connections that say nothing
_HANDSHAKE = 5.0  # seconds that a client has for its handshake
_IDLE = 60  # seconds after which an idle keep-alive connection is closed

_log = logging.getLogger("requests_thingspace.sandbox")


def forget_tls_errors(context: ssl.SSLContext) -> None:
    """Clear what OpenSSL remembers of failures in this thread.

    A write that failed stays in the thread's error queue (CPython does not clear it,
    https://github.com/python/cpython/issues/148594). With OpenSSL 3.4 and later the next read in this
    thread, of whatever connection, that has to wait for its client fails with it: "Broken pipe". Each
    handshake begins by clearing the queue, so this starts one that leads nowhere.
    """
    with suppress(ssl.SSLWantReadError):
        context.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_side=True).do_handshake()


class _Connection(HTTPConnection):
    """A connection that begins TLS with its first request, and that its server can cut."""

    def __init__(self, server: Any, sock: Any, makefile: Any = MakeFile) -> None:
        super().__init__(server, sock, makefile)
        server.connections_now.add(self)

    def communicate(self) -> bool:
        """Serve the next request; ``True`` keeps the connection."""
        if not isinstance(self.socket, ssl.SSLSocket):
            try:
                self._shake_hands()
            except OSError as failed:
                _log.debug("TLS handshake failed: %s", type(failed).__name__)
                return False
        return bool(super().communicate())  # type: ignore[no-untyped-call]

    def _shake_hands(self) -> None:
        self.socket = self.server.tls.wrap_socket(
            self.socket, server_side=True, do_handshake_on_connect=False
        )
        self.socket.settimeout(_HANDSHAKE)
        self.socket.do_handshake()
        self.socket.settimeout(_IDLE)
        self.rfile, self.wfile = MakeFile(self.socket, "rb"), MakeFile(self.socket, "wb")

    def cut(self) -> None:
        """Wake whoever reads from or writes to this connection; its worker then closes it."""
        with suppress(OSError):
            # Not SSLSocket.shutdown, which drops the TLS state that a worker is using.
            socket.socket.shutdown(self.socket, socket.SHUT_RDWR)

    def close(self) -> None:
        """Close the connection, and drop what could not be sent any more."""
        self.server.connections_now.discard(self)
        super().close()
        # cheroot leaves the writer to the garbage collector, which complains about unsent bytes.
        with suppress(OSError, ValueError):
            self.wfile.close()
        forget_tls_errors(self.server.tls)


class _Listener(Server):
    """cheroot's WSGI server for one origin on 127.0.0.1, which begins to serve at once."""

    ConnectionClass = _Connection
    expiration_interval = 0.05  # seconds; also how long stop() takes to be noticed
    keep_alive_conn_limit = 4096

    def __init__(self, application: Any, tls: ssl.SSLContext, port: int) -> None:
        super().__init__(
            ("127.0.0.1", port),
            application,
            numthreads=_WORKERS,
            server_name="ThingSpace sandbox",
            request_queue_size=256,
            timeout=_IDLE,
            shutdown_timeout=1,
        )
        self.tls = tls
        self.connections_now: set[_Connection] = set()
        self.origin: Future[str] = Future()  # where it serves; an OSError if the port cannot be bound
        self.closing = threading.Event()  # once set, it stops serving soon
        # The workers inherit "daemon" from these: a sandbox that nobody closed ends with its process. The one
        # that stops the server is there from the start, since at exit Python makes no more threads.
        self._own = [
            threading.Thread(target=target, name="ThingSpace sandbox", daemon=True)
            for target in (self._run, self._stop)
        ]
        for thread in self._own:
            thread.start()

    def close(self) -> None:
        """Stop serving: cut all connections, end all threads."""
        self.closing.set()
        for thread in self._own:
            # Again and again, for a connection may be accepted while the server stops.
            while thread.is_alive():
                for connection in list(self.connections_now):
                    connection.cut()
                thread.join(0.02)
        # cheroot keeps the statistics of every server there, and with them the server itself.
        statistics: dict[str, Any] = getattr(logging, "statistics", {})
        statistics.pop(f"Cheroot HTTPServer {id(self)}", None)

    def _run(self) -> None:
        wanted = "{}:{}".format(*self.bind_addr)
        try:
            self.prepare()
        except OSError as refused:
            text = f"The sandbox cannot listen on {wanted}; is the port in use? {refused}"
            self.origin.set_exception(OSError(text))
            return
        self.origin.set_result(f"https://127.0.0.1:{self.bind_addr[1]}")
        self.serve()

    def _stop(self) -> None:
        self.closing.wait()
        if self.origin.exception() is None:
            self.stop()

    def error_log(self, msg: str = "", level: int = 20, traceback: bool = False) -> None:
        """Tell logging, not stderr; of an exception only its type, for its text may quote a request."""
        failure = sys.exc_info()[0]
        _log.debug("cheroot, level %d: %s", level, failure.__name__ if traceback and failure else msg)

    @staticmethod
    def bind_socket(socket_: Any, bind_addr: Any) -> Any:
        """Bind, or close: cheroot would leave a socket that cannot be bound to the garbage collector."""
        try:
            socket_.bind(bind_addr)
        except OSError:
            socket_.close()
            raise
        return socket_

    def _serve_unservicable(self) -> None:
        """Spare cheroot's thread for turned away connections: the queue here has no limit."""


class Running:
    """What a sandbox has between start and close: certificates, three listeners, Sessions handed out.

    `serve` is a WSGI application with the place as its first argument.
    """

    def __init__(self, serve: Callable[..., Any], port: int) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="thingspace-sandbox-")
        self.ca_file = os.path.join(self._folder.name, "ca.pem")
        self._lock = threading.Lock()  # guards _sessions
        self._sessions: weakref.WeakSet[requests.Session] = weakref.WeakSet()
        context = self._new_context()
        self._listeners = {
            place: _Listener(partial(serve, place), context, port if place is Place.MAIN else 0)
            for place in Place
        }
        try:
            self.origins = {place: listener.origin.result() for place, listener in self._listeners.items()}
        except OSError:
            self.close()
            raise

    def _new_context(self) -> ssl.SSLContext:
        """A certificate for loopback, of an authority of its own.

        OpenSSL takes a key only from a file, so the server's key is one for a moment, in a folder which only
        the user can read and which goes away with the sandbox.
        """
        authority = trustme.CA()
        authority.cert_pem.write_to_path(self.ca_file)
        leaf = authority.issue_cert("localhost", "127.0.0.1", "::1")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        with leaf.private_key_and_cert_chain_pem.tempfile(self._folder.name) as path:
            context.load_cert_chain(path)
        return context

    def new_session(self) -> requests.Session:
        """A Session that trusts the certificates, and ignores the machine's proxies and netrc."""
        session = requests.Session()
        session.trust_env = False
        session.verify = self.ca_file
        with self._lock:
            self._sessions.add(session)
        return session

    def close_sessions(self) -> None:
        """Close the connections of the Sessions that were handed out and are still there."""
        with self._lock:
            sessions = list(self._sessions)
        for session in sessions:
            session.close()

    def close(self) -> None:
        for listener in self._listeners.values():
            listener.closing.set()
        for listener in self._listeners.values():
            listener.close()
        self.close_sessions()
        self._folder.cleanup()
