"""The hostile server does what it says: what a raw client gets, and how the connection ends."""

from __future__ import annotations

import json
import socket
import ssl
import time

import pytest

from . import GOOD_TOKEN_DOCUMENT, Ending, HostileServer
from . import _mischief as do
from ._payloads import MEBIBYTE

PATH = "/api/thing"
REQUEST = f"POST {PATH} HTTP/1.1\r\nAuthorization: Basic Zm9vOmJhcg==\r\nContent-Length: 2\r\n\r\nhi".encode()
BODY = json.dumps(GOOD_TOKEN_DOCUMENT).encode()
GOOD = do.answer(200, BODY)
QUIET = 0.1  # seconds of silence that count as a hang

pytestmark = pytest.mark.slow

# The behaviour; how it ends: closed, cut, reset, silent, or enough (it would go on); what is in the answer.
ANSWERS = {
    "keep": (GOOD, "silent", BODY),
    "hang": (do.hang(), "silent", b""),
    "reset within the headers": (do.broken_off(Ending.RESET, GOOD, "headers"), "reset", b"HTTP/1.1 200"),
    "reset when idle": (do.idle_reset(GOOD, 0.05), "reset", BODY),
    "closed within the body": (do.broken_off(Ending.CLOSE, GOOD, "body"), "closed", BODY[:20]),
    "cut within the body": (do.cut(GOOD), "cut", BODY[:20]),
    "stall within the headers": (do.broken_off(Ending.HANG, GOOD, "headers"), "silent", b"HTTP/1.1 200"),
    "dripped headers": (do.drip_headers(GOOD, 0.01), "enough", b"HTTP/"),
    "dripped body": (do.drip_body(BODY, 0.01), "enough", b"\r\n\r\n     "),
    "segments of one byte": (do.dripped(GOOD, "headers"), "silent", BODY),
    "endless body": (do.endless_body(), "enough", b"chunked"),
    "not HTTP": (do.raw(b"SSH-2.0-x\r\n"), "closed", b"SSH-2.0-x\r\n"),
    "length too long": (do.content_length("500", body=BODY), "closed", b"Content-Length: 500\r\n"),
    "bad chunk size": (do.chunked(b"zz", BODY), "closed", b"chunked\r\n\r\nzz\r\n" + BODY),
    "continue": (do.continue_flood(3, GOOD), "silent", b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n"),
    "retry-after": (do.retry_after("1e999"), "silent", b"Retry-After: 1e999\r\n"),
    "a bomb": (do.gzip_bomb(BODY, mebibytes=3), "silent", b"Content-Encoding: gzip\r\n"),
    "echo": (do.echo("body"), "silent", b"Zm9vOmJhcg== foo:bar  hi"),
    "echo instead of HTTP": (do.echo("status line"), "closed", b"Basic Zm9vOmJhcg== foo:bar"),
    "echo as a chunk size": (do.echo("chunk size"), "closed", b"\r\n\r\nBasic Zm9vOmJhcg== foo:bar"),
    "redirect": (do.redirect(307, "a relative path"), "silent", b"Location: ../../../../../"),
    "silent after the handshake": (do.on_accept(Ending.HANG, handshake=True), "silent", b""),
    "reset before the handshake": (do.on_accept(Ending.RESET), "no TLS", b""),
    "silent handshake": (do.on_accept(Ending.HANG), "no TLS", b""),
    "dripped handshake": (do.dripped_handshake(0.01), "no TLS", b""),
    "unknown CA": (do.present("unknown CA", GOOD), "no TLS", b""),
}


@pytest.fixture
def server():
    with HostileServer() as running:
        yield running


def connect(server, patience=5):
    """A raw client connection, which notices a missing close_notify."""
    plain = socket.create_connection(("127.0.0.1", server.port("main")), timeout=patience)
    context = ssl.create_default_context(cafile=server.ca_file)
    context.options &= ~0x80  # OP_IGNORE_UNEXPECTED_EOF, which has no name in 3.9
    try:
        return context.wrap_socket(plain, server_hostname="localhost", suppress_ragged_eofs=False)
    except OSError:
        plain.close()
        raise


def exchange(client, part, end="silent"):
    """All that a request brings, and how it ends; silence is expected once `part` has come."""
    heard, deadline = b"", time.monotonic() + 0.2
    try:
        client.sendall(REQUEST)
        while len(heard) < MEBIBYTE and (time.monotonic() < deadline or part not in heard):
            client.settimeout(QUIET if end == "silent" and part in heard else 5)
            if not client.pending():
                socket.socket.recv(client, 1, socket.MSG_PEEK)  # the ssl module hides a reset behind an EOF
            piece = client.recv(65536)
            if not piece:
                return heard, "closed"
            heard += piece
    except socket.timeout:  # another name of TimeoutError only since 3.10
        return heard, "silent"
    except ssl.SSLError:
        return heard, "cut"
    except (ConnectionResetError, BrokenPipeError):
        return heard, "reset"
    return heard, "enough"


def ask(server, part, end="silent"):
    try:
        with connect(server, QUIET if end == "no TLS" else 5) as client:
            return exchange(client, part, end)
    except OSError:
        return b"", "no TLS"


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_says_and_ends_as_named(server, name):
    """The bytes are there, and the connection ends in the way promised."""
    behaviour, end, part = ANSWERS[name]
    server.script(PATH, behaviour)
    heard, ended = ask(server, part, end)
    assert (ended, part in heard) == (end, True)
    assert "within" not in name or BODY not in heard


def test_a_script_is_a_queue_whose_last_behaviour_repeats(server):
    """One behaviour per request, all on one connection, and each request is recorded."""
    server.script(PATH, do.answer(503), do.answer(429), do.answer(201))
    with connect(server) as client:
        for status in (b"503", b"429", b"201", b"201"):
            assert exchange(client, status)[0].startswith(b"HTTP/1.1 " + status)
    assert (server.connections, server.count(PATH)) == (1, 4)
    assert {(request.method, request.body) for request in server.requests} == {("POST", b"hi")}
