"""``thingspace check`` names what is wrong, and says what to do about it."""

import json
import re
import socket
import ssl
import sys
import time
from contextlib import ExitStack
from email.utils import formatdate
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import requests

from requests_thingspace import ThingspaceAuth
from tests.hostile import TOKEN_PATH, ForwardProxy, HostileServer, answer, on_accept, present
from tests.hostile._wire import Ending

NAMES = ["settings", "name", "TLS", "clock", "key and secret", "token", "login", "account"]
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
    return {name: step["outcome"] for name, step in steps.items()}


def test_all_is_well(check, sandbox):
    """Each step is taken once, and neither a stored token nor a login is involved."""
    expected = {**dict.fromkeys(NAMES, "ok"), "login": NOT_TRIED, "account": NOT_TRIED}
    for arguments in ((), ("--account", sandbox.account)):
        status, steps = check(*arguments)
        assert (status, list(steps), outcomes(steps)) == (0, NAMES, expected)
        assert re.search(r"ts\.mec\.fullaccess; it expires in .* min", steps["token"]["text"])
    assert "--login" in steps["account"]["text"]
    assert (sandbox.calls["token"], sandbox.calls["login"]) == (2, 0)


@pytest.mark.parametrize(
    ("is_terminal", "no_color", "shown"),
    [(True, "", "\x1b[32mok       \x1b[0m  "), (True, "1", "ok  "), (False, "", "ok  ")],
)
def test_a_person_reads_a_line_for_each_step(call, monkeypatch, is_terminal, no_color, shown):
    """Cause and remedy on one line; in colours on a terminal, unless NO_COLOR (no-color.org) has a value."""
    monkeypatch.setenv("THINGSPACE_USERNAME", "jo@example.com")
    monkeypatch.setenv("NO_COLOR", no_color)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: is_terminal)
    status, out, err = call("check", "--login")
    lines = out.splitlines()
    assert (status, len(lines), "a failed login counts" in err) == (1, len(NAMES), True)
    assert all(line.startswith(shown) for line in lines[:6])
    assert re.search("failed .* login .* ThingSpace refused the login: HTTP 400.*UWS user", lines[6])


def test_the_account_is_read_with_a_session(check, monkeypatch, sandbox):
    """One that is given, as Verizon's SDK names it, or that of one login, which may end by itself."""
    account = "--account", sandbox.account
    with monkeypatch.context() as given:
        given.setenv("VZ_M2M_TOKEN_VZ_M2M_TOKEN", sandbox.auth().get_session_token().session_token)
        status, steps = check(*account)
        assert (status, steps["account"]["outcome"], sandbox.calls["login"]) == (0, "ok", 1)
    sandbox.fail_next("logout", status=503)
    status, steps = check("--login", *account)
    assert (status, steps["login"]["outcome"], sandbox.calls["login"]) == (0, "ok", 2)
    assert steps["account"]["text"] == f"{sandbox.account} is Sandbox Telematics"


def nobody_at(name, scheme):
    def set_up(*_):
        with socket.create_server(("127.0.0.1", 0)) as unused:
            return {name: f"{scheme}://127.0.0.1:{unused.getsockname()[1]}", "NO_PROXY": None}

    return set_up


def refused_by_proxy(_, stack):
    proxy = stack.enter_context(ForwardProxy("someone", "the-proxy-password"))
    return {"HTTPS_PROXY": proxy.url.replace("the-proxy-password", "a-mistake")}


def failing(endpoint, *statuses, body=None):
    def set_up(sandbox, _):
        for status in statuses:
            sandbox.fail_next(endpoint, status=status, body=body)
        return {}

    return set_up


def behaving(*behaviours, scheme="https"):
    def set_up(_, stack):
        server = stack.enter_context(HostileServer())
        server.script("/api/", *behaviours)
        origin = server.origin.replace("https", scheme)
        return {"THINGSPACE_BASE_URL": origin, "REQUESTS_CA_BUNDLE": server.ca_file}

    return set_up


def swapped_in_files(sandbox, stack):
    path = Path(stack.enter_context(TemporaryDirectory()), "secret")
    path.write_text(f"{sandbox.client_id}\n")
    swapped = {"THINGSPACE_CLIENT_ID": sandbox.client_secret, "THINGSPACE_CLIENT_SECRET": None}
    return {**swapped, "THINGSPACE_CLIENT_SECRET_FILE": str(path)}


def ended_session(sandbox, _):
    token = sandbox.auth().get_session_token().session_token
    sandbox.end_sessions()
    return {"VZ_M2M_TOKEN_VZ_M2M_TOKEN": token}


