"""The hostile server proves itself: it does what it says, and leaves nothing behind."""

from __future__ import annotations

import concurrent.futures
import contextlib
import gzip
import json
import os
import socket
import ssl
import struct
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

from . import (
    GOOD_TOKEN_DOCUMENT,
    LOGIN_FAULTS,
    LURE,
    STRAY_PATH,
    TOKEN_FAULTS,
    TOKEN_PATH,
    Answer,
    Behaviour,
    Ending,
    Fault,
    ForwardProxy,
    HostileServer,
    answer,
    chunked,
    closed,
    content_length,
    continue_flood,
    cookie_flood,
    cut,
    drip_body,
    drip_headers,
    dripped_handshake,
    echo,
    empty_reply,
    endless_body,
    endless_chunk_line,
    endless_headers,
    endless_trailers,
    gzip_bomb,
    gzipped,
    hang,
    held,
    idle_reset,
    in_segments,
    json_answer,
    nested_arrays,
    on_accept,
    oversized,
    present,
    raw,
    redirect,
    reset,
    retry_after,
    silent_handshake,
    stall,
)
from ._behaviours import OnAccept
from ._certificates import Certificate
from ._mischief import LOCATIONS
from ._payloads import MEBIBYTE, GzipBomb, Repeated, pieces_of

PATH = "/api/thing"
BODY = json.dumps(GOOD_TOKEN_DOCUMENT).encode()
GOOD = answer(200, BODY)
QUIET = 0.2  # seconds of silence that count as a hang
PATIENCE = 5.0  # seconds to wait for what is expected

pytestmark = pytest.mark.slow


@dataclass
class Heard:
    """What a raw client got, and how it ended: closed, cut, reset, silent, or enough."""

    data: bytes
    end: str
    segments: int = 0

    @property
    def body(self) -> bytes:
        """What follows the first blank line."""
        return self.data.partition(b"\r\n\r\n")[2]


@pytest.fixture
def server() -> Iterator[HostileServer]:
    """A running server."""
    with HostileServer() as running:
        yield running


@pytest.fixture
def session(server: HostileServer) -> Iterator[requests.Session]:
    """A Session that trusts the server and ignores the machine's proxies."""
    with requests.Session() as made:
        made.trust_env = False
        made.verify = server.ca_file
        yield made


def connect(server: HostileServer, *, handshake: bool = True, patience: float = PATIENCE) -> socket.socket:
    """A raw client connection, which notices a missing close_notify."""
    plain = socket.create_connection(("127.0.0.1", server.port("main")), timeout=patience)
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if not handshake or server.origin.startswith("http:"):
        return plain
    context = ssl.create_default_context(cafile=server.ca_file)
    try:
        return context.wrap_socket(plain, server_hostname="localhost", suppress_ragged_eofs=False)
    except OSError:
        plain.close()
        raise


def listen(
    client: socket.socket, limit: int = MEBIBYTE, seconds: float = 10.0, patience: float = PATIENCE
) -> Heard:
    """Reads until the end, silence of `patience` seconds, enough bytes, or enough time."""
    client.settimeout(patience)
    heard, deadline = Heard(b"", "enough"), time.monotonic() + seconds
    try:
        while len(heard.data) < limit and time.monotonic() < deadline:
            if not (isinstance(client, ssl.SSLSocket) and client.pending()):
                socket.socket.recv(client, 1, socket.MSG_PEEK)  # the ssl module hides a reset behind an EOF
            piece = client.recv(65536)
            if not piece:
                heard.end = "closed"
                break
            heard.data += piece
            heard.segments += 1
    except TimeoutError:
        heard.end = "silent"
    except ssl.SSLEOFError:
        heard.end = "cut"
    except ConnectionResetError:
        heard.end = "reset"
    return heard


def ask(
    server: HostileServer,
    *,
    limit: int = MEBIBYTE,
    seconds: float = 10.0,
    patience: float = PATIENCE,
    extra: str = "Connection: close\r\n",
) -> Heard:
    """One raw request on one connection, and all that comes back."""
    with connect(server) as client:
        client.sendall(f"POST {PATH} HTTP/1.1\r\nHost: x\r\n{extra}Content-Length: 2\r\n\r\nhi".encode())
        return listen(client, limit, seconds, patience)


