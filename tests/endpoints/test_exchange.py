"""One bounded, truthful exchange: retries, deadlines, ways, and errors."""

import socket
import ssl
import threading
import time
from unittest.mock import Mock

import pytest
import requests
from requests.exceptions import ChunkedEncodingError, InvalidSchema, ProxyError, SSLError
from urllib3.exceptions import ConnectTimeoutError, MaxRetryError, NewConnectionError, ReadTimeoutError

from requests_thingspace import Clock, TokenRequestError
from requests_thingspace._endpoints.exchange import LARGEST_BODY, Exchange, Transport
from requests_thingspace._settings import Settings
from requests_thingspace._values import Secret

from .. import hostile as do
from ..catalogue import error_of, told_by
from ..hostile import GOOD_TOKEN_DOCUMENT, MARKER, TOKEN_PATH
from ..hostile._payloads import Repeated

WELL = do.json_answer(200, GOOD_TOKEN_DOCUMENT)
SIGNED = Secret("Basic of-nobody")
PASSING = (429, 502, 503, 504)
FINAL = (200, 204, 302, 400, 401, 403, 404, 408, 500, 501, 505)


@pytest.fixture
def ask(server, session):
    """One exchange with the token endpoint of the server, without pauses between attempts."""

    def ask(route=None, *, at=server.origin, timeout=5.0, repeatable=True, pauses=(0.0, 0.0), secrets=()):
        settings = Settings(**{**dict.fromkeys(Settings._fields), "timeout": timeout, "clock": Clock()})
        transport = route or Transport(session)
        exchange = Exchange(transport, settings, TokenRequestError, secrets, repeatable, pauses)
        return exchange.call(at + TOKEN_PATH, SIGNED, Secret({"data": {"x": "y"}}))

    return ask


