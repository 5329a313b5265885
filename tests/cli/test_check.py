"""``thingspace check`` names what is wrong, and says what to do about it."""

import json
import os
import re
import socket
import socketserver
import ssl
import sys
import threading
import time
from contextlib import ExitStack
from email.utils import formatdate

import pytest
import requests
import trustme

from requests_thingspace import LoginRefusedError, ThingspaceAuth
from tests.hostile import TOKEN_PATH, ForwardProxy, HostileServer, answer, on_accept, present
from tests.hostile._wire import Ending

NAMES = ["settings", "name", "TLS", "clock", "key and secret", "token", "login", "account"]
OK = ["ok"] * 6
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
    return [step["outcome"] for step in steps.values()]


def test_all_is_well(check, sandbox):
    """Each step is taken once, and neither a stored token nor a login is involved."""
    for arguments in ((), ("--account", sandbox.account)):
        status, steps = check(*arguments)
        assert (status, list(steps), outcomes(steps)) == (0, NAMES, [*OK, NOT_TRIED, NOT_TRIED])
        assert re.search(r"ts\.mec\.fullaccess; it expires in .* min", steps["token"]["text"])
    assert "--login" in steps["account"]["text"]
    assert (sandbox.calls["token"], sandbox.calls["login"]) == (2, 0)


def test_a_person_reads_a_line_for_each_step(thingspace):
    """Cause and remedy are on one line, whatever fails, and in a pipe there are no colours."""
    outcome = thingspace("check", "--login", THINGSPACE_USERNAME="jo@example.com")
    lines = outcome.stdout.splitlines()
    assert outcome.returncode == 1
    assert [line.split("  ")[0].strip() for line in lines] == [*OK, "failed", NOT_TRIED]
    assert re.search("ThingSpace refused the login: HTTP 400.*UWS user", lines[6])
    assert "\x1b" not in outcome.stdout


@pytest.mark.parametrize(("variable", "shown"), [("", "\x1b[32mok       \x1b[0m"), ("1", "ok")])
def test_colours_are_for_terminals_and_those_who_want_them(call, monkeypatch, variable, shown):
    """NO_COLOR (no-color.org) counts if it is not empty."""
    monkeypatch.setenv("NO_COLOR", variable)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert call("check")[1].startswith(f"{shown}  ")


def test_one_login_reads_the_account_and_is_ended(check, call, sandbox):
    """It says before that a failure counts; a session that cannot be ended ends by itself."""
    status, steps = check("--login", "--account", sandbox.account)
    assert (status, steps["login"]["outcome"]) == (0, "ok")
    assert steps["account"]["text"] == f"{sandbox.account} is Sandbox Telematics"
    assert (sandbox.calls["login"], sandbox.answers["logout", 200]) == (1, 1)
    sandbox.fail_next("logout", status=503)
    status, _, err = call("check", "--login")
    assert (status, sandbox.calls["login"]) == (0, 2)
    assert "a failed login counts" in err


def locked(sandbox, _):
    """Five failed logins of somebody else; then the right password does not help."""
    auth = sandbox.auth()
    for _ in range(5):
        auth.reset(password="a-mistake")
        with pytest.raises(LoginRefusedError):
            auth.get_session_token()
    return {}


def nobody_at(name, scheme):
    def set_up(*_):
        with socket.create_server(("127.0.0.1", 0)) as unused:
            return {name: f"{scheme}://127.0.0.1:{unused.getsockname()[1]}", "NO_PROXY": None}

    return set_up


def refused_by_proxy(_, stack):
    proxy = stack.enter_context(ForwardProxy("someone", "the-proxy-password"))
    return {"HTTPS_PROXY": proxy.url.replace("the-proxy-password", "a-mistake")}


def failing(endpoint, **fault):
    return lambda sandbox, _: sandbox.fail_next(endpoint, times=3, **fault) or {}


def behaving(behaviour):
    def set_up(_, stack):
        server = stack.enter_context(HostileServer())
        server.script("/api/", behaviour)
        return {"THINGSPACE_BASE_URL": server.origin, "REQUESTS_CA_BUNDLE": server.ca_file}

    return set_up


class _LikeNginx(socketserver.BaseRequestHandler):
    """Speaks TLS; whoever does not is told so in plain http, with a 400, as by Apache too."""

    def handle(self):
        if self.request.recv(1, socket.MSG_PEEK) == b"\x16":  # a handshake (RFC 8446 section 5.1)
            self.server.tls.wrap_socket(self.request, server_side=True).close()
        else:
            self.request.recv(65536)
            self.request.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")


def http_to_nginx(_, stack):
    server = stack.enter_context(socketserver.ThreadingTCPServer(("127.0.0.1", 0), _LikeNginx))
    server.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(server.tls)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}).start()
    stack.callback(server.shutdown)
    return {"THINGSPACE_BASE_URL": f"http://127.0.0.1:{server.server_address[1]}"}


