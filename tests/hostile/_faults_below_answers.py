"""Rows about everything below the answer: connections, TLS, pace, framing, codings and HTTP itself."""

from __future__ import annotations

import gzip
from dataclasses import replace
from itertools import product
from typing import get_args

from . import _mischief as do
from ._fault import broken, error, token
from ._payloads import MEBIBYTE, Repeated
from ._wire import Certificate, Ending


def connection_faults(body):
    good, record = do.answer(200, body), Repeated(b"\x00", 16 * 1024, head=b"\x16\x03\x03\x40\x00")
    yield broken("hangs before the TLS handshake", do.on_accept(Ending.HANG))
    yield broken("drips the TLS handshake byte by byte", do.OnAccept(Ending.CLOSE, record, interval=0.05))
    yield broken("hangs after the TLS handshake", do.on_accept(Ending.HANG, handshake=True))
    yield broken("resets the connection within the TLS handshake", do.on_accept(Ending.RESET))
    yield broken("closes the connection on accept", do.on_accept(Ending.CLOSE))
    yield broken("resets the connection after the TLS handshake", do.on_accept(Ending.RESET, handshake=True))
    plain = do.on_accept(Ending.CLOSE, payload=b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
    yield broken("speaks plain HTTP on the TLS port", plain)
    yield broken("sends noise instead of TLS", do.on_accept(Ending.CLOSE, payload=bytes(range(256))))
    for certificate in get_args(Certificate)[1:]:
        yield broken(f"presents a certificate that is wrong: {certificate}", do.present(certificate, good))


def breakage_faults(body):
    good = do.answer(200, body)
    to_the_end = replace(good, framing="none", ending=Ending.CLOSE)
    yield broken("resets before the headers", do.reset())
    yield broken("closes without an answer", do.empty_reply())
    yield broken("cuts TLS without close_notify before the headers", do.broken_off(Ending.CUT))
    endings = {"resets": Ending.RESET, "closes": Ending.CLOSE, "cuts TLS without close_notify": Ending.CUT}
    for (words, ending), part in product(endings.items(), get_args(do.Part)):
        yield broken(f"{words} within the {part}", do.broken_off(ending, good, part))
    yield broken("cuts TLS within a body of unknown length", do.broken_off(Ending.CUT, to_the_end, "body"))
    yield token("ends a body of unknown length by an orderly close", to_the_end)
    yield token("answers, then resets the idle connection", do.idle_reset(good, 0.1))
    yield token("answers, then resets the connection at its next request", do.idle_reset(good))


def slow_faults(body):
    good, padded = do.answer(200, body), do.answer(200, b" " * 2000 + body)
    proceed = b"HTTP/1.1 100 Continue\r\n\r\n"
    yield broken("hangs after reading the request", do.hang())
    yield broken("drips the headers byte by byte", do.drip_headers(good))
    yield broken("drips the body byte by byte", do.dripped(padded, "body", 0.05))
    chunky = replace(padded, framing="chunked")
    yield broken("drips a chunked body byte by byte", do.dripped(chunky, "body", 0.05))
    yield broken("drips the headers of a 401", do.drip_headers(do.json_fault(401)))
    yield broken("stalls half-way through the headers", do.broken_off(Ending.HANG, good, "headers"))
    yield broken("stalls half-way through the body", do.broken_off(Ending.HANG, good, "body"))
    yield broken("sends 100 Continue for ever", do.raw(Repeated(proceed * 100)))
    yield broken("sends headers for ever", do.endless(b"X-Filler: " + b"x" * 1000 + b"\r\n"))
    yield broken("sends one header for ever", do.endless(b"x" * 1000, b"HTTP/1.1 200 OK\r\nX-Long: "))
    yield broken("sends a status line for ever", do.endless(b"x" * 1000, b"HTTP/1.1 200 "))
    yield broken("sends a chunked body for ever", do.endless_body())
    yield broken("sends a body of unknown length for ever", do.endless_body(framing="none"))
    chunk = do.HEAD + b"Transfer-Encoding: chunked\r\n\r\n%x" % len(body)
    yield broken("sends a chunk extension for ever", do.endless(b"x" * 1000, chunk + b";extension=", 0.01))
    trailers = do.endless(b"X-Trailer: x\r\n" * 100, chunk + b"\r\n%b\r\n0\r\n" % body)
    yield broken("sends trailers for ever", trailers)
    elsewhere = [("Location", "{elsewhere}{path}")]
    yield broken("sends a 302 with a body for ever", do.endless_body(302, headers=elsewhere))
    yield broken("sends a 401 with a body for ever", do.endless_body(401))
    yield broken("sends a 503 with a body for ever", do.endless_body(503))
    yield token("sends the headers in segments of one byte", do.dripped(good, "headers"))
    yield token("sends the body in segments of one byte", do.dripped(good, "body"))
    yield token("sends 100 Continue five times, then the answer", do.raw(Repeated(proceed, 5), good))


def chunk_faults(body):
    size = b"%x" % len(body)
    yield broken("sends a chunk size that is no number", do.chunked(b"zz", body, b"0", b""))
    yield broken("sends a negative chunk size", do.chunked(b"-5", body, b"0", b""))
    below = do.chunked(b"-" + b"F" * 40, body, b"0", b"")
    yield broken("sends a chunk size below the end of all numbers", below)
    yield broken("sends a chunk size of 2**63 - 1", do.chunked(b"7" + b"F" * 15, body))
    yield broken("sends a chunk size of 160 bits", do.chunked(b"F" * 40, body))
    yield broken("sends an empty chunk size", do.chunked(b"", body, b"0", b""))
    yield broken("sends a chunk that is longer than its size", do.chunked(b"5", body, b"0", b""))
    yield broken("sends a chunk that is shorter than its size", do.chunked(b"%x" % (len(body) + 50), body))
    yield broken("closes without the last chunk", do.chunked(size, body))
    yield broken("stalls without the last chunk", do.chunked(size, body, ending=Ending.HANG))
    pieces = [body[start : start + 7] for start in range(0, len(body), 7)]
    lines = [line for piece in pieces for line in (b"%x;part=yes" % len(piece), piece)]
    allowed = do.chunked(*lines, b"0", b"X-Trailer: yes", b"", ending=Ending.KEEP)
    yield token("sends good chunks of seven bytes, with extensions and a trailer", allowed)


def length_faults(body):
    right, long, short = str(len(body)), str(len(body) + 50), str(len(body) - 5)
    yield broken("says a Content-Length too long, and closes", do.content_length(long, body=body))
    stalled = do.content_length(long, body=body, ending=Ending.HANG)
    yield broken("says a Content-Length too long, and stalls", stalled)
    yield error("says a Content-Length too short", do.content_length(short, body=body))
    for value, words in (("-5", "a negative Content-Length"), ("many", "a Content-Length that is no number")):
        open_ended = do.content_length(value, body=body, ending=Ending.HANG)
        yield broken(f"says {words}, and stays open", open_ended)
    yield error("says a Content-Length of 0", do.content_length("0", body=body))
    huge = do.content_length("9" * 25, body=body)
    yield broken("says a Content-Length of 25 digits, and closes", huge)
    yield broken("says two different Content-Lengths", do.content_length(short, right, body=body))
    twice = do.content_length(right, right, body=body, ending=Ending.KEEP)
    yield token("says the right Content-Length twice", twice)


def coding_faults(body):
    """Content-Encoding done wrong, and bombs; the limit is 1 MiB, inflated."""
    packed, coding = gzip.compress(body), [("Content-Encoding", "gzip")]
    yield error("says gzip and sends plain text", do.answer(200, body, headers=coding))
    yield error("sends half of a gzip file", do.answer(200, packed[: len(packed) // 2], headers=coding))
    yield error("sends gzip with a wrong checksum", do.answer(200, packed[:-8] + b"\0" * 8, headers=coding))
    yield error("sends an empty gzip body", do.answer(200, headers=coding))
    twice = do.answer(200, packed, headers=[("Content-Encoding", "gzip, gzip")])
    yield error("says gzip twice and sends it once", twice)
    yield error("sends a gzip bomb of 800 MiB", do.gzip_bomb(body))
    yield error("sends a gzip bomb of 800 MiB in chunks", do.gzip_bomb(body, framing="chunked"))
    yield error("sends a double gzip bomb of 800 MiB", do.gzip_bomb(body, layers=2))
    yield error("sends a 401 with a gzip bomb", do.gzip_bomb(body, status=401))
    padded = Repeated(b"x" * MEBIBYTE, 10, body.rstrip(b"}") + b', "padding": "', b'"}')
    yield error("sends 10 MiB of JSON", do.answer(200, padded))
    padded = do.answer(200, b" " * 500_000 + body)
    yield token("sends 500 kB of blanks before its JSON", padded)
    yield token("sends correct gzip", do.answer(200, packed, headers=coding))


def protocol_faults(body):
    good = do.answer(200, body)
    yield broken("sends an SSH banner", do.raw(b"SSH-2.0-OpenSSH_9.9\r\n"))
    yield broken("sends its JSON without any HTTP", do.raw(body))
    yield broken("sends noise", do.raw(bytes(range(256)) * 20))
    yield broken("sends blank lines and closes", do.raw(b"\r\n" * 20))
    for line in ("HTTP/9.9 200 OK", "HTTP/1.1 abc OK", "HTTP/1.1 99 Low", "HTTP/1.1 1000 High", "ICY 200 OK"):
        sent = f"{line}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
        yield broken(f"sends the status line {line!r}", do.raw(sent))
    flood = Repeated(b"X-Filler: x\r\n", 5000, b"HTTP/1.1 200 OK\r\n", b"Content-Length: 2\r\n\r\n{}")
    yield broken("sends 5,000 headers", do.raw(flood))
    long = [("X-Long", "x" * 200_000)]
    yield broken("sends a header of 200 kB", do.answer(200, body, headers=long))
    cookies = [("Set-Cookie", f"flood{number}=cccccccccc; Path=/") for number in range(5000)]
    yield broken("sends 5,000 cookies", do.answer(200, body, headers=cookies))
    large = [("Set-Cookie", f"flood{number}={'c' * 4000}; Path=/") for number in range(80)]
    yield token("sends 80 cookies of 4 kB", do.answer(200, body, headers=large))
    yield token("sends no reason phrase", do.answer(200, body, reason=""))
    yield token("sends a reason phrase of 1 kB", do.answer(200, body, reason="OK " * 333))
    early = do.raw(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n", Ending.HANG)
    yield broken("sends 103 Early Hints and no answer", early)
    switched = do.answer(101, headers=[("Upgrade", "x")], framing="none")
    yield error("says 101 and switches to nothing", switched)
    for place in ("status line", "chunk size"):
        yield broken(f"echoes the credentials as its {place}", do.echo(place))
    yield error("answers 408 and closes", replace(good, status=408, ending=Ending.CLOSE))


FAULTS_BELOW_ANSWERS = (
    connection_faults,
    breakage_faults,
    slow_faults,
    chunk_faults,
    length_faults,
    coding_faults,
    protocol_faults,
)
