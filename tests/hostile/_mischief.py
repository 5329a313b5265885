"""What a test scripts a hostile server with: an `Answer` says what is sent, the functions spoil how."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from http.client import responses
from typing import Literal

from ._payloads import Payload, Repeated, bomb, pieces_of
from ._wire import Certificate, Ending, RecordedRequest, Wire

Behaviour = Callable[[Wire, RecordedRequest], Ending]
"""What a server does with one request; it says what becomes of the connection."""

Framing = Literal["length", "chunked", "none"]
Part = Literal["headers", "body"]
EchoPlace = Literal["body", "reason", "status line", "chunk size", "location"]
Headers = Iterable[tuple[str, str]]

STRAY_PATH = "/stray"
LOCATIONS: dict[str, str | None] = {
    "another host": "{elsewhere}{path}",
    "plain http": "{http}{path}",
    "itself": "{origin}{path}",
    "a relative path": "../../../../.." + STRAY_PATH,
    "nowhere": None,
}
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


@dataclass(frozen=True)
class Answer:
    """A whole HTTP answer; `{origin}`, `{elsewhere}`, `{http}`, `{path}` in header values are filled in."""

    status: int = 200
    body: Payload = b""
    content_type: str | None = "application/json"
    headers: Headers = ()
    framing: Framing = "length"
    ending: Ending = Ending.KEEP
    reason: str | None = None

    def head(self, wire: Wire, request: RecordedRequest) -> bytes:
        reason = responses.get(self.status, "") if self.reason is None else self.reason
        lines = [f"HTTP/1.1 {self.status} {reason}".rstrip()]
        if self.content_type:
            lines.append(f"Content-Type: {self.content_type}")
        for name, value in self.headers:
            for place, text in {**wire.places, "{path}": request.path}.items():
                value = value.replace(place, text)  # noqa: PLW2901 - one place after the other
            lines.append(f"{name}: {value}")
        if self.framing == "length":
            lines.append(f"Content-Length: {len(self.body)}")
        elif self.framing == "chunked":
            lines.append("Transfer-Encoding: chunked")
        return "\r\n".join([*lines, "", ""]).encode("latin-1")

    def pieces(self) -> Iterator[bytes]:
        for piece in pieces_of(self.body):
            yield b"%x\r\n%b\r\n" % (len(piece), piece) if self.framing == "chunked" else piece
        if self.framing == "chunked":
            yield b"0\r\n\r\n"

    def parts(self, wire: Wire, request: RecordedRequest) -> dict[Part, bytes]:
        return {"headers": self.head(wire, request), "body": b"".join(self.pieces())}

    def __call__(self, wire: Wire, request: RecordedRequest) -> Ending:
        wire.send(self.head(wire, request))
        wire.pour(self.pieces())
        return self.ending


answer = Answer  # it stands beside the functions


def json_answer(status: int, document: object, *, headers: Headers = ()) -> Answer:
    """A JSON answer; NaN and Infinity are written as Python writes them."""
    return answer(status, json.dumps(document).encode(), headers=headers)


def html_answer(status: int) -> Answer:
    """The page of a load balancer."""
    page = b"<html><head><title>Sorry</title></head><body><h1>Come back later</h1></body></html>"
    return answer(status, page, "text/html")


def xml_fault(status: int) -> Answer:
    """The gateway's `am:fault`."""
    body = (
        b'<am:fault xmlns:am="http://wso2.org/apimanager"><am:code>404</am:code>'
        b"<am:type>Status report</am:type><am:message>Not Found</am:message>"
        b"<am:description>The requested resource is not available.</am:description></am:fault>"
    )
    return answer(status, body, "application/xml")


def json_fault(status: int, code: str = "900901", message: str = "Invalid Credentials") -> Answer:
    fault = {"code": code, "message": message, "description": "Access failure for API: /api"}
    return json_answer(status, {"fault": fault})


def gzip_bomb(body: bytes, *, layers: int = 1, framing: Framing = "length", status: int = 200) -> Answer:
    """A correct gzip answer that inflates to 800 MiB of blanks before its JSON."""
    packed: Payload = bomb(body)
    for _ in range(layers - 1):
        packed = gzip.compress(b"".join(pieces_of(packed)))
    coding = [("Content-Encoding", ", ".join(["gzip"] * layers))]
    return answer(status, packed, headers=coding, framing=framing)


def redirect(status: int, to: str) -> Answer:
    """A redirect to one of `LOCATIONS` by its name, or to any Location at all."""
    location = LOCATIONS.get(to, to)
    headers = [] if location is None else [("Location", location)]
    return answer(status, b"moved", "text/plain", headers)


def retry_after(value: str, status: int = 429) -> Answer:
    fault = json_fault(status, "900800", "Message throttled out")
    return replace(fault, headers=[("Retry-After", value)])


