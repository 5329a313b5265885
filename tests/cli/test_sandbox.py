"""``thingspace sandbox``: exports first, then a line per call, and a clean end."""

import re
import signal
import sys
from pathlib import Path

import pytest
import requests
from requests.utils import DEFAULT_CA_BUNDLE_PATH

from .conftest import COMMAND, NO_CREDENTIALS, TIMEOUT

BUNDLES = ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"]
NAMES = ["THINGSPACE_BASE_URL", *NO_CREDENTIALS, "THINGSPACE_ACCOUNT_NAME", *BUNDLES]


def exports(text):
    """What `text` exports, by name."""
    return dict(re.findall(r"^export (\w+)=(.+)$", text, re.MULTILINE))


@pytest.fixture
def served(call, monkeypatch, capsys):
    """A function that serves, uses what is exported, ends it by a signal, and gives what was told."""

    def served(use, *, is_terminal=False, number=signal.SIGTERM):
        told = []

        def first_flush():
            monkeypatch.delattr(sys.stdout, "flush")
            told.append(capsys.readouterr().out)
            use(exports(told[0]))
            signal.raise_signal(number)

        monkeypatch.setattr(sys.stdout, "isatty", lambda: is_terminal)
        monkeypatch.setattr(sys.stdout, "flush", first_flush)
        status, out, _ = call("sandbox")
        assert status == 0
        return told[0] + out

    return served


@pytest.mark.parametrize(("number", "is_terminal"), [(signal.SIGINT, True), (signal.SIGTERM, False)])
def test_it_prints_exports_and_then_a_line_per_call(served, number, is_terminal):
    """Either signal ends it; the CA file goes, so that a person is told what to paste and what to unset."""
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)

    def ask_token(values):
        url = f"{values['THINGSPACE_BASE_URL']}/api/ts/v1/oauth2/token"
        how = {"data": {"grant_type": "client_credentials"}, "verify": values["REQUESTS_CA_BUNDLE"]}
        key = values["THINGSPACE_CLIENT_ID"], values["THINGSPACE_CLIENT_SECRET"]
        requests.post(url, auth=key, timeout=10, **how).raise_for_status()

    told = served(ask_token, number=number, is_terminal=is_terminal)
    assert list(exports(told)) == NAMES
    assert re.search(r"\nPOST /api/ts/v1/oauth2/token 200 \d+ ms\n", told)
    assert ("curl -H" in told) is ("Ctrl-C ends it" in told) is is_terminal
    assert told.endswith(f"\nunset {' '.join(NAMES)}\n\n") is is_terminal
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before
    assert not Path(exports(told)["REQUESTS_CA_BUNDLE"]).parent.exists()


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
    connect = "c = http.client.HTTPSConnection(os.environ['THINGSPACE_BASE_URL'][8:])"
    by_openssl = f"import http.client, os; {connect}; c.request('GET', '/api/'); c.getresponse()"
    with started(*COMMAND, "sandbox", "--token-life", "120") as process:
        lines = [process.stdout.readline() for _ in NAMES]
        shell = "".join(lines) + f'{sys.executable} -c "{by_openssl}" && {" ".join(COMMAND)} check --login'
        nothing = {**NO_CREDENTIALS, "THINGSPACE_BASE_URL": None, "REQUESTS_CA_BUNDLE": None}
        outcome = execute("/bin/sh", "-c", shell, **nothing)
        call = process.stdout.readline()
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=TIMEOUT)
    assert outcome.status == 0, outcome.out
    assert "expires in 2 min 0 s" in outcome.out or "expires in 1 min" in outcome.out
    assert call.startswith("GET /api/ ")
    assert (process.returncode, err) == (0, "")