@pytest.fixture
def nobody():
    """An address of loopback at which nobody listens, and nobody else can."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield "127.0.0.1:{1}".format(*bound.getsockname())


@pytest.mark.parametrize(("repeatable", "calls"), [(True, 3), (False, 1)])
def test_only_a_passing_trouble_is_tried_again(repeatable, calls, ask, server):
    """At most twice, and never a login, which the server may have counted."""
    for status in (*PASSING, *FINAL):
        before = server.count(TOKEN_PATH)
        server.script(TOKEN_PATH, do.answer(status, headers=[("Retry-After", "0")]))
        assert ask(repeatable=repeatable).status == status
        assert server.count(TOKEN_PATH) - before == (calls if status in PASSING else 1)


@pytest.mark.parametrize("repeatable", [True, False])
def test_what_was_never_sent_is_tried_again(repeatable, ask, nobody):
    """Where there was no connection, even a login has not arrived."""
    send = Mock(side_effect=error_of(lambda: requests.post(f"https://{nobody}/")))
    assert "refused" in str(error_of(lambda: ask(Transport(send=send), repeatable=repeatable)))
    assert send.call_count == 3


def test_a_retry_after_and_a_pause_are_heeded_if_they_fit(ask, server):
    """The longer of the two; if it does not fit, the answer comes at once and tells of it."""
    server.script(TOKEN_PATH, do.retry_after("0.3"), WELL)
    started = time.monotonic()
    assert ask().status == 200
    assert 0.3 <= time.monotonic() - started < 2
    for calls, wait in enumerate(("5", "1e300"), 3):
        server.script(TOKEN_PATH, do.retry_after(wait))
        assert ask(timeout=5.0).retry_after == float(wait)
        assert server.count(TOKEN_PATH) == calls
    server.script(TOKEN_PATH, do.html_answer(503))
    assert ask(timeout=1.0, pauses=(0.0, 2.0, 0.0)).status == 503
    assert server.count(TOKEN_PATH) == 4 + 2
    assert time.monotonic() - started < 3


LATE = [do.hang(), do.drip_headers(WELL, interval=0.01)]
LATE += [do.raw(Repeated(b" " * 1024, head=b"HTTP/1.1 200 OK\r\n\r\n"), interval=0.05)]


@pytest.mark.parametrize("behaviour", LATE, ids=["silence", "dripped headers", "a body in pieces"])
def test_an_exchange_ends_at_its_deadline(behaviour, ask, server):
    """It is not tried again, and the thread that was left behind lets go of the connection."""
    server.script(TOKEN_PATH, behaviour)
    started = time.monotonic()
    with pytest.raises(requests.Timeout, match=r"no complete answer within 0\.3 seconds"):
        ask(timeout=0.3)
    assert 0.25 < time.monotonic() - started < 0.9
    assert server.count(TOKEN_PATH) == 1
    assert server.wait_until_idle()


def test_a_call_without_tls_or_a_socket_is_given_up_too(ask):
    """The thread of an adapter that waits for something else is left to itself; without TLS it ends."""
    gate = threading.Event()
    with pytest.raises(requests.Timeout):
        ask(Transport(settings={}, send=lambda *_, **__: gate.wait(5)), timeout=0.1)
    gate.set()
    with do.HostileServer(tls=False) as plain:
        plain.script(TOKEN_PATH, do.hang())
        with pytest.raises(requests.Timeout):
            ask(Transport(), at=plain.origin, timeout=0.3)
        assert plain.wait_until_idle()


REFUSED = [
    (do.Answer(code, framing="none"), f"HTTP {code} is not a final answer") for code in (101, 102, 103)
]
REFUSED += [
    (do.answer(200, b"\0", headers=[("Content-Encoding", coding)]), "Content-Encoding that was not asked for")
    for coding in ("br", "zstd", "gzip, gzip", "deflate, gzip", "x-unheard-of")
]


@pytest.mark.parametrize(("behaviour", "words"), REFUSED)
def test_an_answer_that_is_not_read_takes_its_connection_along(behaviour, words, ask, server):
    """In a coding that may inflate to gigabytes, or an interim one, which another answer follows."""
    server.script(TOKEN_PATH, behaviour, do.answer(200, b"{}", headers=[("Content-Encoding", "Identity")]))
    with pytest.raises(TokenRequestError, match=words):
        ask()
    assert ask().body.reveal() == b"{}"
    assert server.connections == 2


def test_a_body_is_read_up_to_the_limit(ask, server):
    """1 MiB, and not a byte more."""
    server.script(TOKEN_PATH, do.answer(200, b"x" * LARGEST_BODY), do.answer(200, b"x" * (LARGEST_BODY + 1)))
    assert len(ask().body.reveal()) == LARGEST_BODY
    with pytest.raises(TokenRequestError, match="larger than 1048576 bytes"):
        ask()


def test_a_session_is_used_and_not_changed(ask, server, session):
    """Its adapters, proxies, verify and cert; not its auth, headers, cookies, params and hooks."""
    heard = []
    session.auth, session.params = ("user", "the-password"), {"p": "q"}
    session.headers["X-Own"] = "yes"
    session.cookies.set("own", "yes")
    session.hooks["response"].append(lambda response, **_: heard.append(response))
    server.script(TOKEN_PATH, do.answer(200, b"{}", headers=[("Set-Cookie", "theirs=yes")]))
    before = {name: repr(getattr(session, name)) for name in session.__attrs__}
    assert ask(Transport(session)).status == 200
    assert {name: repr(getattr(session, name)) for name in session.__attrs__} == before
    (request,) = server.requests
    assert not {"X-Own", "Cookie"} & set(request.headers)
    assert request.headers["Authorization"] == SIGNED.reveal()
    assert (request.query, heard) == ("", [])


def test_settings_win_over_the_session_and_without_one_the_environment_counts(
    ask, server, session, monkeypatch, nobody
):
    """REQUESTS_CA_BUNDLE and the proxy variables, as for any requests call; and no socket is left open."""
    server.script(TOKEN_PATH, WELL)
    with pytest.raises(SSLError):
        ask(Transport(session, {"verify": True}))
    assert ask(Transport(None, {"verify": server.ca_file})).status == 200
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", server.ca_file)
    monkeypatch.setenv("no_proxy", "localhost")
    monkeypatch.setenv("https_proxy", f"http://{nobody}")
    assert ask(Transport()).status == 200
    assert server.wait_until_idle()
    monkeypatch.delenv("no_proxy")
    with pytest.raises(ProxyError):
        ask(Transport())


@pytest.mark.parametrize(
    ("settings", "kind", "words"),
    [
        ({"verify": "/nowhere/ca.pem"}, TokenRequestError, "/nowhere/ca.pem"),
        ({"cert": "/nowhere/client.pem"}, TokenRequestError, "/nowhere/client.pem"),
        ({"proxies": {"https": "http://:8080"}}, TokenRequestError, "proxy URL"),
        ({"proxies": {"https": "http://user:the-proxy-password@[bad"}}, TokenRequestError, "failed"),
        ({"proxies": {"https": "socks9://user:the-proxy-password@localhost"}}, TokenRequestError, "failed"),
        ({"proxies": {"https": "http://user:the-proxy-password@127.0.0.1:1"}}, ProxyError, "refused"),
    ],
)
def test_bad_settings_are_a_clear_error(settings, kind, words, ask, server, log_without_secrets):
    """They are RequestExceptions too, and show no password."""
    log_without_secrets.add("the-proxy-password")
    with pytest.raises(kind, match=words) as caught:
        ask(Transport(None, {"verify": server.ca_file, **settings}))
    assert "the-proxy-password" not in told_by(caught.value)


class OwnTimeoutError(requests.ReadTimeout):
    """A subclass with a constructor of its own."""

    def __init__(self, how, long, *, request=None):
        super().__init__(how, long)


def given_up(reason):
    """requests' error for a connection that urllib3 gave up."""
    return requests.ConnectionError(MaxRetryError(None, "/", reason))