def echo(place: EchoPlace, status: int = 401) -> Behaviour:
    """The client's own credentials and body, said back: what must never reach a message or a log."""

    def play(wire: Wire, request: RecordedRequest) -> Ending:
        authorization = request.headers.get("Authorization", "")
        scheme, _, coded = authorization.partition(" ")
        decoded = base64.b64decode(coded).decode("latin-1") if scheme.lower() == "basic" else ""
        session_token = request.headers.get("VZ-M2M-Token", "")
        secrets = " ".join([authorization, decoded, session_token, request.body.decode("latin-1")])
        if place == "status line":
            return raw(f"{secrets}\r\n\r\n".encode())(wire, request)
        if place == "chunk size":
            return chunked(secrets.encode())(wire, request)
        error = {"error": "invalid_client", "error_description": secrets if place == "body" else ""}
        target = ("Location", "{elsewhere}/stray?" + secrets.replace(" ", "&"))
        refusal = json_answer(status, error, headers=[target] if place == "location" else ())
        return replace(refusal, reason=secrets if place == "reason" else None)(wire, request)

    return play


def dripped(then: Answer, part: Part, interval: float = 0.0) -> Behaviour:
    """One part byte by byte; without any pause that is odd, but in time."""

    def play(wire: Wire, request: RecordedRequest) -> Ending:
        for name, data in then.parts(wire, request).items():
            wire.drip(data, interval) if name == part else wire.send(data)
        return then.ending

    return play


def drip_headers(then: Answer, interval: float = 0.05) -> Behaviour:
    """Headers byte by byte, with 2 kB of padding: minutes in all, and no pause longer than `interval`."""
    return dripped(replace(then, headers=[*then.headers, ("X-Padding", "x" * 2000)]), "headers", interval)


def broken_off(ending: Ending, then: Answer | None = None, part: Part = "headers") -> Behaviour:
    """Half of the headers or of the body, or nothing at all, and then the ending."""

    def play(wire: Wire, request: RecordedRequest) -> Ending:
        for name, data in then.parts(wire, request).items() if then else ():
            wire.send(data[: len(data) // 2] if name == part else data)
            if name == part:
                break
        return ending

    return play


hang = partial(broken_off, Ending.HANG)
reset = partial(broken_off, Ending.RESET)
empty_reply = partial(broken_off, Ending.CLOSE)


def idle_reset(then: Answer, delay: float | None = None) -> Behaviour:
    """A good answer; its connection is reset at the next request on it, or `delay` seconds later."""

    def play(wire: Wire, request: RecordedRequest) -> Ending:
        then(wire, request)
        if delay is not None:
            wire.pause(delay)
        elif not wire.await_byte():
            return Ending.CLOSE
        return Ending.RESET

    return play


@dataclass(frozen=True)
class OnAccept:
    """What strikes the next connection, before TLS or right after the handshake, whatever path it is for."""

    ending: Ending
    payload: Payload = b""
    interval: float = 0.0
    handshake: bool = False
    certificate: Certificate = "good"
    then: Answer = Answer()

    def greet(self, wire: Wire) -> Ending:
        """Plays before TLS, or right after it; KEEP goes on with the connection.

        A reset waits for the client's first byte: clients that wrap a socket that is already reset leak it in
        some releases of Python, and a test of ours must not warn of that.
        """
        if self.ending is Ending.RESET and not self.handshake and not wire.await_byte():
            return Ending.CLOSE
        wire.pour(pieces_of(self.payload), self.interval)
        return self.ending

    def __call__(self, wire: Wire, request: RecordedRequest) -> Ending:
        return self.then(wire, request) if self.ending is Ending.KEEP else self.ending


on_accept = OnAccept  # it stands beside the functions


def present(certificate: Certificate, then: Answer) -> OnAccept:
    """Another certificate for the next connection; a client that swallows it gets an answer."""
    return OnAccept(Ending.KEEP, certificate=certificate, then=then)


def raw(payload: Payload, then: Ending | Answer = Ending.CLOSE, interval: float = 0.0) -> Behaviour:
    """Bytes as they are, HTTP or not."""

    def play(wire: Wire, request: RecordedRequest) -> Ending:
        wire.pour(pieces_of(payload), interval)
        return then if isinstance(then, Ending) else then(wire, request)

    return play


def endless(unit: bytes, head: bytes = HEAD, interval: float = 0.0) -> Behaviour:
    """`head`, and then `unit` after `unit` for ever."""
    return raw(Repeated(unit, head=head), interval=interval)


def endless_body(status: int = 200, *, framing: Framing = "chunked", headers: Headers = ()) -> Behaviour:
    """A body without end, at full speed up to 256 MiB and at a crawl from there."""
    body = Repeated(b" " * 16 * 1024)
    return answer(status, body, headers=headers, framing=framing, ending=Ending.CLOSE)


def chunked(*lines: bytes, ending: Ending = Ending.CLOSE) -> Behaviour:
    """A chunked answer whose chunk lines are given as they are, CRLF added to each."""
    body = b"".join(line + b"\r\n" for line in lines)
    return raw(HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + body, ending)


def content_length(*values: str, body: bytes, ending: Ending = Ending.CLOSE) -> Answer:
    """An answer with these Content-Length headers, whatever the body's length."""
    headers = [("Content-Length", value) for value in values]
    return answer(200, body, headers=headers, framing="none", ending=ending)
