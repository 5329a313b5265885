"""A local HTTP server that is fast enough not to be what is measured: raw sockets, fixed answers.

It runs in a process of its own: ``python -m benchmarks.server`` prints its port and ends when its
standard input does. It gives the same token until it expires, as ThingSpace does, unless it is told
otherwise. It accepts each token until it is told to start anew: expiry is the client's business here.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from types import TracebackType
from urllib.parse import parse_qsl
from urllib.request import urlopen

TOKEN_PATH = "/api/ts/v1/oauth2/token"  # where Environment.at() looks for it
STATIC_TOKEN = "never-expires"


@dataclass
class _Oauth:
    """The tokens that were given, and how to give the next one."""

    life: float = 3600.0
    delay: float = 0.0
    same: bool = True
    calls: int = 0
    number: int = 0
    expires: float = 0.0
    valid: set[bytes] = field(default_factory=lambda: {STATIC_TOKEN.encode()})
    lock: threading.Lock = field(default_factory=threading.Lock)  # guards all of the above

    def configure(self, *, life: float, delay: float, same: bool) -> None:
        """Start anew: every token so far is revoked, no call counted."""
        with self.lock:
            self.life, self.delay, self.same = life, delay, same
            self.calls, self.expires, self.valid = 0, 0.0, {STATIC_TOKEN.encode()}

    def token(self) -> bytes:
        """The answer of the token endpoint, after its delay."""
        with self.lock:
            self.calls += 1
            now = time.monotonic()
            if not self.same or now >= self.expires:
                self.number += 1
                self.expires = now + self.life
                self.valid.add(b"token-%d" % self.number)
            left = max(1, round(self.expires - now))
            document = {"access_token": f"token-{self.number}", "token_type": "Bearer", "expires_in": left}
        time.sleep(self.delay)
        return json.dumps(document).encode()


def _answer(status: bytes, body: bytes) -> bytes:
    head = b"HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    return head % (status, len(body)) + body


_ACCEPTED = _answer(b"200 OK", b'{"name": "a plan"}')
_FAULT = b'{"fault": {"code": "900901", "message": "Invalid Credentials", "description": ""}}'
_REJECTED = _answer(b"401 Unauthorized", _FAULT)


def _answer_to(head: bytes, oauth: _Oauth) -> bytes:
    """The answer to one request."""
    target = head.split(b" ", 2)[1].decode()
    if target == TOKEN_PATH:
        return _answer(b"200 OK", oauth.token())
    if target.startswith("/control/"):
        return _answer(b"200 OK", _control(target.removeprefix("/control/"), oauth))
    token = head.lower().partition(b"\r\nauthorization: bearer ")[2].partition(b"\r\n")[0]
    return _ACCEPTED if token in oauth.valid else _REJECTED


def _control(order: str, oauth: _Oauth) -> bytes:
    """Carry out an order of the benchmark."""
    name, _, query = order.partition("?")
    if name == "configure":
        given = dict(parse_qsl(query))
        same = given["same"] == "True"
        oauth.configure(life=float(given["life"]), delay=float(given["delay"]), same=same)
    return str(oauth.calls).encode()


def _serve(connection: socket.socket, oauth: _Oauth) -> None:
    """Answer the requests of one connection until it ends."""
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with connection:
        received = b""
        while True:
            head, end, rest = received.partition(b"\r\n\r\n")
            length = head.lower().partition(b"\r\ncontent-length: ")[2].partition(b"\r\n")[0]
            if end and len(rest) >= int(length or 0):
                received = rest[int(length or 0) :]
                connection.sendall(_answer_to(head, oauth))
                continue
            try:
                piece = connection.recv(65536)
            except ConnectionError:
                return
            if not piece:
                return
            received += piece


def _accept(listener: socket.socket, oauth: _Oauth) -> None:
    """Give each connection a thread."""
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=_serve, args=(connection, oauth), daemon=True).start()


class Server:
    """The server's process, as the benchmarks see it.

    Attributes:
        origin: ``http://127.0.0.1:port``.
        token_url: its token endpoint.
        api_url: some API of it.
    """

    def __enter__(self) -> Server:
        """Start it."""
        command = [sys.executable, "-m", "benchmarks.server"]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        port = int(self._process.stdout.readline())
        self.origin = f"http://127.0.0.1:{port}"
        self.token_url = self.origin + TOKEN_PATH
        self.api_url = f"{self.origin}/api/m2m/v1/plans/0123456789-00001"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End it."""
        with self._process:  # closes its standard input and waits
            pass

    def configure(self, *, life: float = 3600.0, delay: float = 0.0, same: bool = True) -> None:
        """Start anew: every token so far is revoked, no call counted.

        Args:
            life: seconds that a token lives; whole ones, since the answer says it in whole ones.
            delay: seconds that a token call takes.
            same: whether a token call gives the current token again until it expires.
        """
        self._order(f"configure?life={life}&delay={delay}&same={same}")

    @property
    def token_calls(self) -> int:
        """How many there were since :meth:`configure`."""
        return self._order("calls")

    def _order(self, order: str) -> int:
        with urlopen(f"{self.origin}/control/{order}") as response:
            return int(response.read())


def main() -> None:
    """Serve until standard input ends."""
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as listener:
        threading.Thread(target=_accept, args=(listener, _Oauth()), daemon=True).start()
        sys.stdout.write(f"{listener.getsockname()[1]}\n")
        sys.stdout.flush()
        sys.stdin.read()


if __name__ == "__main__":
    main()