WRONG_SET_UPS = [  # what fails, what is set or done, what is said, and the remedy
    ("settings", {"THINGSPACE_PASSWORD": None}, "but THINGSPACE_PASSWORD is not", "Set both, or neither"),
    ("settings", {"THINGSPACE_CLIENT_SECRET": "the-secret "}, "ends with white space", "Remove it"),
    ("name", {"THINGSPACE_BASE_URL": "https://no.invalid"}, "no.invalid: the host's name is not", "network"),
    ("name", {"THINGSPACE_BASE_URL": "https://a..b"}, "a..b: ", ""),
    ("TLS", {"REQUESTS_CA_BUNDLE": None}, "unknown CA", "REQUESTS_CA_BUNDLE"),
    ("TLS", {"REQUESTS_CA_BUNDLE": "/no/such/file.pem"}, "/no/such/file.pem", ""),
    ("TLS", behaving(present("wrong name", answer(b""))), "is for another host", "Check the URL"),
    ("TLS", behaving(present("expired", answer(b""))), "is not valid now", "Check the clock"),
    ("TLS", behaving(on_accept(Ending.CLOSE, payload=b"HTTP/1.1 400\r\n\r\n")), "no TLS connection", "http"),
    ("TLS", behaving(on_accept(Ending.RESET)), "the connection broke", "Check the network"),
    ("TLS", nobody_at("THINGSPACE_BASE_URL", "https"), "the connection is refused", "Nothing listens"),
    ("TLS", nobody_at("HTTPS_PROXY", "http"), "the proxy cannot be used", "Check HTTPS_PROXY"),
    ("TLS", refused_by_proxy, "the proxy cannot be used", "the proxy's own credentials"),
    ("TLS", {"THINGSPACE_BASE_URL": "http://{address}"}, "spoken to a port that speaks TLS", "Write https://"),
    ("TLS", http_to_nginx, "plain http is spoken to a port that speaks TLS", "Write https://"),
    ("key and secret", {"THINGSPACE_CLIENT_ID": "the-client-secret", "THINGSPACE_CLIENT_SECRET": "{key}"},
     "are swapped", "Exchange them"),
    ("key and secret", {"THINGSPACE_CLIENT_SECRET": "a-mistake"}, "401 invalid_client", "Key Management"),
    ("key and secret", {"THINGSPACE_CLIENT_ID": "other"}, "refused the token request", "another environment"),
    ("key and secret", failing("token", status=503), "HTTP 503", r"^Try again later\.$"),
    ("key and secret", failing("token", status=404), "HTTP 404", "THINGSPACE_BASE_URL"),
    ("key and secret", failing("token", status=200, body={"access_token": "a b"}), "visible ASCII", ""),
    ("login", {"THINGSPACE_PASSWORD": "a-mistake"}, "refused the login", "five failed logins lock"),
    ("login", {"THINGSPACE_PASSWORD": "the-password "}, "refused the login", "ends with white space"),
    ("login", {"THINGSPACE_USERNAME": "jo@example.com"}, "refused the login", "may be your login to the"),
    ("login", {"THINGSPACE_SESSION_TOKEN": "an-api-token"}, "holds no session token", "The API token of the"),
    ("login", locked, "ThingSpace refused the login", r"neither another attempt nor reset\(\)"),
    ("login", failing("login", status=503), "HTTP 503", r"^Try again later\.$"),
    ("account", {"THINGSPACE_ACCOUNT_NAME": "0000123456-00002"}, "AccountNotFound", "may be misspelt"),
]  # fmt: skip


@pytest.mark.parametrize(("wrong", "set_up", "said", "hint"), WRONG_SET_UPS)
def test_each_wrong_set_up_is_named(check, monkeypatch, sandbox, wrong, set_up, said, hint):
    """One step fails, with its cause and its remedy; there is one login at most, and no secret is told."""
    monkeypatch.setenv("THINGSPACE_ACCOUNT_NAME", sandbox.account)
    with_login = [] if wrong == "settings" or "THINGSPACE_SESSION_TOKEN" in repr(set_up) else ["--login"]
    known = {"key": sandbox.client_id, "address": sandbox.origin.partition("://")[2]}
    with ExitStack() as stack:
        for name, value in (set_up(sandbox, stack) if callable(set_up) else set_up).items():
            monkeypatch.setenv(name, (value or "").format(**known))  # an empty one is not set
        before = sandbox.calls["login"]
        status, steps = check(*with_login)
    later = NAMES[NAMES.index(wrong) + 1 :]
    expected = {**dict.fromkeys(NAMES, "ok"), **dict.fromkeys(later, NOT_TRIED), wrong: "failed"}
    if os.environ.get("HTTPS_PROXY"):  # the proxy looks names up
        expected["name"] = NOT_TRIED
    assert (status, dict(zip(steps, outcomes(steps)))) == (1, expected)
    assert said in steps[wrong]["text"]
    assert re.search(hint, steps[wrong]["hint"])
    assert "a-mistake" not in str(steps)
    assert sandbox.calls["login"] - before <= 1


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