# As nginx and Apache answer plain http on a port that speaks TLS.
PLAIN_400 = on_accept(Ending.RESET, payload=b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
LOCKED = {"errorCode": "UnifiedWebService.REQUEST_FAILED.LoginLocked"}
NO_FILE = {"THINGSPACE_CLIENT_SECRET": None, "THINGSPACE_CLIENT_SECRET_FILE": "/no/such/file"}
SWAPPED = {"THINGSPACE_CLIENT_ID": "the-client-secret", "THINGSPACE_CLIENT_SECRET": "{key}"}

WRONG_SET_UPS = [  # what fails, what is set or done, what is said, and the remedy
    ("settings", {"THINGSPACE_PASSWORD": None}, "but THINGSPACE_PASSWORD is not", "Set both, or neither"),
    ("settings", {"THINGSPACE_CLIENT_SECRET": "the-secret "}, "ends with white space", "Remove it"),
    ("name", {"THINGSPACE_BASE_URL": "https://no.invalid"}, "no.invalid: the host's name is not", "network"),
    ("name", {"THINGSPACE_BASE_URL": "https://a..b"}, "a..b: ", ""),
    ("name", {"https_proxy": "http://[::1"}, "the proxy cannot be used", "Check HTTPS_PROXY"),
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
    ("TLS", behaving(PLAIN_400, answer(b""), scheme="http"), "spoken to a port that speaks TLS", "Write https://"),
    ("key and secret", SWAPPED, "are swapped", "Exchange them"),
    ("key and secret", swapped_in_files, "are swapped", "Exchange them"),
    ("key and secret", NO_FILE, "No such file", ""),
    ("key and secret", {"THINGSPACE_CLIENT_SECRET": "a-mistake"}, "401 invalid_client", "Key Management"),
    ("key and secret", {"THINGSPACE_CLIENT_ID": "other"}, "refused the token request", "another environment"),
    ("key and secret", failing("token", 503, 503, 503), "HTTP 503", r"^Try again later\.$"),
    ("key and secret", failing("token", 404), "HTTP 404", "THINGSPACE_BASE_URL"),
    ("key and secret", failing("token", 200, body={"access_token": "a b"}), "visible ASCII", ""),
    ("login", {"THINGSPACE_PASSWORD": "a-mistake"}, "refused the login", "five failed logins lock"),
    ("login", {"THINGSPACE_PASSWORD": "the-password "}, "refused the login", "ends with white space"),
    ("login", {"THINGSPACE_USERNAME": "jo@example.com"}, "refused the login", "may be your login to the"),
    ("login", {"THINGSPACE_SESSION_TOKEN": "an-api-token"}, "holds no session token", "The API token of the"),
    ("login", failing("login", 400, body=LOCKED), "refused the login", "neither another attempt"),
    ("login", failing("login", 503), "HTTP 503", r"^Try again later\.$"),
    ("account", {"THINGSPACE_ACCOUNT_NAME": "0000123456-00002"}, "AccountNotFound", "may be misspelt"),
    ("account", ended_session, "SessionToken.Expired", "no session token"),
    ("account", failing("api", 404, 500), "HTTP 500", r"^Try again later\.$"),  # first the look at TLS
    ("account", failing("api", 404, 403, body="[]"), "HTTP 403", "no right to see it"),
    ("account", failing("api", 404, None), "the connection broke", "Check the network"),
]  # fmt: skip


@pytest.mark.parametrize(("wrong", "set_up", "said", "hint"), WRONG_SET_UPS)
def test_each_wrong_set_up_is_named(check, monkeypatch, sandbox, wrong, set_up, said, hint):
    """One step fails, with its cause and its remedy; one login at most, which is ended; no secret is told."""
    monkeypatch.setenv("THINGSPACE_ACCOUNT_NAME", sandbox.account)
    known = {"key": sandbox.client_id, "address": sandbox.origin.partition("://")[2]}
    with ExitStack() as stack:
        variables = set_up(sandbox, stack) if callable(set_up) else set_up
        for name, value in variables.items():
            monkeypatch.setenv(name, (value or "").format(**known))  # an empty one is not set
        before = sandbox.answers
        without_login = wrong == "settings" or any("_TOKEN" in name for name in variables)
        status, steps = check(*([] if without_login else ["--login"]))
    later = NAMES[NAMES.index(wrong) + 1 :]
    expected = {**dict.fromkeys(NAMES, "ok"), **dict.fromkeys(later, NOT_TRIED), wrong: "failed"}
    if "HTTPS_PROXY" in variables:  # the proxy looks names up
        expected["name"] = NOT_TRIED
    if set_up is ended_session:  # which needs no login
        expected["login"] = NOT_TRIED
    assert (status, outcomes(steps)) == (1, expected)
    assert said in steps[wrong]["text"]
    assert re.search(hint, steps[wrong]["hint"])
    assert "a-mistake" not in str(steps)
    since = sandbox.answers - before
    assert since["login", 200] == since["logout", 200]
    assert sum(since["login", code] for code in (200, 400, 503)) <= 1


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
    assert "failed" not in outcomes(steps).values()


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
