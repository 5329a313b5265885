"""What a hostile server can do, as values: an `Answer` says what is sent, the others spoil how.

Each is frozen and named, and plays on a `Wire`; tests make them with the functions of `_mischief`.
"""

from __future__ import annotations

import abc
import base64
import http
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from ._certificates import Certificate
from ._payloads import Payload, pieces_of, size_of
from ._wire import Ending, RecordedRequest, Wire

Framing = Literal["length", "chunked", "none"]
Part = Literal["headers", "body"]
EchoPlace = Literal["body", "reason", "status line", "chunk size", "location"]


@dataclass(frozen=True)
class Behaviour(abc.ABC):
    """One thing the server does with one request."""

    name: str

    @abc.abstractmethod
    def play(self, wire: Wire, request: RecordedRequest) -> Ending:
        """Does it, and says what becomes of the connection."""


@dataclass(frozen=True)
class Answer(Behaviour):
    """A whole HTTP answer; `{origin}`, `{elsewhere}`, `{http}`, `{path}` in header values are filled in."""

    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    body: Payload = b""
    framing: Framing = "length"
    ending: Ending = Ending.KEEP
    reason: str | None = None

    def head(self, wire: Wire, request: RecordedRequest) -> bytes:
        """The status line and headers, with the blank line."""
        lines = [f"HTTP/1.1 {self.status} {self._reason()}".rstrip()]
        lines += [f"{name}: {_filled(value, wire, request)}" for name, value in self.headers]
        if self.framing == "length":
            lines.append(f"Content-Length: {size_of(self.body)}")
        elif self.framing == "chunked":
            lines.append("Transfer-Encoding: chunked")
        return "\r\n".join([*lines, "", ""]).encode("latin-1")

    def pieces(self) -> Iterator[bytes]:
        """The body as it goes over the wire."""
        for piece in pieces_of(self.body):
            yield b"%x\r\n%b\r\n" % (len(piece), piece) if self.framing == "chunked" else piece
        if self.framing == "chunked":
            yield b"0\r\n\r\n"

    def play(self, wire: Wire, request: RecordedRequest) -> Ending:
        """Sends the answer as it should be sent."""
        wire.send(self.head(wire, request))
        wire.pour(self.pieces())
        return self.ending

    def _reason(self) -> str:
        """The reason phrase: the given one, the registered one, or none."""
        if self.reason is not None:
            return self.reason
        known = {status.value: status.phrase for status in http.HTTPStatus}
        return known.get(self.status, "")


@dataclass(frozen=True)
class Dripped(Behaviour):
    """An answer of which one part goes out byte by byte."""

    answer: Answer
    part: Part
    interval: float

    def play(self, wire: Wire, request: RecordedRequest) -> Ending:
        """Sends one part slowly and the other at once."""
        head = self.answer.head(wire, request)
        if self.part == "headers":
            wire.drip(head, self.interval)
            wire.pour(self.answer.pieces())
        else:
            wire.send(head)
            for piece in self.answer.pieces():
                wire.drip(piece, self.interval)
        return self.answer.ending


