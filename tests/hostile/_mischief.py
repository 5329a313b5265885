"""The words a test scripts a hostile server with: each function makes one named behaviour."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable
from typing import Literal

from ._behaviours import (
    Answer,
    Behaviour,
    BrokenOff,
    Dripped,
    Echo,
    EchoPlace,
    Framing,
    Held,
    IdleReset,
    OnAccept,
    Part,
    Presented,
    Raw,
)
from ._certificates import Certificate
from ._payloads import MEBIBYTE, GzipBomb, Payload, Repeated, zipped
from ._wire import Ending

Headers = Iterable[tuple[str, str]]

STRAY_PATH = "/stray"
LOCATIONS: dict[str, str | None] = {
    "another host": "{elsewhere}{path}",
    "plain http": "{http}{path}",
    "itself": "{origin}{path}",
    "a relative path": "../../../../.." + STRAY_PATH,
    "nowhere": None,
}
_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"

# Answers


def answer(
    status: int = 200,
    body: Payload = b"",
    *,
    content_type: str | None = "application/json",
    headers: Headers = (),
    framing: Framing = "length",
    ending: Ending = Ending.KEEP,
    reason: str | None = None,
    name: str = "",
) -> Answer:
    """Any answer at all."""
    typed = (("Content-Type", content_type),) if content_type else ()
    return Answer(name or f"{status}", status, (*typed, *headers), body, framing, ending, reason)


def json_answer(status: int, document: object, *, headers: Headers = (), name: str = "") -> Answer:
    """A JSON answer; NaN and Infinity are written as Python writes them."""
    return answer(status, json.dumps(document).encode(), headers=headers, name=name or f"{status} with JSON")


def html_answer(status: int) -> Answer:
    """The page of a load balancer."""
    page = b"<html><head><title>Sorry</title></head><body><h1>Come back later</h1></body></html>"
    return answer(status, page, content_type="text/html", name=f"{status} with HTML")


def xml_fault(status: int) -> Answer:
    """The gateway's `am:fault`."""
    body = (
        b'<am:fault xmlns:am="http://wso2.org/apimanager"><am:code>404</am:code>'
        b"<am:type>Status report</am:type><am:message>Not Found</am:message>"
        b"<am:description>The requested resource is not available."
        b"</am:description></am:fault>"
    )
    return answer(status, body, content_type="application/xml", name=f"{status} with an am:fault")


def json_fault(status: int, code: str = "900901", message: str = "Invalid Credentials") -> Answer:
    """The gateway's JSON fault."""
    fault = {"fault": {"code": code, "message": message, "description": "Access failure for API: /api"}}
    return json_answer(status, fault, name=f"{status} with fault {code}")


def xml_bomb(status: int) -> Answer:
    """A billion laughs: XML entities that grow tenfold nine times over."""
    entities = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    text = f'<!DOCTYPE fault [<!ENTITY l0 "ha">{entities}]><fault><message>&l9;</message></fault>'
    return answer(status, text.encode(), content_type="application/xml", name=f"{status} with an XML bomb")


def oversized(body: bytes, mebibytes: int = 10) -> Answer:
    """A JSON object, correct but for 10 MiB of padding in it."""
    padded = Repeated(b"x" * MEBIBYTE, mebibytes, body.rstrip(b"}") + b', "padding": "', b'"}')
    return answer(200, padded, name=f"{mebibytes} MiB of JSON")


def nested_arrays(depth: int = 100_000) -> Answer:
    """Arrays in arrays, below any limit of size."""
    return answer(200, b"[" * depth + b"]" * depth, name=f"{depth} nested arrays")


def gzip_bomb(
    body: bytes, *, mebibytes: int = 800, layers: int = 1, framing: Framing = "length", status: int = 200
) -> Answer:
    """A correct gzip answer that inflates to `mebibytes` of blanks before its JSON."""
    coding = [("Content-Encoding", ", ".join(["gzip"] * layers))]
    bomb = GzipBomb(body, mebibytes, layers)
    return answer(status, bomb, headers=coding, framing=framing, name=f"gzip bomb of {mebibytes} MiB")