def circle():
    """An exception that names as its cause one that names it in turn."""
    first, second = requests.ConnectionError(), ValueError()
    first.args, second.args = (second,), (first,)
    return first


NEVER, IF_REPEATABLE, ALWAYS = (1, 1), (3, 1), (3, 3)  # how often it is tried if it is repeatable, and if not


@pytest.mark.parametrize(
    ("failure", "kind", "words", "tried"),
    [
        (ZeroDivisionError("the-client-secret"), TokenRequestError, "failed: ZeroDivisionError$", NEVER),
        (OSError(5, "the-client-secret"), TokenRequestError, r"failed: \[Errno 5\] \*\*\*$", NEVER),
        (InvalidSchema("no SOCKS"), TokenRequestError, "InvalidSchema: no SOCKS$", NEVER),
        (ChunkedEncodingError("cut"), TokenRequestError, "ChunkedEncodingError: cut$", IF_REPEATABLE),
        (requests.ReadTimeout(), requests.ReadTimeout, "within 5 seconds$", NEVER),
        (OwnTimeoutError("very", "long"), requests.ReadTimeout, "within 5 seconds$", NEVER),
        (requests.ConnectionError(), requests.ConnectionError, "failed", IF_REPEATABLE),
        (ProxyError("refused"), ProxyError, "refused$", IF_REPEATABLE),
        (SSLError(ssl.SSLEOFError(8, "EOF")), SSLError, "SSLEOFError: .*EOF", IF_REPEATABLE),
        (SSLError(ssl.SSLCertVerificationError("unknown CA")), SSLError, "unknown CA", NEVER),
        (given_up(NewConnectionError(None, "refused")), requests.ConnectionError, "failed", ALWAYS),
        (given_up(ConnectTimeoutError("slow")), requests.ConnectionError, "failed", ALWAYS),
        (given_up(ReadTimeoutError(None, "/", "slow")), requests.ConnectionError, "failed", IF_REPEATABLE),
        (circle(), requests.ConnectionError, "ConnectionError: ValueError$", IF_REPEATABLE),
    ],
)
def test_a_foreign_failure_is_made_presentable(failure, kind, words, tried, ask):
    """Requests' own class or ours, without the request and what lies below; some may pass by themselves."""
    failure.request = requests.Request("POST", "https://x.example/", data="the-client-secret").prepare()
    for repeatable, times in zip((True, False), tried):
        send = Mock(side_effect=failure)
        with pytest.raises(kind, match=words) as caught:
            ask(Transport(send=send), secrets=(Secret("the-client-secret"),), repeatable=repeatable)
        assert (caught.type, caught.value.__cause__, caught.value.__context__) == (kind, None, None)
        if kind is TokenRequestError:
            assert caught.value.retryable is (tried == IF_REPEATABLE)
        else:
            assert caught.value.request.url.endswith(TOKEN_PATH)
            assert (caught.value.request.body, dict(caught.value.request.headers)) == (None, {})
        assert send.call_count == times


def test_headers_that_are_none_are_not_logged(ask, server, session, caplog):
    """Urllib3 quotes them in a warning; it still does so in the calls of others."""
    body = f'{{"access_token": "{MARKER}"}}'
    misplaced = "HTTP/1.1 200 OK\r\n{}\r\nContent-Length: 0\r\n\r\n"
    server.script(TOKEN_PATH, do.raw(misplaced.format(body).encode()))
    assert ask().body.reveal() == b""
    assert "Failed to parse headers" not in caplog.text
    session.close()  # the server has closed the connection
    server.script("/api", do.raw(misplaced.format("neither name nor value").encode()))
    session.get(f"{server.origin}/api")
    assert "Failed to parse headers" in caplog.text
