"""``thingspace check`` names what is wrong, and says what to do about it."""

from __future__ import annotations

import json
import socket
import ssl
import time
from email.utils import formatdate

import pytest
import requests

from requests_thingspace.cli._check import steps
from requests_thingspace.cli._failures import explained
from tests.hostile import TOKEN_PATH, ForwardProxy, HostileServer, answer, on_accept, present
from tests.hostile._wire import Ending

NAMES = ["name", "TLS", "clock", "key and secret", "token"]


@pytest.fixture
def check(call):
    """A function that checks, and gives the status and the steps by their names."""

    def check(*arguments):
        status, out, _ = call("check", "--json", *arguments)
        document = json.loads(out)
        assert document["ok"] is (status == 0)
        return status, {step["name"]: step for step in document["steps"]}

    return check


def outcomes(steps):
    """The outcome of each step."""
    return [step["outcome"] for step in steps.values()]


def test_all_is_well(check, sandbox):
    """Each step is taken once, and neither a stored token nor a login is involved."""
    for _ in range(2):
        status, steps = check()
        assert (status, list(steps), outcomes(steps)) == (0, NAMES, ["ok"] * 5)
        assert "ts.mec.fullaccess" in steps["token"]["text"]
        assert "min" in steps["token"]["text"]
    assert (sandbox.calls["token"], sandbox.calls["login"]) == (2, 0)


def test_a_person_reads_a_line_for_each_step(thingspace):
    """In a pipe there are no colours, and the exit status says the same."""
    outcome = thingspace("check")
    assert (outcome.returncode, outcome.stderr) == (0, "")
    assert [line.split("  ")[0].strip() for line in outcome.stdout.splitlines()] == ["ok"] * 5
    assert "\x1b" not in outcome.stdout


def test_the_login_is_tried_once_and_ended(check, call, sandbox):
    """It says before that a failure counts, and leaves no session behind."""
    status, steps = check("--login")
    assert (status, steps["login"]["outcome"]) == (0, "ok")
    assert sandbox.answers["logout", 200] == 1
    assert "a failed login counts" in call("check", "--login")[2]
    assert sandbox.calls["login"] == 2


def test_a_refused_login_is_named(check, monkeypatch, sandbox):
    """One attempt is used up, no more, and the hint warns of the next."""
    monkeypatch.setenv("THINGSPACE_PASSWORD", "a-mistake")
    status, steps = check("--login")
    assert (status, outcomes(steps)) == (1, ["ok"] * 5 + ["failed"])
    assert "five failed logins lock the account" in steps["login"]["hint"]
    assert sandbox.calls["login"] == 1


def test_a_wrong_secret_is_named(check, thingspace, monkeypatch):
    """What comes after it is not tried, and the wrong secret is not shown."""
    outcome = thingspace("check", THINGSPACE_CLIENT_SECRET="a-mistake")
    assert outcome.returncode == 1
    assert "failed     key and secret" in outcome.stdout
    assert "a-mistake" not in outcome.stdout
    monkeypatch.setenv("THINGSPACE_CLIENT_SECRET", "a-mistake")
    _, steps = check("--login")
    assert outcomes(steps) == ["ok"] * 3 + ["failed", "not tried", "not tried"]
    assert "HTTP 401 invalid_client" in steps["key and secret"]["text"]
    assert "Key Management" in steps["key and secret"]["hint"]


def test_no_network_is_named(check, monkeypatch):
    """A name that nobody knows (RFC 6761: .invalid), as without a network."""
    monkeypatch.setenv("THINGSPACE_BASE_URL", "https://thingspace.invalid")
    status, steps = check()
    assert (status, outcomes(steps)) == (1, ["failed"] + ["not tried"] * 4)
    assert "thingspace.invalid: the host's name is not found" in steps["name"]["text"]