def test_a_session_token_that_is_set_is_used_without_a_login(check, monkeypatch, sandbox):
    """Verizon's SDK names such variables; one that ThingSpace does not know is named too."""
    monkeypatch.setenv("VZ_M2M_TOKEN_VZ_M2M_TOKEN", sandbox.auth().get_session_token().session_token)
    status, steps = check("--account", sandbox.account)
    assert (status, steps["account"]["outcome"]) == (0, "ok")
    sandbox.end_sessions()
    status, steps = check("--account", sandbox.account)
    assert (status, sandbox.calls["login"]) == (1, 1)
    assert "SessionToken.Expired" in steps["account"]["text"]
    assert "no session token" in steps["account"]["hint"]


@pytest.mark.parametrize(
    ("status", "body", "hint"),
    [(503, None, "Try again later."), (403, "[]", "no right to see it"), (None, None, "Check the network")],
)
def test_an_account_that_cannot_be_read_is_told(check, sandbox, status, body, hint):
    """The first call to the API is the one that looks at TLS."""
    sandbox.fail_next("api", status=404)
    sandbox.fail_next("api", status=status, body=body)
    failed, steps = check("--login", "--account", sandbox.account)
    assert (failed, steps["account"]["outcome"]) == (1, "failed")
    assert hint in steps["account"]["hint"]
    assert sandbox.answers["logout", 200] == 1


@pytest.mark.parametrize(
    ("date", "outcome", "said"),
    [
        (-301, "failed", "ahead of the server's"),
        (-290, "ok", "differ by"),
        (299, "ok", "differ by"),
        (310, "failed", "behind the server's"),
        ("", NOT_TRIED, "does not tell its time"),
        ("yesterday", NOT_TRIED, "does not tell its time"),
    ],
)
def test_a_clock_may_be_five_minutes_off(check, sandbox, date, outcome, said):
    """Both sides of the limit, with time for a slow machine; tokens work by their remaining life."""
    text = date if isinstance(date, str) else formatdate(time.time() + date, usegmt=True)
    sandbox.fail_next("api", status=404, headers={"Date": text})
    status, steps = check()
    clock = steps.pop("clock")
    assert (status, clock["outcome"]) == (int(outcome == "failed"), outcome)
    assert said in clock["text"]
    assert ("NTP" in clock["hint"]) is (outcome == "failed")
    assert "failed" not in outcomes(steps)


@pytest.mark.parametrize("status", [404, 400])
def test_plain_http_on_loopback_is_told(check, monkeypatch, status):
    """A test server may do without TLS; then the step says so, and a 400 alone proves nothing."""
    with HostileServer(tls=False) as server:
        server.script("/api/", answer(status))
        server.script(TOKEN_PATH, answer(404))
        monkeypatch.setenv("THINGSPACE_BASE_URL", server.origin)
        code, steps = check()
        assert (code, server.count(TOKEN_PATH)) == (1, 1)  # it has no token to give
    assert "without TLS" in steps["TLS"]["text"]


def test_a_proxy_is_used_and_told(check, monkeypatch):
    """Behind a proxy it is the proxy that looks names up, so that they need not be known here."""
    with ForwardProxy("someone", "the-proxy-password") as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        status, steps = check("--login")
        assert proxy.count("CONNECT") >= 2
    assert (status, steps["name"]["outcome"]) == (0, NOT_TRIED)
    assert "the-proxy-password" not in str(steps)


@pytest.mark.parametrize(
    ("life", "told"),
    [({}, "no scopes named; ThingSpace does not say when it expires"), ({"expires_in": 20}, "in (20|1.) s")],
)
def test_the_life_that_remains_is_told(check, sandbox, life, told):
    """Little may be left, since ThingSpace gives the same token until it expires; a test token has no end."""
    sandbox.fail_next("token", status=200, body={"access_token": "a-token", **life})
    status, steps = check()
    assert status == 0
    assert re.search(told, steps["token"]["text"])


CIRCLE, OTHER = requests.ConnectionError(), OSError()  # a chain of causes that leads back
CIRCLE.__context__, OTHER.__context__ = OTHER, CIRCLE
FLAW = ssl.SSLCertVerificationError()  # one of the dozens of reasons for which OpenSSL has words
FLAW.verify_code, FLAW.verify_message = 23, "certificate revoked"


@pytest.mark.parametrize(
    ("failure", "said"),
    [
        (requests.ConnectTimeout(), "there is no answer in time. A firewall"),
        (requests.ReadTimeout(), "there is no answer in time. A firewall"),
        (requests.ConnectionError(), "the connection broke. Check"),
        (requests.ConnectionError("in its own words."), "in its own words. Check"),
        (requests.TooManyRedirects(), "TooManyRedirects.\n"),
        (requests.TooManyRedirects("round\nand round"), "round and round.\n"),
        (requests.exceptions.SSLError(FLAW), "the server's certificate is not accepted: certificate revo"),
        (CIRCLE, "the connection broke. Check"),
    ],
)
def test_failures_have_words(call, monkeypatch, failure, said):
    """Those that take long to bring about, and those without a text of their own."""

    def get_token(_):
        raise failure

    monkeypatch.setattr(ThingspaceAuth, "get_token", get_token)
    status, out, err = call("token")
    assert (status, out) == (1, "")
    assert err.startswith(f"thingspace: {said}")
