"""``thingspace sandbox``: exports first, then a line per call, and a clean end."""

from __future__ import annotations

import io
import re
import signal
import sys
from pathlib import Path

import pytest
import requests
from requests.utils import DEFAULT_CA_BUNDLE_PATH

from .conftest import COMMAND, NO_CREDENTIALS, TIMEOUT, told_by

BUNDLES = ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"]
NAMES = ["THINGSPACE_BASE_URL", *NO_CREDENTIALS, "THINGSPACE_ACCOUNT_NAME", *BUNDLES]


class Out(io.StringIO):
    """A stdout that calls a function once, when it is flushed for the first time."""

    def __init__(self, then, *, is_terminal):
        super().__init__()
        self.then = then
        self.isatty = lambda: is_terminal

    def flush(self):
        then, self.then = self.then, lambda: None
        then()


def exports(text):
    """What `text` exports, by name."""
    return dict(re.findall(r"^export (\w+)=(.+)$", text, re.MULTILINE))


@pytest.fixture
def served(call, monkeypatch):
    """A function that serves, uses what is exported, ends it by a signal, and gives what was told."""

    def served(use, *, is_terminal=False, number=signal.SIGTERM):
        def then_stop():
            use(exports(out.getvalue()))
            signal.raise_signal(number)

        out = Out(then_stop, is_terminal=is_terminal)
        monkeypatch.setattr("sys.stdout", out)
        assert call("sandbox")[0] == 0
        return out.getvalue()

    return served


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_prints_exports_and_then_a_line_per_call(served, number):
    """Either signal ends it, gives back its handler, and the CA file goes."""
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)

    def ask_token(values):
        key = values["THINGSPACE_CLIENT_ID"], values["THINGSPACE_CLIENT_SECRET"]
        url, form = (
            f"{values['THINGSPACE_BASE_URL']}/api/ts/v1/oauth2/token",
            {"grant_type": "client_credentials"},
        )
        bundle = values["REQUESTS_CA_BUNDLE"]
        requests.post(url, auth=key, data=form, verify=bundle, timeout=10).raise_for_status()

    told = served(ask_token, number=number)
    assert list(exports(told)) == NAMES
    assert re.fullmatch(r"POST /api/ts/v1/oauth2/token 200 \d+ ms", told.splitlines()[-1])
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before
    assert not Path(exports(told)["REQUESTS_CA_BUNDLE"]).parent.exists()


def test_a_person_is_told_what_to_paste_and_what_to_unset(served):
    """When the CA file is gone, so that it breaks nothing, it can be unset."""
    told = served(lambda _: None, is_terminal=True)
    assert "curl -H" in told
    assert "Ctrl-C ends it" in told
    assert told.endswith(f"\nunset {' '.join(NAMES)}\n\n")


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
@pytest.mark.parametrize("company", ["the company's CA", None])
def test_the_bundle_holds_what_is_trusted_already(served, tmp_path, monkeypatch, variable, company):
    """Behind a proxy that inspects TLS other HTTPS goes on as well; else the public CAs do."""
    trusted, bundles = tmp_path / "company.pem", []
    if company is not None:
        trusted.write_text(company)
    monkeypatch.delenv("REQUESTS_CA_BUNDLE")
    monkeypatch.setenv(variable, str(trusted))
    served(lambda values: bundles.extend(Path(values[name]).read_text() for name in BUNDLES))
    assert len(set(bundles)) == 1
    assert bundles[0].startswith("-----BEGIN")
    assert bundles[0].endswith("\n\n" + (company or Path(DEFAULT_CA_BUNDLE_PATH).read_text()))


@pytest.mark.skipif(sys.platform == "win32", reason="Windows sends no SIGINT to one process")
def test_the_sandbox_first_says_what_a_shell_needs(started, execute):
    """In a pipe: others use it with nothing but the lines, also those that ask OpenSSL (httpx, urllib)."""
    connect = (
        "c = http.client.HTTPSConnection(os.environ['THINGSPACE_BASE_URL'][8:]); c.request('GET', '/api/')"
    )
    by_openssl = f'{sys.executable} -c "import http.client, os; {connect}; c.getresponse()"'
    with started(*COMMAND, "sandbox", "--token-life", "120") as process:
        lines = [process.stdout.readline() for _ in NAMES]
        shell = "".join(lines) + f"{by_openssl} && {' '.join(COMMAND)} check --login"
        nothing = {**NO_CREDENTIALS, "THINGSPACE_BASE_URL": None, "REQUESTS_CA_BUNDLE": None}
        outcome = execute("/bin/sh", "-c", shell, **nothing)
        call = process.stdout.readline()
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=TIMEOUT)
    assert outcome.returncode == 0, outcome.stdout
    assert "expires in 2 min 0 s" in outcome.stdout or "expires in 1 min" in outcome.stdout
    assert call.startswith("GET /api/ ")
    assert (process.returncode, err) == (0, "")


def test_a_sandbox_that_cannot_be_served_gets_one_line(
    thingspace, the_line, sandbox, without, tmp_path, monkeypatch
):
    """A port in use, a number out of range, a CA file that is none, a missing extra."""
    port = sandbox.origin.rpartition(":")[2]
    assert port in the_line("sandbox", "--port", port)
    assert the_line("sandbox", "--token-life", "0")
    bundle = tmp_path / "bundle.pem"
    bundle.write_bytes(b"\xff")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))
    assert str(bundle) in the_line("sandbox")
    assert "requests-thingspace[sandbox]" in told_by(thingspace("sandbox", PYTHONPATH=without("trustme")))