def test_a_server_that_is_not_there_is_named(check, monkeypatch):
    """The name is known, but nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    monkeypatch.setenv("THINGSPACE_BASE_URL", f"https://127.0.0.1:{port}")
    status, steps = check()
    assert (status, outcomes(steps)) == (1, ["ok", "failed"] + ["not tried"] * 3)
    assert "the connection is refused" in steps["TLS"]["text"]


@pytest.mark.parametrize(("hours", "word"), [(1, "behind"), (-1, "ahead of")])
def test_a_clock_that_is_an_hour_off_is_named(check, sandbox, hours, word):
    """The other steps go on, since tokens work by their remaining life."""
    date = formatdate(time.time() + hours * 3600, usegmt=True)
    sandbox.fail_next("api", status=404, headers={"Date": date})
    status, steps = check()
    assert (status, outcomes(steps)) == (1, ["ok", "ok", "failed", "ok", "ok"])
    assert f"{word} the server's" in steps["clock"]["text"]
    assert "NTP" in steps["clock"]["hint"]


@pytest.mark.parametrize(
    ("seconds", "outcome"), [(-302, "failed"), (-298, "ok"), (298, "ok"), (302, "failed")]
)
def test_a_clock_may_be_five_minutes_off(sandbox, seconds, outcome):
    """Both sides of the limit, on this machine's side."""
    auth = sandbox.auth(environment=sandbox.environment)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REQUESTS_CA_BUNDLE", sandbox.ca_file)
        found = {s.name: s for s in steps(auth, login=False, wall=lambda: time.time() + seconds)}
    assert found["clock"].outcome == outcome


@pytest.mark.parametrize("date", ["", "yesterday"])
def test_a_server_without_a_clock_is_no_failure(check, sandbox, date):
    """There is nothing to compare with."""
    sandbox.fail_next("api", status=404, headers={"Date": date})
    status, steps = check()
    assert (status, steps["clock"]["outcome"]) == (0, "not tried")


def test_an_unknown_ca_is_named(check, monkeypatch):
    """As behind a proxy that decrypts: the hint names the variable that helps."""
    monkeypatch.delenv("REQUESTS_CA_BUNDLE")
    status, steps = check()
    assert (status, outcomes(steps)) == (1, ["ok", "failed"] + ["not tried"] * 3)
    assert "unknown CA" in steps["TLS"]["text"]
    assert "REQUESTS_CA_BUNDLE" in steps["TLS"]["hint"]


