"""The program: exports first, then a line per call, and a clean end."""

import io
import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import requests

from requests_thingspace.sandbox.__main__ import main, serve

NAMES = ["THINGSPACE_BASE_URL", "THINGSPACE_CLIENT_ID", "THINGSPACE_CLIENT_SECRET", "THINGSPACE_USERNAME"]
NAMES += ["THINGSPACE_PASSWORD", "REQUESTS_CA_BUNDLE"]


class Out(io.StringIO):
    """Text that tells when it was flushed."""

    def __init__(self, then=lambda: None):
        super().__init__()
        self.flushed = threading.Event()
        self.then = then

    def flush(self):
        super().flush()
        if not self.flushed.is_set():
            self.flushed.set()
            self.then()


class ThirdTime(threading.Event):
    """An event that is set when it is waited for the third time."""

    def __init__(self):
        super().__init__()
        self.waits = 0

    def wait(self, timeout=None):
        self.waits += 1
        if self.waits == 3:
            self.set()
        return super().wait(0)


def exports(lines):
    """What the lines export, by name."""
    return dict(re.fullmatch(r"export (\w+)=(.+)", line).groups() for line in lines)


def ask_token(values):
    """The status of a token call with what was exported."""
    return requests.post(
        f"{values['THINGSPACE_BASE_URL']}/api/ts/v1/oauth2/token",
        auth=(values["THINGSPACE_CLIENT_ID"], values["THINGSPACE_CLIENT_SECRET"]),
        data={"grant_type": "client_credentials"},
        verify=values["REQUESTS_CA_BUNDLE"],
        timeout=10,
    ).status_code


def test_it_prints_exports_and_then_a_line_per_call():
    out, stop = Out(), threading.Event()
    serving = threading.Thread(target=serve, args=(0, 3600, out), kwargs={"stop": stop})
    serving.start()
    assert out.flushed.wait(10)
    values = exports(out.getvalue().splitlines())
    assert list(values) == NAMES
    assert ask_token(values) == 200
    assert re.fullmatch(r"POST /api/ts/v1/oauth2/token 200 \d+ ms", out.getvalue().splitlines()[-1])
    stop.set()
    serving.join(10)
    assert not serving.is_alive()
    assert not Path(values["REQUESTS_CA_BUNDLE"]).exists()


def test_it_serves_until_stop_is_set():
    stop = ThirdTime()
    serve(0, 3600, io.StringIO(), stop=stop)
    assert stop.waits == 3


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_and_sigterm_end_it_and_its_handlers_go(number, monkeypatch):
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    out = Out(then=lambda: signal.raise_signal(number))
    monkeypatch.setattr("sys.stdout", out)
    assert main(["--token-life", "60"]) == 0
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before
    assert list(exports(out.getvalue().splitlines())) == NAMES


def test_a_port_in_use_and_a_life_too_short_are_errors(sandbox, capsys):
    assert main(["--port", sandbox.origin.rpartition(":")[2]]) == 1
    assert "is the port in use?" in capsys.readouterr().err
    assert main(["--token-life", "0"]) == 1
    assert "at least 1 second" in capsys.readouterr().err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_as_a_process_it_serves_and_exits_with_0(number):
    environment = {**os.environ, "PYTHONWARNINGS": "error"}
    program = [sys.executable, "-m", "requests_thingspace.sandbox", "--port", "0"]
    process = subprocess.Popen(
        program, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    with process:
        values = exports([process.stdout.readline().rstrip("\n") for _ in NAMES])
        assert ask_token(values) == 200
        assert process.stdout.readline().startswith("POST /api/ts/v1/oauth2/token 200")
        process.send_signal(number)
        assert process.wait(10) == 0
        assert process.stderr.read() == ""
    assert not Path(values["REQUESTS_CA_BUNDLE"]).parent.exists()


def test_a_sandbox_that_nobody_closed_does_not_hold_up_its_process():
    script = "from requests_thingspace.sandbox import Sandbox; print(Sandbox().start().origin)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, timeout=30, check=True)
    assert done.stdout.startswith(b"https://127.0.0.1:")