# Scripts and records


def test_a_script_is_a_queue_whose_last_behaviour_repeats(
    server: HostileServer, session: requests.Session
) -> None:
    """One behaviour per request, and the last one stays."""
    server.script(PATH, answer(503), answer(429), answer(201))
    assert [session.post(server.origin + PATH).status_code for _ in range(4)] == [503, 429, 201, 201]
    assert server.count(PATH) == 4
    assert server.count() == 4
    assert server.connections == 1


def test_a_script_may_end(server: HostileServer, session: requests.Session) -> None:
    """Without repeat, and without a script, the answer is 404."""
    server.script(PATH, answer(201), repeat=False)
    assert [session.get(server.origin + PATH).status_code for _ in range(2)] == [201, 404]
    assert session.get(server.origin + "/other").status_code == 404


def test_a_new_script_replaces_the_old_one(server: HostileServer, session: requests.Session) -> None:
    """A fault that clears."""
    server.script(PATH, answer(500))
    assert session.get(server.origin + PATH).status_code == 500
    server.script(PATH, answer(200))
    assert session.get(server.origin + PATH).status_code == 200
    server.clear()
    assert session.get(server.origin + PATH).status_code == 404
    assert server.count(PATH) == 1


def test_requests_are_recorded_whole(server: HostileServer, session: requests.Session) -> None:
    """Method, path, query, headers in any case, body, and TLS."""
    session.put(server.origin + PATH + "?a=b", data=b"body", headers={"X-One": "1"})
    session.post(server.origin + PATH, data=iter([b"chu", b"nks"]))
    first, second = server.requests
    assert (first.method, first.path, first.query, first.body, first.tls) == (
        "PUT",
        PATH,
        "a=b",
        b"body",
        True,
    )
    assert first.headers["x-one"] == first.headers["X-One"] == "1"
    assert (second.method, second.body) == ("POST", b"chunks")


def test_large_requests_arrive(server: HostileServer, session: requests.Session) -> None:
    """A 100 kB header and a 5 MB body are read whole."""
    server.script(PATH, answer(200))
    session.post(server.origin + PATH, data=b"x" * 5_000_000, headers={"Authorization": "y" * 100_000})
    (request,) = server.requests
    assert len(request.body) == 5_000_000
    assert len(request.headers["Authorization"]) == 100_000


def test_plain_http_is_an_option() -> None:
    """The same without TLS."""
    with HostileServer(tls=False) as server, requests.Session() as session:
        session.trust_env = False
        server.script(PATH, json_answer(200, {"a": 1}))
        assert server.origin.startswith("http://")
        assert session.get(server.origin + PATH).json() == {"a": 1}
        assert not server.requests[0].tls


def test_wait_for_wakes_when_the_request_has_come(server: HostileServer) -> None:
    """A test can wait for the moment in which a request hangs."""
    server.script(PATH, hang())
    assert not server.wait_for(PATH, timeout=0.01)
    with concurrent.futures.ThreadPoolExecutor() as pool:
        waiting = pool.submit(ask, server, patience=QUIET)
        assert server.wait_for(PATH)
        assert waiting.result().end == "silent"


def test_held_answers_wait_for_their_gate(server: HostileServer, session: requests.Session) -> None:
    """The test decides when the answer goes out."""
    gate = threading.Event()
    server.script(PATH, held(json_answer(200, {"late": True}), gate))
    with concurrent.futures.ThreadPoolExecutor() as pool:
        waiting = pool.submit(session.get, server.origin + PATH)
        assert server.wait_for(PATH)
        assert not waiting.done()
        gate.set()
        assert waiting.result(5).json() == {"late": True}


# How answers end