def test_a_ca_file_that_is_not_there_is_named(check, monkeypatch):
    """requests raises a bare OSError for it."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/no/such/file.pem")
    status, steps = check()
    assert status == 1
    assert "/no/such/file.pem" in steps["TLS"]["text"]


@pytest.mark.parametrize(
    ("behaviour", "said"),
    [
        (present("wrong name", answer(b"")), "is for another host"),
        (present("expired", answer(b"")), "is not valid now"),
        (on_accept(Ending.CLOSE, payload=b"HTTP/1.1 400 Bad Request\r\n\r\n"), "no TLS connection"),
        (on_accept(Ending.RESET), "the connection broke"),
    ],
    ids=["wrong name", "expired", "no TLS", "reset"],
)
def test_what_is_wrong_with_a_connection_is_named(check, monkeypatch, behaviour, said):
    """Each kind has words and a hint of its own."""
    with HostileServer() as server:
        server.script("/api/", behaviour)
        monkeypatch.setenv("THINGSPACE_BASE_URL", server.origin)
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", server.ca_file)
        status, steps = check()
    assert status == 1
    assert said in steps["TLS"]["text"]
    assert steps["TLS"]["hint"]


def test_plain_http_on_loopback_is_told(check, monkeypatch):
    """A test server may do without TLS; then the step says so."""
    with HostileServer(tls=False) as server:
        monkeypatch.setenv("THINGSPACE_BASE_URL", server.origin)
        status, steps = check()
        assert server.count(TOKEN_PATH) == 1
    assert status == 1  # it has no token to give
    assert "without TLS" in steps["TLS"]["text"]


def test_a_proxy_is_used_and_told(check, monkeypatch):
    """Behind a proxy it is the proxy that looks names up, so that they need not be known here."""
    with ForwardProxy("someone", "the-proxy-password") as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        status, steps = check("--login")
        assert proxy.count("CONNECT") >= 2
    assert status == 0
    assert steps["name"]["outcome"] == "not tried"
    assert "the-proxy-password" not in str(steps)


def test_a_proxy_that_refuses_is_named(check, monkeypatch):
    """Its credentials, wrong ones too, are not shown."""
    with ForwardProxy("someone", "the-proxy-password") as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url.replace("the-proxy-password", "a-mistake"))
        status, steps = check()
    assert (status, steps["TLS"]["outcome"]) == (1, "failed")
    assert "proxy" in steps["TLS"]["text"]
    assert "a-mistake" not in str(steps)


@pytest.mark.parametrize(("status", "hint"), [(503, "Try again later."), (404, "THINGSPACE_BASE_URL")])
def test_a_token_endpoint_in_trouble_is_not_taken_for_a_wrong_secret(check, sandbox, status, hint):
    """The hint speaks of what may help."""
    sandbox.fail_next("token", status=status, times=3)
    _, steps = check()
    assert f"HTTP {status}" in steps["key and secret"]["text"]
    assert hint in steps["key and secret"]["hint"]


def test_an_answer_that_is_no_token_is_told(check, sandbox):
    """The library's own error says it all."""
    sandbox.fail_next("token", status=200, body={"access_token": "two words"})
    status, steps = check()
    assert status == 1
    assert "visible ASCII" in steps["key and secret"]["text"]


def test_a_login_endpoint_in_trouble_is_not_taken_for_a_refusal(check, sandbox):
    """An outage does not lock the account."""
    sandbox.fail_next("login", status=503)
    _, steps = check("--login")
    assert "HTTP 503" in steps["login"]["text"]
    assert steps["login"]["hint"] == "Try again later."


def test_a_token_without_expiry_and_scopes_is_fine(check, sandbox):
    """The test token of the Key Management page is such a one."""
    sandbox.fail_next("token", status=200, body={"access_token": "a-token"})
    status, steps = check()
    assert status == 0
    assert steps["token"]["text"] == "no scopes named; ThingSpace does not say when it expires"


def test_the_life_that_remains_is_told_to_the_second(check, sandbox):
    """ThingSpace gives the same token until it expires, so that little may be left."""
    sandbox.fail_next("token", status=200, body={"access_token": "a-token", "expires_in": 20})
    assert " s" in check()[1]["token"]["text"]


@pytest.mark.parametrize(
    ("failure", "said"),
    [
        (requests.ConnectTimeout(), "there is no answer in time"),
        (requests.ReadTimeout(), "there is no answer in time"),
        (requests.ConnectionError(), "the connection broke"),
        (requests.ConnectionError("in its own words"), "in its own words"),
        (requests.TooManyRedirects(), "TooManyRedirects"),
        (requests.TooManyRedirects("round\nand round"), "round and round"),
    ],
)
def test_failures_have_words(failure, said):
    """Those that take long to bring about, and those without a text of their own."""
    assert explained(failure)[0] == said


def test_a_certificate_with_another_flaw_is_told_in_openssls_words():
    """There are dozens of reasons; OpenSSL's text is better than none."""
    flaw = ssl.SSLCertVerificationError()
    flaw.verify_code, flaw.verify_message = 23, "certificate revoked"
    assert explained(requests.exceptions.SSLError(flaw)) == (
        "the server's certificate is not accepted: certificate revoked",
        "",
    )


def test_a_chain_of_causes_may_be_a_circle():
    """Looking for the reason comes to an end."""
    failure, other = requests.ConnectionError(), OSError()
    failure.__context__, other.__context__ = other, failure
    assert explained(failure)[0] == "the connection broke"
