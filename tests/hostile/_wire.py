"""One connection as a behaviour sees it: its certificate, what was asked, how bytes go out, how it ends."""

from __future__ import annotations

import contextlib
import enum
import functools
import socket
import ssl
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any, Literal

import trustme
from requests.structures import CaseInsensitiveDict

from ._loopback import LoopbackServer

HEAD_LIMIT = 512 * 1024  # a request may carry a 100 kB token
FLOOD_LIMIT = 256 * 1024 * 1024  # past this an answer goes on at a crawl: the test machine must survive
CRAWL = 0.05  # seconds between pieces past the flood limit
PIECE = 64 * 1024

LOOPBACK_NAMES = ("localhost", "127.0.0.1")
Certificate = Literal["good", "unknown CA", "wrong name", "expired", "not yet valid"]


@functools.cache
def authority() -> trustme.CA:
    """The one authority that all hostile servers of this process share, so one file trusts them all."""
    return trustme.CA()


@functools.cache
def server_context(kind: Certificate = "good") -> ssl.SSLContext:
    """A server-side TLS context whose certificate is right, or wrong in exactly one respect."""
    now, day = datetime.now(timezone.utc), timedelta(days=1)
    validity = {
        "expired": {"not_before": now - 2 * day, "not_after": now - day},
        "not yet valid": {"not_before": now + day, "not_after": now + 2 * day},
    }.get(kind, {})
    issuer = trustme.CA() if kind == "unknown CA" else authority()
    names = ("elsewhere.example",) if kind == "wrong name" else LOOPBACK_NAMES
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.num_tickets = 0  # nothing on the wire but what a behaviour sends
    issuer.issue_cert(*names, **validity).configure_cert(context)
    return context


class Ending(enum.Enum):
    """What happens to the connection after a behaviour has said its part."""

    KEEP = "kept open for the next request"
    CLOSE = "closed in order (TLS close_notify, then FIN)"
    CUT = "closed without TLS close_notify"
    RESET = "reset (RST)"
    HANG = "left open, silent, until the client goes"


@dataclass(frozen=True)
class RecordedRequest:
    """One request as it arrived; `headers` are found in any case."""

    method: str
    target: str
    path: str
    query: str
    headers: CaseInsensitiveDict[str]
    body: bytes


class Wire:
    """A connection under the care of a server; every wait in it ends when the server closes."""

    def __init__(self, owner: LoopbackServer, connection: socket.socket) -> None:
        """Takes an adopted connection; `release()` is due in the end."""
        self._owner = owner
        self._socket = connection
        self._buffer = b""
        self.places: dict[str, str] = {}  # "{origin}" and its like, for Location headers

    def release(self) -> None:
        self._owner.release(self._socket)

    def start_tls(self, context: ssl.SSLContext) -> None:
        self._socket = self._owner.wrap(self._socket, context)
        self._socket.do_handshake()

    @property
    def certificate(self) -> dict[str, Any]:
        return self._socket.getpeercert()

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def pour(self, pieces: Iterable[bytes], interval: float = 0.0) -> None:
        """Sends piece by piece, `interval` seconds apart; past the flood limit, at a crawl."""
        sent = 0
        for piece in pieces:
            self.send(piece)
            sent += len(piece)
            self.pause(interval if sent < FLOOD_LIMIT else max(interval, CRAWL))

    def drip(self, data: bytes, interval: float) -> None:
        """Sends byte by byte, each in a segment (and TLS record) of its own."""
        self.pour((data[index : index + 1] for index in range(len(data))), interval)

    def pause(self, seconds: float) -> None:
        """Waits, or fails at once when the server closes."""
        if seconds > 0 and self._owner.closing.wait(seconds):
            raise ConnectionAbortedError("the hostile server closes")

    def read_request(self) -> RecordedRequest | None:
        """The next request, its body by length, or None if the client has gone or talks no HTTP."""
        while b"\r\n\r\n" not in self._buffer:
            if len(self._buffer) > HEAD_LIMIT or not self._fill():
                return None
        head, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        method, _, target = first.rpartition(" ")[0].partition(" ")
        if not target or " " in target:
            return None
        headers: CaseInsensitiveDict[str] = CaseInsensitiveDict()
        for line in lines:
            name, _, value = line.partition(":")
            headers[name.strip()] = value.strip()
        size = int(headers.get("Content-Length", "0"))
        while len(self._buffer) < size:
            if not self._fill():
                return None
        body, self._buffer = self._buffer[:size], self._buffer[size:]
        path, _, query = target.partition("?")
        return RecordedRequest(method, target, path, query, headers, body)

    def await_byte(self) -> bool:
        """Waits until the client sends something more; False if it went away instead."""
        return bool(self._buffer) or self._fill()

    def _fill(self) -> bool:
        piece = self._socket.recv(PIECE)
        self._buffer += piece
        return bool(piece)

    def end(self, ending: Ending) -> None:
        """Prepares the ending; all but KEEP are to be followed by `release()`."""
        if ending is Ending.HANG:
            while self._socket.recv(PIECE):
                pass
        elif ending is Ending.RESET:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        elif ending is Ending.CLOSE and isinstance(self._socket, ssl.SSLSocket):
            self._socket.settimeout(0)  # send close_notify, do not wait for the client's
            with contextlib.suppress(OSError, ValueError):
                self._socket.unwrap()