def gzipped(body: bytes, kind: Literal["right", "plain", "truncated", "bad checksum"] = "right") -> Answer:
    """An answer that says gzip and is, or is not."""
    packed = zipped(body)
    sent = {
        "right": packed,
        "plain": body,
        "truncated": packed[: len(packed) // 2],
        "bad checksum": packed[:-8] + b"\0" * 8,
    }[kind]
    return answer(200, sent, headers=[("Content-Encoding", "gzip")], name=f"gzip, {kind}")


def cookie_flood(body: bytes, count: int = 80, size: int = 4000) -> Answer:
    """A good answer under a heap of Set-Cookie headers."""
    cookies = [("Set-Cookie", f"flood{number}={'c' * size}; Path=/") for number in range(count)]
    return answer(200, body, headers=cookies, name=f"{count} cookies")


def redirect(status: int, to: str) -> Answer:
    """A redirect to one of `LOCATIONS` by its name, or to any Location at all."""
    location = LOCATIONS.get(to, to)
    headers = [] if location is None else [("Location", location)]
    return answer(status, b"moved", content_type="text/plain", headers=headers, name=f"{status} to {to}")


def retry_after(value: str, status: int = 429) -> Answer:
    """A refusal with a Retry-After."""
    fault = {"fault": {"code": "900800", "message": "Message throttled out", "description": "quota"}}
    return json_answer(
        status, fault, headers=[("Retry-After", value)], name=f"{status}, Retry-After {value!r}"
    )


def echo(place: EchoPlace, status: int = 401) -> Behaviour:
    """The client's own secrets, said back."""
    return Echo(f"{status} that echoes the credentials in its {place}", place, status)


# Slowness


def hang() -> Behaviour:
    """Reads the request and never answers."""
    return BrokenOff("hang", answer(), None, Ending.HANG)


def held(then: Behaviour, gate: threading.Event) -> Behaviour:
    """Answers when the test sets the gate."""
    return Held(f"held {then.name}", then, gate)


def drip_headers(then: Answer | None = None, interval: float = 0.05) -> Behaviour:
    """Headers byte by byte, with 2 kB of padding: minutes in all, and no pause longer than `interval`."""
    full = then or answer()
    padded = answer(
        full.status, full.body, headers=[*full.headers, ("X-Padding", "x" * 2000)], content_type=None
    )
    return Dripped("headers byte by byte", padded, "headers", interval)


def drip_body(body: bytes, interval: float = 0.05, framing: Framing = "length") -> Behaviour:
    """A body byte by byte, 2 kB of blanks first."""
    return Dripped("body byte by byte", answer(200, b" " * 2000 + body, framing=framing), "body", interval)


def in_segments(then: Answer, part: Part) -> Behaviour:
    """Byte by byte without any pause: odd, but in time."""
    return Dripped(f"{part} in segments of one byte", then, part, 0.0)


def stall(then: Answer, part: Part = "body") -> Behaviour:
    """Half of the part, then silence."""
    return BrokenOff(f"stall half-way through the {part}", then, part, Ending.HANG)


# Broken connections


def reset(then: Answer | None = None, part: Part | None = None) -> Behaviour:
    """RST instead of an answer, or half-way through the part."""
    return BrokenOff(f"reset within the {part}" if part else "reset", then or answer(), part, Ending.RESET)


def empty_reply() -> Behaviour:
    """Closes in order, without a word."""
    return BrokenOff("empty reply", answer(), None, Ending.CLOSE)


def closed(then: Answer, part: Part = "body") -> Behaviour:
    """Half of the part, then an orderly close."""
    return BrokenOff(f"closed within the {part}", then, part, Ending.CLOSE)


def cut(then: Answer, part: Part | None = "body") -> Behaviour:
    """Half of the part, then a close without TLS close_notify."""
    return BrokenOff(f"cut within the {part}", then, part, Ending.CUT)


def idle_reset(then: Answer, delay: float | None = None) -> Behaviour:
    """A good answer; its connection is reset at the next request on it, or `delay` seconds later."""
    return IdleReset("idle connection reset", then, delay)


def silent_handshake() -> OnAccept:
    """Accepts the connection, and no more."""
    return OnAccept("silent handshake", Ending.HANG)


def dripped_handshake(interval: float = 0.05) -> OnAccept:
    """A TLS record of 16 kB, byte by byte."""
    record = Repeated(b"\x00", 16 * 1024, head=b"\x16\x03\x03\x40\x00")
    return OnAccept("handshake byte by byte", Ending.CLOSE, record, interval)


def on_accept(ending: Ending, *, handshake: bool = False, payload: bytes = b"") -> OnAccept:
    """Sends `payload` and ends, before TLS or (`handshake`) right after it, without reading a request.

    A reset before TLS comes with the first byte of the client's handshake.
    """
    return OnAccept(f"{ending.name.lower()} on accept", ending, payload, 0.0, handshake)


def present(certificate: Certificate, then: Answer) -> OnAccept:
    """Another certificate for the next connection."""
    return Presented(f"certificate: {certificate}", Ending.KEEP, certificate=certificate, answer=then)


# Broken HTTP


def raw(
    payload: Payload, ending: Ending = Ending.CLOSE, *, interval: float = 0.0, name: str = "raw"
) -> Behaviour:
    """Bytes as they are."""
    return Raw(name, payload, ending, interval)


def endless_headers() -> Behaviour:
    """Header after header."""
    return Raw("endless headers", Repeated(b"X-Filler: " + b"x" * 1000 + b"\r\n", head=_HEAD))


def endless_body(status: int = 200, *, chunked: bool = True, headers: Headers = ()) -> Behaviour:
    """A body without end, at full speed up to 256 MiB and at a crawl from there."""
    framing: Framing = "chunked" if chunked else "none"
    body = Repeated(b" " * 16 * 1024)
    return answer(status, body, headers=headers, framing=framing, ending=Ending.CLOSE, name="endless body")


def continue_flood(times: int | None = None, then: Behaviour | None = None) -> Behaviour:
    """`100 Continue`, some times over or for ever, then an answer."""
    line = b"HTTP/1.1 100 Continue\r\n\r\n"
    flood = Repeated(line * 100) if times is None else Repeated(line, times)
    return Raw("100 Continue flood", flood, then=then)


def chunked(*lines: bytes, ending: Ending = Ending.CLOSE, name: str = "broken chunks") -> Behaviour:
    """A chunked answer whose chunk lines are given as they are, CRLF added to each."""
    return Raw(
        name,
        _HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"".join(line + b"\r\n" for line in lines),
        ending,
    )


def endless_chunk_line(interval: float = 0.01) -> Behaviour:
    """A chunk size followed by an extension that does not end."""
    head = _HEAD + b"Transfer-Encoding: chunked\r\n\r\n5;extension="
    return Raw("endless chunk extension", Repeated(b"x" * 1000, head=head), interval=interval)


def endless_trailers(body: bytes) -> Behaviour:
    """A whole chunked body, then trailer after trailer."""
    head = _HEAD + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n" % (len(body), body)
    return Raw("endless trailers", Repeated(b"X-Trailer: x\r\n" * 100, head=head))


def content_length(*values: str, body: bytes, ending: Ending = Ending.CLOSE) -> Answer:
    """An answer with these Content-Length headers, whatever the body's length."""
    headers = [("Content-Length", value) for value in values]
    return answer(200, body, headers=headers, framing="none", ending=ending, name=f"Content-Length {values}")
