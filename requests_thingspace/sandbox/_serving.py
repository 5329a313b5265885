"""One origin is one cheroot server; when it is closed, no thread, socket or connection of it is left.

Three things differ from cheroot as it comes: the TLS handshake happens in a worker's thread (cheroot's own
adapters do it in the thread that accepts, where one silent client stops all others), its log goes to logging
instead of stderr, and open connections are cut at once when the server closes.
"""

from __future__ import annotations

import logging
import socket
import ssl
import sys
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from contextlib import suppress
from typing import Any

from cheroot.errors import FatalSSLAlert
from cheroot.makefile import MakeFile
from cheroot.server import HTTPConnection
from cheroot.ssl import Adapter
from cheroot.wsgi import Server

WORKERS = 72
"""Threads of one origin: 64 parallel requests, and some for connections that say nothing."""

_HANDSHAKE = 5.0  # seconds that a client has for its handshake
_IDLE = 60  # seconds after which an idle keep-alive connection is closed

_Application = Callable[[dict[str, Any], Callable[..., object]], Iterable[bytes]]

_log = logging.getLogger("requests_thingspace.sandbox")


class _LateHandshake(Adapter):
    """Wraps a connection in TLS, and leaves the handshake to `_Connection`."""

    def __init__(self, context: ssl.SSLContext) -> None:
        super().__init__(None, None)
        self.context = context

    def bind(self, sock: Any) -> Any:
        return sock

    def wrap(self, sock: Any) -> tuple[Any, dict[str, str]]:
        try:
            wrapped = self.context.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
        except OSError as gone:
            sock.close()
            raise FatalSSLAlert(*gone.args) from gone
        return wrapped, self.get_environ()

    def get_environ(self) -> dict[str, str]:
        return {"wsgi.url_scheme": "https", "HTTPS": "on"}

    def makefile(self, sock: Any, mode: str = "r", bufsize: int = -1) -> Any:
        return MakeFile(sock, mode, bufsize)


class _Connection(HTTPConnection):
    """A connection that shakes hands before its first request, and that its server can cut."""

    def __init__(self, server: Any, sock: Any, makefile: Any = MakeFile) -> None:
        super().__init__(server, sock, makefile)
        self._shaken = False
        server.opened(self)

    def communicate(self) -> bool:
        """Serve the next request; ``True`` keeps the connection."""
        if not self._shaken and not self._shake_hands():
            return False
        return bool(super().communicate())  # type: ignore[no-untyped-call]

    def _shake_hands(self) -> bool:
        patience = self.socket.gettimeout()
        try:
            self.socket.settimeout(_HANDSHAKE)
            self.socket.do_handshake()
            self.socket.settimeout(patience)
        except OSError as failed:
            _log.debug("TLS handshake failed: %s", type(failed).__name__)
            return False
        self._shaken = True
        return True

    def cut(self) -> None:
        """Wake whoever reads from or writes to this connection; its worker then closes it."""
        with suppress(OSError):
            # Not SSLSocket.shutdown, which drops the TLS state that a worker is using.
            socket.socket.shutdown(self.socket, socket.SHUT_RDWR)

    def close(self) -> None:
        """Close the connection, and drop what could not be sent any more."""
        self.server.closed(self)
        super().close()
        # cheroot leaves the writer to the garbage collector, which complains about unsent bytes.
        with suppress(OSError, ValueError):
            self.wfile.close()


class _Server(Server):
    """cheroot's WSGI server with the sandbox's limits."""

    ConnectionClass = _Connection
    expiration_interval = 0.05  # seconds; also how long stop() takes to be noticed
    keep_alive_conn_limit = 4096

    def __init__(self, application: _Application, context: ssl.SSLContext, port: int) -> None:
        super().__init__(
            ("127.0.0.1", port),
            application,
            numthreads=WORKERS,
            server_name="ThingSpace sandbox",
            request_queue_size=256,
            timeout=_IDLE,
            shutdown_timeout=1,
        )
        self.ssl_adapter = _LateHandshake(context)
        self._lock = threading.Lock()  # guards _open
        self._open: set[_Connection] = set()

    def opened(self, connection: _Connection) -> None:
        with self._lock:
            self._open.add(connection)

    def closed(self, connection: _Connection) -> None:
        with self._lock:
            self._open.discard(connection)

    def cut_connections(self) -> None:
        with self._lock:
            for connection in self._open:
                connection.cut()

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


class Listener:
    """One origin, from its port to its last connection."""

    def __init__(self, application: _Application, context: ssl.SSLContext, port: int) -> None:
        """Prepare to serve `application` on 127.0.0.1.

        Args:
            application: the WSGI application.
            context: the TLS context.
            port: 0 picks a free one.
        """
        self._wanted = port
        self._server = _Server(application, context, port)
        self._bound: Future[int] = Future()
        # The workers inherit "daemon" from this thread: a sandbox that nobody closed ends with its process.
        self._thread = threading.Thread(target=self._serve, name="ThingSpace sandbox", daemon=True)
        self._thread.start()

    def port(self) -> int:
        """The port, once it is bound.

        Raises:
            OSError: it cannot be bound.
        """
        return self._bound.result()

    def close(self) -> None:
        """Stop serving: cut all connections, end all threads."""
        if self._bound.exception() is None:
            stopping = threading.Thread(target=self._server.stop)
            stopping.start()
            # Again and again, for a connection may be accepted while the server stops.
            while stopping.is_alive():
                self._server.cut_connections()
                stopping.join(0.02)
        self._thread.join()
        # cheroot keeps the statistics of every server there, and with them the server itself.
        statistics: dict[str, Any] = getattr(logging, "statistics", {})
        statistics.pop(f"Cheroot HTTPServer {id(self._server)}", None)

    def _serve(self) -> None:
        try:
            self._server.prepare()
        except OSError as refused:
            text = f"The sandbox cannot listen on 127.0.0.1:{self._wanted}; is the port in use? {refused}"
            self._bound.set_exception(OSError(text))
            return
        self._bound.set_result(self._server.bind_addr[1])
        self._server.serve()
