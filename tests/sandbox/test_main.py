"""The program: exports first, then a line per call, and a clean end."""

import io
import os
import re
import signal
import subprocess
import sys
import threading
from contextlib import ExitStack
from pathlib import Path

import pytest
import requests
from requests.utils import DEFAULT_CA_BUNDLE_PATH

from requests_thingspace.sandbox.__main__ import _bundle, main, serve

from ..users import python

NAMES = ["THINGSPACE_BASE_URL", "THINGSPACE_CLIENT_ID", "THINGSPACE_CLIENT_SECRET", "THINGSPACE_USERNAME"]
NAMES += ["THINGSPACE_PASSWORD", "THINGSPACE_ACCOUNT_NAME", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"]
NAMES += ["SSL_CERT_FILE"]


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


def exports(text):
    """What `text` exports, by name."""
    return dict(re.findall(r"^export (\w+)=(.+)$", text, re.MULTILINE))


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
    serving = threading.Thread(target=serve, args=(0, 3600, out), kwargs={"stop": stop}, daemon=True)
    serving.start()
    assert out.flushed.wait(10)
    values = exports(out.getvalue())
    assert list(values) == NAMES
    assert ask_token(values) == 200
    assert re.fullmatch(r"POST /api/ts/v1/oauth2/token 200 \d+ ms", out.getvalue().splitlines()[-1])
    stop.set()
    serving.join(10)
    assert not serving.is_alive()
    assert not Path(values["REQUESTS_CA_BUNDLE"]).exists()


def test_a_person_is_told_what_to_paste_and_what_to_unset(monkeypatch):
    """The bundle holds the public CAs too; when it is gone, so that it breaks nothing, it can be unset."""
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    out, stop = Out(), ThirdTime()
    out.then = lambda: bundles.append(Path(exports(out.getvalue())["CURL_CA_BUNDLE"]).read_text())
    bundles = []
    serve(0, 3600, out, stop=stop, for_a_person=True)
    assert Path(DEFAULT_CA_BUNDLE_PATH).read_text() in bundles[0]
    told = out.getvalue()
    assert "curl -H" in told
    assert "Ctrl-C ends it" in told
    assert told.endswith(f"\nunset {' '.join(NAMES)}\n\n")


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_the_bundle_holds_what_is_trusted_already(tmp_path, monkeypatch, variable):
    """Behind a proxy that inspects TLS other HTTPS goes on as well; else the public CAs do."""
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    company, own = tmp_path / "company.pem", tmp_path / "ca.pem"
    own.write_text("own")
    monkeypatch.setenv(variable, str(company))
    assert Path(_bundle(str(own))).read_text() == f"own\n{Path(DEFAULT_CA_BUNDLE_PATH).read_text()}"
    company.write_text("company's")
    assert Path(_bundle(str(own))).read_text() == "own\ncompany's"


@pytest.mark.parametrize("package", ["cheroot", "trustme"])
def test_a_missing_extra_is_named_where_the_sandbox_is_imported(package):
    """Whoever tries the first example of the page on testing is told what to install."""
    script = f"import sys; sys.modules[{package!r}] = None; from requests_thingspace.sandbox import Sandbox"
    done = python("-c", script, env=dict(os.environ))
    assert done.stderr.splitlines()[-1] == (
        f"ImportError: the sandbox needs {package}: pip install 'requests-thingspace[sandbox]'"
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_and_sigterm_end_it_and_its_handlers_go(number, monkeypatch):
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    out = Out(then=lambda: signal.raise_signal(number))
    monkeypatch.setattr("sys.stdout", out)
    assert main(["--token-life", "60"]) == 0
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before
    assert list(exports(out.getvalue())) == NAMES


def test_a_port_in_use_and_a_life_too_short_are_errors(sandbox, capsys):
    assert main(["--port", sandbox.origin.rpartition(":")[2]]) == 1
    assert "is the port in use?" in capsys.readouterr().err
    assert main(["--token-life", "0"]) == 1
    assert "at least 1 second" in capsys.readouterr().err


def test_as_a_process_it_serves_and_exits_with_0():
    environment = {**os.environ, "PYTHONWARNINGS": "error"}
    program = [sys.executable, "-m", "requests_thingspace.sandbox", "--port", "0"]
    process = subprocess.Popen(
        program, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    with process, ExitStack() as at_the_end:
        at_the_end.callback(process.kill)  # also if a line below fails
        values = exports("".join(process.stdout.readline() for _ in NAMES))
        assert ask_token(values) == 200
        assert process.stdout.readline().startswith("POST /api/ts/v1/oauth2/token 200")
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
        assert process.stderr.read() == ""
    assert not Path(values["REQUESTS_CA_BUNDLE"]).parent.exists()


def test_a_sandbox_that_nobody_closed_does_not_hold_up_its_process():
    script = "from requests_thingspace.sandbox import Sandbox; print(Sandbox().start().origin)"
    done = python("-c", script, env=dict(os.environ))
    assert done.stdout.startswith("https://127.0.0.1:")


def test_a_client_that_asks_openssl_trusts_it_too():
    """As httpx, aiohttp and urllib do."""
    out, connected = Out(), []

    def connect():
        values = exports(out.getvalue())
        script = "import socket, ssl, sys; sock = socket.create_connection(('127.0.0.1', int(sys.argv[1])))"
        script += "; ssl.create_default_context().wrap_socket(sock, server_hostname='127.0.0.1')"
        port = values["THINGSPACE_BASE_URL"].rpartition(":")[2]
        connected.append(python("-c", script, port, env={**os.environ, **values}))

    out.then = connect
    serve(0, 3600, out, stop=ThirdTime())
    assert connected[0].returncode == 0, connected[0].stderr