ENDS: dict[str, tuple[Behaviour, str, bytes]] = {
    "keep": (GOOD, "silent", BODY),
    "hang": (hang(), "silent", b""),
    "empty reply": (empty_reply(), "closed", b""),
    "reset before the headers": (reset(), "reset", b""),
    "reset within the headers": (reset(GOOD, "headers"), "reset", b"HTTP/1.1 200"),
    "reset within the body": (reset(GOOD, "body"), "reset", BODY[:20]),
    "closed within the headers": (closed(GOOD, "headers"), "closed", b"HTTP/1.1 200"),
    "closed within the body": (closed(GOOD, "body"), "closed", BODY[:20]),
    "cut before the headers": (cut(GOOD, None), "cut", b""),
    "cut within the body": (cut(GOOD, "body"), "cut", BODY[:20]),
    "stall within the headers": (stall(GOOD, "headers"), "silent", b"HTTP/1.1 200"),
    "stall within the body": (stall(GOOD, "body"), "silent", BODY[:20]),
    "not HTTP": (raw(b"SSH-2.0-x\r\n"), "closed", b"SSH-2.0-x\r\n"),
    "length too long": (content_length("500", body=BODY), "closed", b"Content-Length: 500\r\n"),
    "length garbage": (
        content_length("x", body=BODY, ending=Ending.HANG),
        "silent",
        b"Content-Length: x\r\n",
    ),
    "two lengths": (content_length("1", "2", body=BODY), "closed", b"Content-Length: 1\r\nContent-Length: 2"),
    "bad chunk size": (chunked(b"zz", BODY), "closed", b"chunked\r\n\r\nzz\r\n" + BODY),
    "no last chunk": (chunked(b"%x" % len(BODY), BODY), "closed", BODY + b"\r\n"),
    "continue": (continue_flood(3, GOOD), "closed", b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n"),
    "no reason": (answer(999), "closed", b"HTTP/1.1 999\r\n"),
    "no content": (answer(204, framing="none"), "closed", b"HTTP/1.1 204 No Content\r\n"),
    "switching": (answer(101, framing="none"), "closed", b"HTTP/1.1 101 Switching Protocols\r\n"),
    "retry-after": (retry_after("1e999"), "closed", b"Retry-After: 1e999\r\n"),
    "plain as gzip": (gzipped(BODY, "plain"), "closed", b"Content-Encoding: gzip\r\n"),
    "nested arrays": (nested_arrays(), "closed", b"[" * 100_000 + b"]" * 100_000),
    "cookies": (cookie_flood(BODY, 3, 10), "closed", b"Set-Cookie: flood2=cccccccccc; Path=/\r\n"),
    "echo": (echo("body"), "closed", b"Zm9vOmJhcg== foo:bar  hi"),
    "echo instead of HTTP": (echo("status line"), "closed", b"Basic Zm9vOmJhcg== foo:bar"),
    "echo as a chunk size": (echo("chunk size"), "closed", b"\r\n\r\nBasic Zm9vOmJhcg== foo:bar"),
    "echo as a reason": (echo("reason"), "closed", b"HTTP/1.1 401 Basic Zm9vOmJhcg=="),
}


@pytest.mark.parametrize("name", ENDS)
def test_answers_say_and_end_as_named(server: HostileServer, name: str) -> None:
    """The bytes are there, and the connection ends in the way promised."""
    behaviour, end, part = ENDS[name]
    server.script(PATH, behaviour)
    extra = "Authorization: Basic Zm9vOmJhcg==\r\n" + ("Connection: close\r\n" if end == "closed" else "")
    heard = ask(server, extra=extra, patience=QUIET if end == "silent" else PATIENCE)
    assert heard.end == end
    assert part in heard.data
    assert server.count(PATH) == 1
    if "within" in name:
        assert BODY not in heard.data


@pytest.mark.parametrize("part", ["headers", "body"])
def test_drips_come_byte_by_byte_at_their_interval(server: HostileServer, part: str) -> None:
    """No pause is long, and no end is in sight."""
    server.script(PATH, drip_headers(GOOD, 0.01) if part == "headers" else drip_body(BODY, 0.01))
    heard = ask(server, seconds=0.4)
    assert heard.end == "enough"
    assert 10 < heard.segments <= 60
    assert (b"\r\n\r\n" in heard.data) == (part == "body")
    dripped = heard.body if part == "body" else heard.data
    assert len(dripped) >= heard.segments - 1


def test_segments_of_one_byte_come_without_pauses(server: HostileServer, session: requests.Session) -> None:
    """Odd, but in time."""
    server.script(PATH, in_segments(GOOD, "headers"))
    assert session.get(server.origin + PATH, timeout=2).json() == GOOD_TOKEN_DOCUMENT


@pytest.mark.parametrize(
    "behaviour",
    [
        endless_headers(),
        endless_body(),
        endless_body(chunked=False),
        endless_trailers(BODY),
        continue_flood(),
        raw(Repeated(b"no HTTP " * 100), name="no HTTP, for ever"),
    ],
    ids=lambda behaviour: str(behaviour.name),
)
def test_endless_answers_do_not_end(server: HostileServer, behaviour: Behaviour) -> None:
    """Two MiB are there as soon as they are asked for."""
    server.script(PATH, behaviour)
    heard = ask(server, limit=2 * MEBIBYTE)
    assert heard.end == "enough"


def test_an_endless_chunk_line_is_one_line(server: HostileServer) -> None:
    """It is paced, so that a reader without a limit does no harm."""
    server.script(PATH, endless_chunk_line())
    heard = ask(server, seconds=0.3)
    assert heard.end == "enough"
    assert b"\n" not in heard.body.partition(b"5;")[2]


# Before the request


def test_a_silent_handshake_is_silent(server: HostileServer) -> None:
    """The connection is there, the handshake is not; when the fault clears, all is well."""
    server.script(PATH, silent_handshake())
    with pytest.raises(TimeoutError):
        connect(server, patience=QUIET)
    assert server.count() == 0
    assert server.connections == 1
    server.script(PATH, GOOD)
    assert BODY in ask(server).data


def test_a_dripped_handshake_never_gets_anywhere(server: HostileServer) -> None:
    """Bytes come, a handshake does not."""
    server.script(PATH, dripped_handshake(0.01))
    with connect(server, handshake=False) as client:
        heard = listen(client, seconds=0.3)
    assert heard.data.startswith(b"\x16\x03\x03\x40\x00")
    assert heard.segments > 5


@pytest.mark.parametrize(
    ("ending", "expected"), [(Ending.RESET, "reset"), (Ending.CLOSE, "closed"), (Ending.HANG, "silent")]
)
@pytest.mark.parametrize("handshake", [False, True])
def test_connections_end_on_accept(
    server: HostileServer, ending: Ending, expected: str, handshake: bool
) -> None:
    """Before TLS or right after it, and only as often as scripted."""
    server.script(PATH, on_accept(ending, handshake=handshake), GOOD)
    with connect(server, handshake=handshake) as client:
        if ending is Ending.RESET and not handshake:
            client.sendall(b"\x16")
        assert listen(client, patience=QUIET if expected == "silent" else PATIENCE).end == expected
    assert BODY in ask(server).data
    assert server.count(PATH) == 1


def test_what_strikes_on_accept_strikes_open_connections_too(server: HostileServer) -> None:
    """A connection that is open already meets the same end at its next request."""
    with connect(server) as client:
        server.script(PATH, on_accept(Ending.RESET))
        client.sendall(f"GET {PATH} HTTP/1.1\r\n\r\n".encode())
        assert listen(client).end == "reset"


@pytest.mark.parametrize(
    ("certificate", "complaint"),
    [
        ("unknown CA", "unable to get local issuer certificate"),
        ("wrong name", "mismatch"),
        ("expired", "certificate has expired"),
        ("not yet valid", "certificate is not yet valid"),
    ],
)
def test_certificates_are_wrong_in_one_respect(
    server: HostileServer, session: requests.Session, certificate: Certificate, complaint: str
) -> None:
    """A client that verifies says which; one that does not gets the answer."""
    server.script(PATH, present(certificate, GOOD))
    with pytest.raises(requests.exceptions.SSLError, match=complaint):
        session.get(server.origin + PATH)
    assert server.count() == 0
    blind = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    blind.check_hostname, blind.verify_mode = False, ssl.CERT_NONE
    with (
        socket.create_connection(("127.0.0.1", server.port("main")), timeout=2) as plain,
        blind.wrap_socket(plain) as client,
    ):
        client.sendall(f"GET {PATH} HTTP/1.1\r\nConnection: close\r\n\r\n".encode())
        assert BODY in listen(client).data


def test_further_names_are_on_the_certificate() -> None:
    """A real name can be tested, given a route to it."""
    with HostileServer(names=("thing.example",)) as server:
        context = ssl.create_default_context(cafile=server.ca_file)
        with (
            socket.create_connection(("127.0.0.1", server.port("main")), timeout=2) as plain,
            context.wrap_socket(plain, server_hostname="thing.example"),
        ):
            pass


# Bodies


@pytest.mark.parametrize(("mebibytes", "layers"), [(800, 1), (100, 2)])
def test_bombs_are_correct_gzip(mebibytes: int, layers: int) -> None:
    """Small on the wire, made in small pieces, and true to their checksum."""
    bomb = GzipBomb(BODY, mebibytes, layers)
    wire = inflated = largest = 0
    decoders = [zlib.decompressobj(31) for _ in range(layers)]
    tail = b""
    for piece in pieces_of(bomb):
        wire += len(piece)
        largest = max(largest, len(piece))
        inner = piece
        for decoder in decoders[:-1]:
            inner = decoder.decompress(inner)
        while inner:
            inflated += len(part := decoders[-1].decompress(inner, 4 * MEBIBYTE))
            inner = decoders[-1].unconsumed_tail
            tail = part or tail
    assert all(decoder.eof for decoder in decoders)
    assert inflated == mebibytes * MEBIBYTE + len(BODY)
    assert wire == bomb.size < 1_000_000
    assert largest < 100_000
    assert tail.endswith(BODY)


@pytest.mark.parametrize("framing", ["length", "chunked"])
@pytest.mark.parametrize("layers", [1, 2])
def test_bombs_go_off_in_requests(
    server: HostileServer, session: requests.Session, framing: str, layers: int
) -> None:
    """A small one, read by a client without a limit."""
    server.script(PATH, gzip_bomb(BODY, mebibytes=3, layers=layers, framing=framing))  # type: ignore[arg-type]
    response = session.get(server.origin + PATH)
    assert len(response.content) == 3 * MEBIBYTE + len(BODY)
    assert response.json() == GOOD_TOKEN_DOCUMENT


def test_the_bombs_of_the_catalogue_are_large() -> None:
    """800 MB and more in each, and less than 1 MB of it on the wire."""
    bombs = [fault.behaviours[0] for fault in TOKEN_FAULTS if "bomb of" in fault.title]
    bodies = [bomb.body for bomb in bombs if isinstance(bomb, Answer)]
    assert len(bodies) == 3
    for body in bodies:
        assert isinstance(body, GzipBomb)
        assert body.mebibytes * MEBIBYTE > 800_000_000
        assert body.size < 1_000_000


def test_ten_mebibytes_of_json_are_json(server: HostileServer, session: requests.Session) -> None:
    """Only its size is wrong with it."""
    server.script(PATH, oversized(BODY))
    response = session.get(server.origin + PATH)
    assert len(response.content) > 10 * MEBIBYTE
    assert response.json().items() >= GOOD_TOKEN_DOCUMENT.items()


def test_gzip_is_wrong_in_the_way_named() -> None:
    """Right, truncated, and of a wrong checksum."""
    right, half, wrong = (
        b"".join(pieces_of(gzipped(BODY, kind).body)) for kind in ("right", "truncated", "bad checksum")
    )
    assert gzip.decompress(right) == BODY
    assert half == right[: len(half)] != right
    with pytest.raises(gzip.BadGzipFile):
        gzip.decompress(wrong)


# Redirects and idle connections


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("to", LOCATIONS)
def test_redirects_point_where_they_say(
    server: HostileServer, session: requests.Session, status: int, to: str
) -> None:
    """And whoever follows one to another place is written down, and given a lure."""
    server.script(PATH, redirect(status, to))
    first = session.post(server.origin + PATH, data=b"secret", allow_redirects=False)
    assert first.status_code == status
    expected = {
        "another host": server.elsewhere + PATH,
        "plain http": server.http_origin + PATH,
        "itself": server.origin + PATH,
        "a relative path": "../../../../.." + STRAY_PATH,
        "nowhere": None,
    }
    assert first.headers.get("Location") == expected[to]
    assert server.strays == []
    if to in ("another host", "plain http", "a relative path"):
        assert session.post(server.origin + PATH, data=b"secret").json() == LURE
        assert len(server.strays) == 1
        assert server.strays[0].tls == (to != "plain http")


def test_an_idle_connection_is_reset_at_its_next_request(server: HostileServer) -> None:
    """The first answer is whole; the second request meets a reset and is not counted."""
    server.script(PATH, idle_reset(GOOD))
    with connect(server) as client:
        client.sendall(f"GET {PATH} HTTP/1.1\r\n\r\n".encode())
        assert BODY in listen(client, patience=QUIET).data
        client.sendall(f"GET {PATH} HTTP/1.1\r\n\r\n".encode())
        assert listen(client).end == "reset"
    assert server.count(PATH) == 1


def test_an_idle_connection_is_reset_by_itself(server: HostileServer) -> None:
    """The answer is whole, then the connection is gone without another request."""
    server.script(PATH, idle_reset(GOOD, 0.05))
    heard = ask(server)
    assert heard.end == "reset"
    assert BODY in heard.data


# Nothing is left behind


STUCK: list[Callable[[], Behaviour]] = [
    hang,
    silent_handshake,
    dripped_handshake,
    lambda: on_accept(Ending.HANG, handshake=True),
    lambda: stall(GOOD),
    lambda: drip_headers(GOOD, 60),
    lambda: drip_body(BODY, 60),
    endless_body,
    endless_headers,
    continue_flood,
    lambda: held(GOOD, threading.Event()),
    lambda: idle_reset(GOOD),
    lambda: idle_reset(GOOD, 60),
    lambda: gzip_bomb(BODY, mebibytes=100_000),
    lambda: GOOD,
]


def open_files() -> int:
    """How many descriptors this process holds, where that can be known."""
    folder = Path("/proc/self/fd")
    return len(list(folder.iterdir())) if folder.exists() else 0


def test_close_ends_everything_within_a_second() -> None:
    """Clients that wait, drip, and do not read what floods them: no thread and no socket survives."""
    before, threads = open_files(), threading.active_count()
    server = HostileServer()
    server.start()
    clients: list[socket.socket] = []
    asked = 0
    for make in STUCK * 3:
        behaviour = make()
        server.script(PATH, behaviour)
        early = isinstance(behaviour, OnAccept) and not behaviour.handshake
        client = connect(server, handshake=not early)
        clients.append(client)
        if not isinstance(behaviour, OnAccept):
            client.sendall(f"GET {PATH} HTTP/1.1\r\n\r\n".encode())
            asked += 1
            assert server.wait_for(PATH, asked)
    assert server.open_connections == len(clients)
    started = time.monotonic()
    server.close()
    assert time.monotonic() - started < 1
    assert threading.active_count() == threads
    assert server.open_connections == 0
    for client in clients:
        client.close()
    assert open_files() == before
    assert not os.path.exists(server.ca_file)


def test_close_may_come_twice_or_without_a_start() -> None:
    """Neither is an error."""
    server = HostileServer()
    server.close()
    server.close()
    with HostileServer() as other:
        other.close()


def test_a_client_that_leaves_ends_its_thread(server: HostileServer) -> None:
    """A hang lasts as long as its client."""
    server.script(PATH, hang())
    clients = [connect(server) for _ in range(5)]
    for client in clients:
        client.sendall(f"GET {PATH} HTTP/1.1\r\n\r\n".encode())
    assert server.wait_for(PATH, 5)
    assert server.open_connections == 5
    for client in clients:
        client.close()
    assert server.wait_until_idle()


@pytest.mark.parametrize(
    "noise", [b"", b"\r\n\r\n", b"GET\r\n\r\n", b"\x00" * 2000, b"POST / HTTP/1.1\r\nCo"]
)
def test_clients_that_talk_nonsense_do_no_harm(server: HostileServer, noise: bytes) -> None:
    """They are dropped, and the next client is served."""
    with connect(server) as client:
        client.sendall(noise)
    server.script(PATH, GOOD)
    assert BODY in ask(server).data
    assert server.wait_until_idle()


def test_a_client_that_resets_does_no_harm(server: HostileServer) -> None:
    """RST from the other side."""
    server.script(PATH, endless_body())
    client = connect(server)
    client.sendall(f"GET {PATH} HTTP/1.1\r\n\r\n".encode())
    client.recv(1)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()
    assert server.wait_until_idle()


def test_64_connections_are_kept_alive(server: HostileServer) -> None:
    """And all of them are served twice."""
    server.script(PATH, GOOD)
    clients = [connect(server) for _ in range(64)]
    for _ in range(2):
        for client in clients:
            client.settimeout(5)
            client.sendall(f"GET {PATH} HTTP/1.1\r\n\r\n".encode())
        for client in clients:
            received = b""
            while not received.endswith(BODY):
                received += client.recv(4096)
    assert server.connections == 64
    assert server.count(PATH) == 128
    for client in clients:
        client.close()


# The catalogue


def test_the_catalogue_is_large_and_its_names_are_unique() -> None:
    """Rows of a table need names."""
    rows = TOKEN_FAULTS + LOGIN_FAULTS
    assert len(TOKEN_FAULTS) >= 108
    assert len({fault.name for fault in rows}) == len(rows)
    assert all(fault.title and fault.name == f"{fault.endpoint}: {fault.title}" for fault in rows)


def test_expectations_fit_their_endpoint() -> None:
    """An OAuth token has an expiry kind; an error and a session token have none, and a login is sent once."""
    for fault in TOKEN_FAULTS + LOGIN_FAULTS:
        assert bool(fault.expiry) == (fault.expectation == "token" and fault.endpoint == "token"), fault
        assert fault.max_calls == 1 or fault.endpoint == "token", fault
        assert fault.max_calls <= 3, fault


def test_every_fault_plays(capfd: pytest.CaptureFixture[str]) -> None:
    """Against a client of its own: the good ones are whole, the bad ones over at once unless they wait."""
    with concurrent.futures.ThreadPoolExecutor(24) as pool:
        problems = [problem for problem in pool.map(play, TOKEN_FAULTS + LOGIN_FAULTS) if problem]
    assert problems == []
    assert capfd.readouterr() == ("", "")


def play(fault: Fault) -> str:
    """What is wrong with a fault, if anything."""
    patience = QUIET if fault.waits else PATIENCE
    with HostileServer() as server:
        server.script(fault.path, *fault.behaviours)
        if fault.expectation == "token":
            return read_token(server, fault)
        request = f"POST {fault.path} HTTP/1.1\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi"
        try:
            with connect(server, patience=patience) as client:
                client.sendall(request.encode())
                heard = listen(client, 300_000, seconds=patience, patience=patience)
        except OSError:
            return "" if server.count() == 0 else f"{fault}: ended while it was asked"
        asked = 0 if isinstance(fault.behaviours[0], OnAccept) else 1
        over = heard.end in ("closed", "cut", "reset") or len(heard.data) >= 300_000
        came = not asked or server.wait_for(fault.path)  # a busy machine may take its time
        right = came and server.count(fault.path) == asked and (fault.waits or over)
        return "" if right else f"{fault}: {heard.end}, {server.count()} requests"


def read_token(server: HostileServer, fault: Fault) -> str:
    """Whether a plain requests client, patient with the first behaviours, reads a token out of the last."""
    with requests.Session() as session:
        session.trust_env = False
        session.verify = server.ca_file
        for _ in fault.behaviours[:-1]:
            with contextlib.suppress(requests.ConnectionError):
                session.post(server.origin + fault.path, timeout=5)
        try:
            response = session.post(server.origin + fault.path, timeout=5)
            document = json.loads(response.content)
        except (requests.RequestException, ValueError) as error:
            return f"{fault}: {error!r}"
    name = "access_token" if fault.endpoint == "token" else "sessionToken"
    return "" if isinstance(document[name], str) else f"{fault}: {document}"


def test_an_unprotected_client_falls_for_a_redirect() -> None:
    """The rows bite: plain requests follows, and the lure is what it gets."""
    (row,) = [fault for fault in TOKEN_FAULTS if fault.title == "redirects with 307 to plain http"]
    with HostileServer() as server, requests.Session() as session:
        session.trust_env = False
        session.verify = server.ca_file
        server.script(TOKEN_PATH, *row.behaviours)
        assert session.post(server.origin + TOKEN_PATH, data=b"secret").json() == LURE
        assert [stray.body for stray in server.strays] == [b"secret"]


# The proxy


def test_the_proxy_tunnels(server: HostileServer, session: requests.Session) -> None:
    """TLS goes through it, and it sees no more than the name."""
    server.script(PATH, GOOD)
    with ForwardProxy() as proxy:
        session.proxies = proxy.proxies
        for _ in range(2):
            assert session.get(server.origin + PATH, timeout=5).content == BODY
        assert proxy.count("CONNECT", server.origin.removeprefix("https://")) == proxy.count() == 1
        session.close()
    assert server.count(PATH) == 2


def test_the_proxy_forwards_absolute_uris(session: requests.Session) -> None:
    """Plain HTTP, with method, body, query and headers."""
    with ForwardProxy() as proxy, HostileServer(tls=False) as server:
        session.proxies = proxy.proxies
        server.script(PATH, GOOD)
        url = server.origin + PATH + "?a=b"
        assert session.post(url, data=b"body", headers={"X-One": "1"}, timeout=5).content == BODY
        assert session.post(url, data=iter([b"chu", b"nks"]), timeout=5).content == BODY
        assert session.get(url, timeout=5).content == BODY
        assert [seen.method for seen in proxy.requests] == ["POST", "POST", "GET"]
        assert [request.body for request in server.requests] == [b"body", b"chunks", b""]
        assert server.requests[0].headers["X-One"] == "1"
        assert server.requests[0].query == "a=b"


def test_the_proxy_asks_for_credentials(server: HostileServer, session: requests.Session) -> None:
    """Right ones pass, also with letters that must be quoted; wrong and missing ones are told 407."""
    server.script(PATH, GOOD)
    with ForwardProxy("user", "p@ss:w/rd") as proxy:
        session.proxies = {"https": proxy.bare_url}
        with pytest.raises(requests.exceptions.ProxyError, match="407"):
            session.get(server.origin + PATH, timeout=5)
        session.proxies = {"https": proxy.bare_url.replace("://", "://user:wrong@")}
        with pytest.raises(requests.exceptions.ProxyError, match="407"):
            session.get(server.origin + PATH, timeout=5)
        assert server.count() == proxy.count() == 0
        session.proxies = proxy.proxies
        assert session.get(server.origin + PATH, timeout=5).content == BODY
        assert [seen.admitted for seen in proxy.requests] == [False, False, True]
        session.close()


def test_the_proxy_routes_real_names_to_loopback(session: requests.Session) -> None:
    """A real host name ends at the test's own server, and any other at 502."""
    with (
        HostileServer(names=("thing.example",)) as server,
        ForwardProxy(routes={"thing.example:443": server.port("main")}) as proxy,
    ):
        server.script(PATH, GOOD)
        session.proxies = proxy.proxies
        assert session.get(f"https://thing.example{PATH}", timeout=5).content == BODY
        with pytest.raises(requests.exceptions.ProxyError, match="502"):
            session.get("https://other.example/", timeout=5)
        assert session.get("http://other.example/", timeout=5).status_code == 502
        session.close()


def test_the_proxy_closes_its_tunnels() -> None:
    """Both sides of an idle tunnel, and one to a server that hangs."""
    before, threads = open_files(), threading.active_count()
    with HostileServer() as server:
        server.script(PATH, hang())
        proxy = ForwardProxy()
        proxy.start()
        clients = []
        for _ in range(5):
            client = socket.create_connection(("127.0.0.1", proxy.port("proxy")), timeout=5)
            client.sendall(f"CONNECT localhost:{server.port('main')} HTTP/1.1\r\n\r\n".encode())
            assert b"200" in client.recv(100)
            clients.append(client)
        started = time.monotonic()
        proxy.close()
        assert time.monotonic() - started < 1
        for client in clients:
            assert client.recv(1) == b""
            client.close()
    assert threading.active_count() == threads
    assert open_files() == before
