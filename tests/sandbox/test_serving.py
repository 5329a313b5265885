"""The servers: many connections, rude clients, and nothing left after close."""

import gc
import logging
import socket
import ssl
import threading
import time
from contextlib import ExitStack

import pytest
import requests

from requests_thingspace.sandbox import Sandbox

from .conftest import Client


def address(sandbox):
    """Host and port of the main origin."""
    return "127.0.0.1", int(sandbox.origin.rpartition(":")[2])


def test_rude_clients_are_told_to_the_log_and_not_to_stderr(caplog, capfd):
    """Broken handshakes, requests and downloads, and silence; the next call is answered at once."""
    caplog.set_level(logging.DEBUG)
    with Sandbox() as sandbox, ExitStack() as silent, Client(sandbox) as client:
        for _ in range(20):
            silent.enter_context(socket.create_connection(address(sandbox)))
        with pytest.raises(requests.exceptions.SSLError):
            requests.get(sandbox.origin, timeout=10)
        with pytest.raises(requests.ConnectionError):
            requests.get(sandbox.origin.replace("https", "http"), timeout=10)
        trusting = ssl.create_default_context(cafile=sandbox.ca_file)
        upload = b"POST /sandbox/echo HTTP/1.1\r\nContent-Length: 100\r\n\r\nab"
        for half in (b"", upload, b"no HTTP\r\n\r\n"):
            raw = socket.create_connection(address(sandbox))
            with trusting.wrap_socket(raw, server_hostname="localhost") as rude:
                rude.sendall(half)
        client.aid("bytes?n=100000000", stream=True).close()
        started = time.monotonic()
        assert client.ask_token().status_code == 200
        assert time.monotonic() - started < 2
    names = {record.name for record in caplog.records if "broken" in record.getMessage()}
    assert names == {"requests_thingspace.sandbox"}
    assert capfd.readouterr().err == ""


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
