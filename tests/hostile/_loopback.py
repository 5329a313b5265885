"""A threaded server on loopback that leaves nothing behind: no thread, no socket, in a second.

Everything that waits does it in one of two ways, and the end of the `with` ends both: on the `closing`
event, or on a socket that is shut down then.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time

LOOPBACK = "127.0.0.1"
TIME_TO_END = 1.0  # seconds


class LoopbackServer:
    """Accepts on any number of named listeners and serves each connection in a thread of its own."""

    def __init__(self, *listeners: str) -> None:
        """Binds one free port for each listener name; nothing is accepted before `with`."""
        self.closing = threading.Event()
        self._listeners = {name: socket.create_server((LOOPBACK, 0), backlog=256) for name in listeners}
        self._lock = threading.Condition()  # guards _sockets
        self._sockets: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self.connections = 0  # that were accepted, those without any request included

    def serve(self, connection: socket.socket, listener: str) -> None:
        """Serves one adopted connection; whatever happens in it, it is released afterwards."""
        raise NotImplementedError

    def port(self, listener: str) -> int:
        return self._listeners[listener].getsockname()[1]

    def wait_until_idle(self, timeout: float = 5.0) -> bool:
        with self._lock:
            return self._lock.wait_for(lambda: not self._sockets, timeout)

    def __enter__(self):
        for name, listener in self._listeners.items():
            self._start(self._accept, listener, name)
        return self

    def __exit__(self, *_: object) -> None:
        """Ends every connection and thread, also one that hangs; a thread that outlives it is an error."""
        deadline = time.monotonic() + TIME_TO_END
        self.closing.set()
        for name, acceptor in zip(self._listeners, self._threads):
            socket.create_connection((LOOPBACK, self.port(name))).close()  # wakes the acceptor
            acceptor.join(TIME_TO_END)  # from here on no connection can be added
            self._listeners[name].close()
        with self._lock:
            for connection in self._sockets:
                _shutdown(connection)
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        stuck = [thread.name for thread in self._threads if thread.is_alive()]
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

    def _start(self, work, *arguments) -> None:
        self._threads.append(threading.Thread(target=work, args=arguments, daemon=True))
        self._threads[-1].start()

    def _accept(self, listener: socket.socket, name: str) -> None:
        while not self.closing.is_set():
            with contextlib.suppress(OSError):
                connection, _ = listener.accept()
                self.adopt(connection)
                self.connections += 1
                self._start(self._work, connection, name)

    def _work(self, connection: socket.socket, name: str) -> None:
        """Serves one connection; a broken one (OSError covers TLS too) is what this server is for."""
        try:
            with contextlib.suppress(OSError):
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                if not self.closing.is_set():
                    self.serve(connection, name)
        finally:
            self.release(connection)


def _shutdown(connection: socket.socket) -> None:
    """Wakes whoever blocks on the socket, without touching its TLS state, which belongs to another thread."""
    with contextlib.suppress(OSError):
        socket.socket.shutdown(connection, socket.SHUT_RDWR)
