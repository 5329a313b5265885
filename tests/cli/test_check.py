"""``thingspace check`` names what is wrong, and says what to do about it."""

from __future__ import annotations

import json
import os
import socket
import socketserver
import ssl
import threading
import time
from email.utils import formatdate

import pytest
import requests
import trustme

from requests_thingspace import LoginRefusedError
from requests_thingspace.cli._check import Check
from requests_thingspace.cli._failures import explained
from tests.hostile import TOKEN_PATH, ForwardProxy, HostileServer, answer, on_accept, present
from tests.hostile._wire import Ending

LOOKED_AT = ["settings", "name", "TLS", "clock", "key and secret", "token"]
NAMES = [*LOOKED_AT, "login", "account"]
OK = ["ok"] * len(LOOKED_AT)
NOT_TRIED = "not tried"


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
        assert (status, list(steps), outcomes(steps)) == (0, NAMES, [*OK, NOT_TRIED, NOT_TRIED])
        assert "ts.mec.fullaccess" in steps["token"]["text"]
        assert "min" in steps["token"]["text"]
    assert (sandbox.calls["token"], sandbox.calls["login"]) == (2, 0)


def test_a_person_reads_a_line_for_each_step(thingspace):
    """In a pipe there are no colours, and the exit status says the same."""
    outcome = thingspace("check")
    assert (outcome.returncode, outcome.stderr) == (0, "")
    told = [line.split("  ")[0].strip() for line in outcome.stdout.splitlines()]
    assert told == [*OK, NOT_TRIED, NOT_TRIED]
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
    assert (status, outcomes(steps)) == (1, [*OK, "failed", NOT_TRIED])
    assert "five failed logins lock the account" in steps["login"]["hint"]
    assert sandbox.calls["login"] == 1


def swapped(patch, sandbox):
    """As if each had been pasted in the other's place."""
    patch.setenv("THINGSPACE_CLIENT_ID", sandbox.client_secret)
    patch.setenv("THINGSPACE_CLIENT_SECRET", sandbox.client_id)


def clock_behind(patch, sandbox):
    """The server says that it is an hour later."""
    sandbox.fail_next("api", status=404, headers={"Date": formatdate(time.time() + 3600, usegmt=True)})


def locked(patch, sandbox):
    """Five failed logins of somebody else; then the right password does not help."""
    auth = sandbox.auth()
    for _ in range(5):
        auth.reset(password="a-mistake")
        with pytest.raises(LoginRefusedError):
            auth.get_session_token()


def proxy_that_is_not_there(patch, sandbox):
    """Nothing listens where HTTPS_PROXY leads."""
    with socket.create_server(("127.0.0.1", 0)) as unused:
        patch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{unused.getsockname()[1]}")
    patch.delenv("NO_PROXY", raising=False)


def set_to(name, value):
    """A variable with another value; a function is given the right one."""

    def set_up(patch, sandbox):
        patch.setenv(name, value(os.environ[name]) if callable(value) else value)

    return set_up


def without_one(name):
    """A variable that is not set."""
    return lambda patch, sandbox: patch.delenv(name)


WRONG_SET_UPS = {
    "key and secret swapped": (swapped, "key and secret", "are swapped", "Exchange them"),
    "portal login": (
        set_to("THINGSPACE_USERNAME", "jo@example.com"),
        "login",
        "ThingSpace refused the login",
        "may be your login to the ThingSpace portal",
    ),
    "API token as session token": (
        set_to("THINGSPACE_SESSION_TOKEN", "an-api-token"),
        "login",
        "THINGSPACE_SESSION_TOKEN holds no session token",
        "The API token of the Key Management page is no session token",
    ),
    "another environment's key": (
        set_to("THINGSPACE_CLIENT_ID", "a-key-of-staging"),
        "key and secret",
        "ThingSpace refused the token request: HTTP 401 invalid_client",
        "may be wrong, or of another environment",
    ),
    "wrong account": (
        set_to("THINGSPACE_ACCOUNT_NAME", "0000123456-00002"),
        "account",
        "AccountNotFound",
        "may be misspelt, or another user's",
    ),
    "locked account": (
        locked,
        "login",
        "ThingSpace refused the login",
        "neither another attempt nor reset()",
    ),
    "USERNAME without PASSWORD": (
        without_one("THINGSPACE_PASSWORD"),
        "settings",
        "THINGSPACE_USERNAME is set, but THINGSPACE_PASSWORD is not",
        "Set both, or neither",
    ),
    "clock": (clock_behind, "clock", "behind the server's", "NTP"),
    "unknown CA": (without_one("REQUESTS_CA_BUNDLE"), "TLS", "unknown CA", "REQUESTS_CA_BUNDLE"),
    "proxy": (proxy_that_is_not_there, "TLS", "the proxy cannot be used", "Check HTTPS_PROXY"),
    "http to a TLS port": (
        set_to("THINGSPACE_BASE_URL", lambda url: url.replace("https:", "http:")),
        "TLS",
        "plain http is spoken to a port that speaks TLS",
        "Write https:// in THINGSPACE_BASE_URL",
    ),
    "white space at an end": (
        set_to("THINGSPACE_CLIENT_SECRET", lambda secret: f"{secret} "),
        "settings",
        "THINGSPACE_CLIENT_SECRET starts or ends with white space",
        "Remove it",
    ),
}
WITHOUT_LOGIN = ("API token as session token", "USERNAME without PASSWORD")


