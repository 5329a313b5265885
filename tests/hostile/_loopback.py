"""A threaded server on loopback whose law is to leave nothing behind: no thread, no socket, in a second.

Everything that waits does it in one of two ways, and the end of the `with` ends both: on the `closing`
event, or on a socket that is shut down then.
"""

from __future__ import annotations

import abc
import contextlib
import selectors
import socket
import ssl
import threading
import time
from typing import TypeVar

Self = TypeVar("Self", bound="LoopbackServer")

LOOPBACK = "127.0.0.1"
TIME_TO_END = 1.0  # seconds


class LoopbackServer(abc.ABC):
    """Accepts on any number of named listeners and serves each connection in a thread of its own.

    Attributes:
        connections: how many were accepted so far, those without any request included.
    """

    def __init__(self, *listeners: str) -> None:
        """Binds one free port for each listener name; nothing is accepted before `with`."""
        self.closing = threading.Event()
        self._listeners = {name: socket.create_server((LOOPBACK, 0), backlog=256) for name in listeners}
        self._ports = {name: int(listener.getsockname()[1]) for name, listener in self._listeners.items()}
        self._wake, self._woken = socket.socketpair()
        self._lock = threading.Condition()  # guards _sockets and _workers
        self._sockets: set[socket.socket] = set()
        self._workers: set[threading.Thread] = set()
        self.connections = 0
        self._acceptor = threading.Thread(target=self._accept, name=type(self).__name__, daemon=True)

    @abc.abstractmethod
    def serve(self, connection: socket.socket, listener: str) -> None:
        """Serves one adopted connection; whatever happens in it, the caller releases the connection."""

    def port(self, listener: str) -> int:
        return self._ports[listener]

    def wait_until_idle(self, timeout: float = 5.0) -> bool:
        with self._lock:
            return self._lock.wait_for(lambda: not self._sockets, timeout)

    def __enter__(self: Self) -> Self:
        self._acceptor.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Ends every connection and thread, also one that hangs; a thread that outlives it is an error."""
        deadline = time.monotonic() + TIME_TO_END
        self.closing.set()
        with contextlib.suppress(OSError):  # the acceptor may have seen `closing` and gone already
            self._wake.send(b"x")
        self._acceptor.join(TIME_TO_END)  # from here on no connection can be added
        self._wake.close()
        with self._lock:
            workers = list(self._workers)
            for connection in self._sockets:
                _shutdown(connection)
        for worker in workers:
            worker.join(max(0.0, deadline - time.monotonic()))
        stuck = [worker.name for worker in (*workers, self._acceptor) if worker.is_alive()]
        if stuck:
            raise RuntimeError(f"threads still alive after {TIME_TO_END} s: {stuck}")

    def adopt(self, connection: socket.socket) -> None:
        """Takes a socket into care, which will be ended."""
        with self._lock:
            self._sockets.add(connection)
            if self.closing.is_set():
                _shutdown(connection)

    def wrap(self, connection: socket.socket, context: ssl.SSLContext) -> ssl.SSLSocket:
        """Replaces an adopted socket by its TLS form, before the handshake."""
        with self._lock:
            connection.getpeername()  # fails if the client has gone: some Pythons would leak the TLS form
            self._sockets.discard(connection)
            wrapped = context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
            self._sockets.add(wrapped)
            return wrapped

    def release(self, connection: socket.socket) -> None:
        """Closes an adopted socket, under the lock: no recycled descriptor is ever shut down."""
        with self._lock:
            self._sockets.discard(connection)
            connection.close()
            self._lock.notify_all()

    def _accept(self) -> None:
        """Accepts until woken, then closes the listeners."""
        with selectors.DefaultSelector() as selector:
            selector.register(self._woken, selectors.EVENT_READ)
            for name, listener in self._listeners.items():
                selector.register(listener, selectors.EVENT_READ, name)
            while not self.closing.is_set():
                for key, _ in selector.select():
                    if key.data is not None:
                        with contextlib.suppress(OSError):
                            self._welcome(self._listeners[key.data].accept()[0], key.data)
        self._woken.close()
        for listener in self._listeners.values():
            listener.close()

    def _welcome(self, connection: socket.socket, listener: str) -> None:
        """Gives one accepted connection its thread."""
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.adopt(connection)
        self.connections += 1
        worker = threading.Thread(target=self._work, args=(connection, listener), daemon=True)
        with self._lock:
            self._workers.add(worker)
        worker.start()

    def _work(self, connection: socket.socket, listener: str) -> None:
        """Serves one connection; a broken one (OSError covers TLS too) is what this server is for."""
        try:
            with contextlib.suppress(OSError):
                self.serve(connection, listener)
        finally:
            self.release(connection)
            with self._lock:
                self._workers.discard(threading.current_thread())


def _shutdown(connection: socket.socket) -> None:
    """Wakes whoever blocks on the socket, without touching its TLS state, which belongs to another thread."""
    with contextlib.suppress(OSError):
        socket.socket.shutdown(connection, socket.SHUT_RDWR)
