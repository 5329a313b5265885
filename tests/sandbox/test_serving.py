"""The servers: many connections, rude clients, and nothing left after close."""

import gc
import logging
import socket
import ssl
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
import requests

from requests_thingspace.sandbox import Sandbox

from .client import Client


def address(sandbox):
    """Host and port of the main origin."""
    return "127.0.0.1", int(sandbox.origin.rpartition(":")[2])


def test_each_origin_holds_64_connections_and_answers_64_requests_at_once(sandbox):
    """All are in the server at the same time: an answer comes only when all have arrived."""
    with Client(sandbox) as client:
        headers = client.bearer()
    for origin in (sandbox.origin, sandbox.imp_origin, sandbox.edge_origin):
        sandbox.reset()
        sessions = [requests.Session() for _ in range(64)]

        def ask(session, url=f"{origin}/nowhere"):
            answer = session.get(url, headers=headers, verify=sandbox.ca_file)
            return answer.status_code, answer.headers.get("Connection")

        with ThreadPoolExecutor(64) as threads:
            assert list(threads.map(ask, sessions)) == [(400, None)] * 64
            sandbox.slow("api", 60)
            asked = [threads.submit(ask, session) for session in sessions]
            assert sandbox.wait_for_calls("api", 128)
            sandbox.reset()
            assert [future.result() for future in asked] == [(400, None)] * 64
        for session in sessions:
            session.close()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_the_certificate_is_good_for_loopback_and_for_who_trusts_it(sandbox, host):
    """And for nobody else."""
    url = f"https://{host}:{address(sandbox)[1]}/nowhere"
    assert requests.get(url, verify=sandbox.ca_file, timeout=10).status_code == 400
    with pytest.raises(requests.exceptions.SSLError):
        requests.get(url, timeout=10)


def test_clients_that_say_nothing_stop_nobody(sandbox):
    """Others are answered meanwhile."""
    silent = [socket.create_connection(address(sandbox)) for _ in range(20)]
    with Client(sandbox) as client:
        started = time.monotonic()
        assert client.ask_token().status_code == 200
        assert time.monotonic() - started < 2
    for connection in silent:
        connection.close()


def test_rude_clients_are_told_to_the_log_and_not_to_stderr(caplog, capfd):
    """Broken handshakes and requests."""
    caplog.set_level(logging.DEBUG)
    with Sandbox() as sandbox:
        with socket.create_connection(address(sandbox)) as plain:
            plain.sendall(b"GET / HTTP/1.1\r\n\r\n")
            plain.settimeout(10)
            with suppress(ConnectionResetError):
                assert b"HTTP" not in plain.recv(1000)
        with pytest.raises(requests.exceptions.SSLError):
            requests.get(sandbox.origin, timeout=10)
        trusting = ssl.create_default_context(cafile=sandbox.ca_file)
        for half in (
            b"",
            b"POST /sandbox/echo HTTP/1.1\r\nContent-Length: 100\r\n\r\nab",
            b"no HTTP\r\n\r\n",
        ):
            raw = socket.create_connection(address(sandbox))
            with trusting.wrap_socket(raw, server_hostname="localhost") as client:
                client.sendall(half)
        with Client(sandbox) as client:
            assert client.ask_token().status_code == 200
    names = {record.name for record in caplog.records if "broken" in record.getMessage()}
    assert names == {"requests_thingspace.sandbox"}
    assert capfd.readouterr().err == ""


def test_a_client_that_leaves_in_a_download_ends_its_request_only(sandbox):
    """The next one is answered."""
    with Client(sandbox) as client:
        answer = client.aid("bytes?n=100000000", stream=True)
        answer.raw.read(10)
        answer.close()
        assert client.ask_token().status_code == 200


def test_nothing_is_left_after_close(tmp_path, monkeypatch):
    """Threads, sockets, files: all as before, also with connections in use."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    threads = set(threading.enumerate())
    sandbox = Sandbox().start()
    port = address(sandbox)[1]
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["ca.pem"]
    with Client(sandbox) as client, socket.create_connection(address(sandbox)):
        download = client.aid("bytes?n=900000000", stream=True)
        started = time.monotonic()
        sandbox.close()
        assert time.monotonic() - started < 1
        with pytest.raises(requests.RequestException):
            list(download.iter_content(1_000_000))
    assert set(threading.enumerate()) <= threads
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))
    del download
    gc.collect()


def test_where_python_starts_no_more_threads_each_request_is_answered(sandbox, monkeypatch):
    """As at exit, where a program may log out or flush."""

    def refuse(_):
        raise RuntimeError("can't create new thread at interpreter shutdown")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    with Client(sandbox) as one, Client(sandbox) as other:
        assert [client.ask_token().status_code for client in (one, other, one)] == [200] * 3


def test_a_port_in_use_is_named(sandbox):
    """In the error of start()."""
    port = address(sandbox)[1]
    with pytest.raises(OSError, match=f"cannot listen on 127.0.0.1:{port}; is the port in use"):
        Sandbox(port=port).start()