@dataclass(frozen=True)
class BrokenOff(Behaviour):
    """An answer that stops before its first byte, or half-way through its headers or body."""

    answer: Answer
    part: Part | None
    ending: Ending

    def play(self, wire: Wire, request: RecordedRequest) -> Ending:
        """Sends what is to be sent."""
        head = self.answer.head(wire, request)
        if self.part == "headers":
            wire.send(head[: len(head) // 2])
        elif self.part == "body":
            body = b"".join(self.answer.pieces())
            wire.send(head + body[: len(body) // 2])
        return self.ending


@dataclass(frozen=True)
class Raw(Behaviour):
    """Bytes sent as they are, HTTP or not; `then` follows them."""

    payload: Payload
    ending: Ending = Ending.CLOSE
    interval: float = 0.0
    then: Behaviour | None = None

    def play(self, wire: Wire, request: RecordedRequest) -> Ending:
        """Sends the bytes."""
        wire.pour(pieces_of(self.payload), self.interval)
        return self.then.play(wire, request) if self.then else self.ending


@dataclass(frozen=True)
class IdleReset(Behaviour):
    """A good answer on a connection that is reset when the next request comes, or after `delay` seconds."""

    answer: Answer
    delay: float | None = None

    def play(self, wire: Wire, request: RecordedRequest) -> Ending:
        """Answers, waits, resets; the second request is not read and not counted."""
        self.answer.play(wire, request)
        if self.delay is not None:
            wire.pause(self.delay)
        elif not wire.await_byte():
            return Ending.CLOSE
        return Ending.RESET


@dataclass(frozen=True)
class Held(Behaviour):
    """An answer that waits until the test sets `gate`."""

    answer: Behaviour
    gate: threading.Event

    def play(self, wire: Wire, request: RecordedRequest) -> Ending:
        """Waits for the gate, or for the server's close."""
        while not self.gate.wait(0.02):
            wire.pause(0.001)
        return self.answer.play(wire, request)


@dataclass(frozen=True)
class Echo(Behaviour):
    """Says the client's own credentials and body back to it: what must never reach a message or a log."""

    place: EchoPlace
    status: int = 401

    def play(self, wire: Wire, request: RecordedRequest) -> Ending:
        """Sends the secrets back in the chosen place."""
        secrets = " ".join(_secrets_in(request))
        if self.place == "status line":
            wire.send(secrets.encode() + b"\r\n\r\n")
            return Ending.CLOSE
        if self.place == "chunk size":
            wire.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + secrets.encode() + b"\r\n")
            return Ending.CLOSE
        text = secrets if self.place == "body" else ""
        reason = secrets if self.place == "reason" else None
        target = (("Location", "{elsewhere}/stray?" + secrets.replace(" ", "&")),)
        body = b'{"error": "invalid_client", "error_description": "%b"}' % text.replace('"', "'").encode()
        headers = (("Content-Type", "application/json"), *(target if self.place == "location" else ()))
        return Answer("an echo", self.status, headers, body, reason=reason).play(wire, request)


@dataclass(frozen=True)
class OnAccept(Behaviour):
    """What happens before any request: it strikes the next connection, whatever path that one is for."""

    ending: Ending
    payload: Payload = b""
    interval: float = 0.0
    handshake: bool = False

    def greet(self, wire: Wire) -> Ending | None:
        """Plays at accept, before TLS (or right after it); None goes on with the connection.

        A reset waits for the client's first byte: clients that wrap a socket that is already reset leak it in
        some releases of Python, and a test of ours must not warn of that.
        """
        if self.ending is Ending.RESET and not self.handshake and not wire.await_byte():
            return Ending.CLOSE
        wire.pour(pieces_of(self.payload), self.interval)
        return self.ending

    def play(self, wire: Wire, request: RecordedRequest) -> Ending:
        """The same for a request on a connection that was open already."""
        return self.ending


@dataclass(frozen=True)
class Presented(OnAccept):
    """Another certificate; a client that swallows it gets `answer`."""

    certificate: Certificate = "good"
    answer: Answer = Answer("nothing")

    def greet(self, wire: Wire) -> Ending | None:
        """Goes on: the certificate does the rest."""
        return None

    def play(self, wire: Wire, request: RecordedRequest) -> Ending:
        """The client accepted the certificate."""
        return self.answer.play(wire, request)


def _filled(value: str, wire: Wire, request: RecordedRequest) -> str:
    """A header value with the server's own places in it."""
    for place, text in {**wire.places, "{path}": request.path}.items():
        value = value.replace(place, text)
    return value


def _secrets_in(request: RecordedRequest) -> Iterator[str]:
    """The Authorization header, what it decodes to, the session header, and the body."""
    authorization = request.headers.get("Authorization", "")
    yield authorization
    scheme, _, coded = authorization.partition(" ")
    if scheme.lower() == "basic":
        yield base64.b64decode(coded).decode("latin-1")
    yield request.headers.get("VZ-M2M-Token", "")
    yield request.body.decode("latin-1")