@pytest.mark.parametrize("name", list(WRONG_SET_UPS))
def test_each_of_twelve_wrong_set_ups_is_named(check, monkeypatch, sandbox, name):
    """One step fails, with its cause and its remedy; there is one login at most, and no secret is told."""
    set_up, failing, said, hint = WRONG_SET_UPS[name]
    monkeypatch.setenv("THINGSPACE_ACCOUNT_NAME", sandbox.account)
    set_up(monkeypatch, sandbox)
    before = sandbox.calls["login"]
    status, steps = check(*([] if name in WITHOUT_LOGIN else ["--login"]))
    assert (status, [n for n, step in steps.items() if step["outcome"] == "failed"]) == (1, [failing])
    assert said in steps[failing]["text"]
    assert hint in steps[failing]["hint"]
    assert sandbox.calls["login"] - before <= 1
    if failing != "clock":
        assert set(outcomes(steps)[NAMES.index(failing) + 1 :]) <= {NOT_TRIED}


def test_a_swap_is_seen_in_files_too(check, monkeypatch, sandbox, tmp_path):
    """A mounted secret may be the key; one that is gone says so by itself."""
    path = tmp_path / "secret"
    path.write_text(f"{sandbox.client_id}\n")
    monkeypatch.setenv("THINGSPACE_CLIENT_ID", sandbox.client_secret)
    monkeypatch.delenv("THINGSPACE_CLIENT_SECRET")
    monkeypatch.setenv("THINGSPACE_CLIENT_SECRET_FILE", str(path))
    assert "are swapped" in check()[1]["key and secret"]["text"]
    path.unlink()
    assert "No such file" in check()[1]["key and secret"]["text"]


def test_cause_and_remedy_are_on_one_line(thingspace, sandbox):
    """Eight steps are eight lines, whatever fails."""
    outcome = thingspace("check", "--login", THINGSPACE_USERNAME="jo@example.com")
    lines = outcome.stdout.splitlines()
    assert (outcome.returncode, len(lines)) == (1, len(NAMES))
    assert "ThingSpace refused the login: HTTP 400" in lines[6]
    assert "UWS user" in lines[6]


def test_a_real_call_reads_the_account_before_the_logout(check, sandbox):
    """With the session of the one login, and nothing that the check began is left."""
    status, steps = check("--login", "--account", sandbox.account)
    assert (status, steps["account"]["text"]) == (0, f"{sandbox.account} is Sandbox Telematics")
    assert (sandbox.calls["login"], sandbox.answers["logout", 200]) == (1, 1)


def test_a_session_token_that_is_set_is_used_without_a_login(check, monkeypatch, sandbox):
    """Verizon's SDK names such variables; one that ThingSpace does not know is named too."""
    token = sandbox.auth().get_session_token().session_token
    monkeypatch.setenv("VZ_M2M_TOKEN_VZ_M2M_TOKEN", token)
    status, steps = check("--account", sandbox.account)
    assert (status, steps["account"]["outcome"]) == (0, "ok")
    sandbox.end_sessions()
    status, steps = check("--account", sandbox.account)
    assert status == 1
    assert "SessionToken.Expired" in steps["account"]["text"]
    assert "no session token" in steps["account"]["hint"]
    assert sandbox.calls["login"] == 1


@pytest.mark.parametrize(
    ("status", "body", "hint"),
    [
        (503, None, "Try again later."),
        (403, "[]", "no right to see it"),
        (400, {"errorCode": "UnifiedWebService.REQUEST_FAILED.NoAccounts"}, "may be misspelt"),
        (None, None, "Check the network"),
    ],
)
def test_an_account_that_cannot_be_read_is_told(check, sandbox, status, body, hint):
    """The first call to the API is the one that looks at TLS."""
    sandbox.fail_next("api", status=404)
    sandbox.fail_next("api", status=status, body=body)
    failed, steps = check("--login", "--account", sandbox.account)
    assert (failed, steps["account"]["outcome"]) == (1, "failed")
    assert hint in steps["account"]["hint"]
    assert sandbox.answers["logout", 200] == 1


