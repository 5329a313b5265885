"""What a raw client gets of the hostile server, and how the connection ends: which no catalogue tells."""

from __future__ import annotations

import json
import socket
import ssl
from dataclasses import replace

import pytest

from . import GOOD_TOKEN_DOCUMENT, HostileServer
from . import _mischief as do
from ._wire import Ending

PATH = "/api/thing"
REQUEST = f"POST {PATH} HTTP/1.1\r\nAuthorization: Basic Zm9vOmJhcg==\r\nContent-Length: 2\r\n\r\nhi".encode()
BODY = json.dumps(GOOD_TOKEN_DOCUMENT).encode()
GOOD = do.answer(200, BODY)
HEADERS, HALF = b"HTTP/1.1 200", BODY[: len(BODY) // 2]

pytestmark = pytest.mark.slow


def ask(server, part):
    """All that a raw client hears that notices a missing close_notify, and how it ends."""
    heard = b""
    context = ssl.create_default_context(cafile=server.ca_file)
    context.options &= ~0x80  # OP_IGNORE_UNEXPECTED_EOF, which has no name in 3.9
    plain = socket.create_connection(("127.0.0.1", server.port("main")), timeout=5)
    with context.wrap_socket(plain, server_hostname="localhost", suppress_ragged_eofs=False) as client:
        client.sendall(REQUEST)
        try:
            while True:
                client.settimeout(0.3 if part in heard else 5)  # seconds of silence that count as a hang
                if not client.pending():
                    socket.socket.recv(client, 1, socket.MSG_PEEK)  # ssl hides a reset behind an EOF
                piece = client.recv(65536)
                if not piece:
                    return heard, "closed"
                heard += piece
        except OSError as error:
            kinds = {"silent": socket.timeout, "cut": ssl.SSLError, "reset": ConnectionResetError}
            return heard, next(name for name, kind in kinds.items() if isinstance(error, kind))


@pytest.mark.parametrize(
    ("behaviour", "part", "end"),
    [
        (GOOD, BODY, "silent"),
        (replace(GOOD, ending=Ending.CLOSE), BODY, "closed"),
        (do.hang(), b"", "silent"),
        (do.idle_reset(GOOD, 0.05), BODY, "reset"),
        (do.broken_off(Ending.RESET, GOOD, "headers"), HEADERS, "reset"),
        (do.broken_off(Ending.CLOSE, GOOD, "body"), HALF, "closed"),
        (do.broken_off(Ending.CUT, GOOD, "body"), HALF, "cut"),
        (do.dripped(GOOD, "headers"), BODY, "silent"),
        (do.echo("body"), b"Zm9vOmJhcg== foo:bar  hi", "silent"),
        (do.on_accept(Ending.HANG, handshake=True), b"", "silent"),
    ],
)
def test_an_answer_says_and_ends_as_named(behaviour, part, end):
    """The bytes are there, the connection ends in the way promised, and the request is recorded."""
    with HostileServer() as server:
        server.script(PATH, behaviour)
        heard, ended = ask(server, part)
    assert ended == end
    assert part in heard
    assert BODY not in heard or part == BODY
    assert all((request.method, request.body) == ("POST", b"hi") for request in server.requests)