def test_a_session_that_cannot_be_ended_is_no_failure(check, sandbox):
    """It ends by itself."""
    sandbox.fail_next("logout", status=503)
    assert check("--login")[0] == 0


def test_white_space_in_a_password_is_a_doubt(check, monkeypatch, sandbox):
    """It may belong there, so that it is told only if the login is refused."""
    monkeypatch.setenv("THINGSPACE_PASSWORD", f"{sandbox.password} ")
    status, steps = check("--login")
    assert (status, steps["settings"]["outcome"]) == (1, "ok")
    assert "THINGSPACE_PASSWORD starts or ends with white space" in steps["login"]["hint"]


def test_a_wrong_secret_is_named(check, thingspace, monkeypatch):
    """What comes after it is not tried, and the wrong secret is not shown."""
    outcome = thingspace("check", THINGSPACE_CLIENT_SECRET="a-mistake")
    assert outcome.returncode == 1
    assert "failed     key and secret" in outcome.stdout
    assert "a-mistake" not in outcome.stdout
    monkeypatch.setenv("THINGSPACE_CLIENT_SECRET", "a-mistake")
    _, steps = check("--login")
    assert outcomes(steps) == [*OK[:4], "failed", *[NOT_TRIED] * 3]
    assert "HTTP 401 invalid_client" in steps["key and secret"]["text"]
    assert "Key Management" in steps["key and secret"]["hint"]


def test_no_network_is_named(check, monkeypatch):
    """A name that nobody knows (RFC 6761: .invalid), as without a network."""
    monkeypatch.setenv("THINGSPACE_BASE_URL", "https://thingspace.invalid")
    status, steps = check()
    assert (status, outcomes(steps)) == (1, ["ok", "failed", *[NOT_TRIED] * 6])
    assert "thingspace.invalid: the host's name is not found" in steps["name"]["text"]


def test_a_server_that_is_not_there_is_named(check, monkeypatch):
    """The name is known, but nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    monkeypatch.setenv("THINGSPACE_BASE_URL", f"https://127.0.0.1:{port}")
    status, steps = check()
    assert (status, outcomes(steps)) == (1, ["ok", "ok", "failed", *[NOT_TRIED] * 5])
    assert "the connection is refused" in steps["TLS"]["text"]


@pytest.mark.parametrize(("hours", "word"), [(1, "behind"), (-1, "ahead of")])
def test_a_clock_that_is_an_hour_off_is_named(check, sandbox, hours, word):
    """The other steps go on, since tokens work by their remaining life."""
    date = formatdate(time.time() + hours * 3600, usegmt=True)
    sandbox.fail_next("api", status=404, headers={"Date": date})
    status, steps = check()
    assert (status, outcomes(steps)) == (1, [*OK[:3], "failed", "ok", "ok", NOT_TRIED, NOT_TRIED])
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
        check = Check(auth, login=False, environ={}, wall=lambda: time.time() + seconds)
        found = {step.name: step for step in check.steps()}
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
    assert (status, outcomes(steps)) == (1, ["ok", "ok", "failed", *[NOT_TRIED] * 5])
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


@pytest.mark.parametrize(
    ("tls", "status", "said"),
    [(False, 400, "without TLS"), (True, 200, "plain http is spoken to a port that speaks TLS")],
)
def test_plain_http_is_told_from_tls_by_a_handshake(check, monkeypatch, tls, status, said):
    """A 400 alone proves nothing, and a server that speaks TLS may hang up without one."""
    with HostileServer(tls=tls) as server:
        server.script("/api/", answer(status))
        monkeypatch.setenv("THINGSPACE_BASE_URL", server.origin.replace("https:", "http:"))
        assert said in check()[1]["TLS"]["text"]


class _LikeNginx(socketserver.BaseRequestHandler):
    """Speaks TLS; whoever does not is told so in plain http, with a 400."""

    def handle(self):
        """The first byte of a handshake is 22 (RFC 8446 section 5.1)."""
        if self.request.recv(1, socket.MSG_PEEK) == b"\x16":
            self.server.tls.wrap_socket(self.request, server_side=True).close()
        else:
            self.request.recv(65536)
            self.request.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")


def test_a_400_of_a_server_that_speaks_tls_is_understood(check, monkeypatch):
    """As nginx and Apache answer plain http on such a port."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _LikeNginx) as server:
        server.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        trustme.CA().issue_cert("127.0.0.1").configure_cert(server.tls)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}).start()
        monkeypatch.setenv("THINGSPACE_BASE_URL", f"http://127.0.0.1:{server.server_address[1]}")
        found = check()[1]["TLS"]
        server.shutdown()
    assert "plain http is spoken to a port that speaks TLS" in found["text"]


def test_the_account_is_not_read_without_a_session(check, sandbox):
    """And it says what is missing."""
    assert "--login" in check("--account", sandbox.account)[1]["account"]["text"]


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
