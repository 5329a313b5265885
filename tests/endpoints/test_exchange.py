"""One bounded, truthful exchange: retries, deadlines, ways, and errors."""

import contextvars
import gc
import os
import socket
import ssl
import sys
import threading
import time
from contextlib import suppress

import pytest
import requests
from requests.adapters import HTTPAdapter
from requests.exceptions import ChunkedEncodingError, InvalidSchema, ProxyError, RetryError, SSLError
from urllib3.exceptions import ConnectTimeoutError, MaxRetryError, NewConnectionError, ReadTimeoutError

from requests_thingspace import TokenRequestError
from requests_thingspace._endpoints.exchange import LARGEST_BODY, Exchange, Transport
from requests_thingspace._endpoints.worker import Call
from requests_thingspace._settings import Settings
from requests_thingspace._values import Secret

from .. import hostile as do
from ..catalogue import error_of, told_by
from ..hostile import GOOD_TOKEN_DOCUMENT, MARKER, TOKEN_PATH
from ..hostile._payloads import Repeated
from ..users import python
from .clients import DEFAULTS

WELL = do.json_answer(200, GOOD_TOKEN_DOCUMENT)
SIGNED = Secret("Basic of-nobody")
PASSING = (429, 502, 503, 504)
FINAL = (200, 204, 302, 400, 401, 403, 404, 408, 500, 501, 505)


def exchange_by(transport, timeout, *more):
    """An exchange that takes at most `timeout` seconds."""
    return Exchange(
        transport, Settings(**{**DEFAULTS, "timeout": timeout}), TokenRequestError, *(more or [()])
    )


@pytest.fixture
def ask(server, session):
    """One exchange with the token endpoint of the server, without pauses between attempts."""

    def ask(route=None, *, timeout=5.0, repeatable=True, pauses=(0.0, 0.0), secrets=()):
        hidden = tuple(Secret(secret) for secret in secrets)
        way = exchange_by(route or Transport(session), timeout, hidden, repeatable, pauses)
        return way.call(server.origin + TOKEN_PATH, SIGNED, Secret({"data": {"x": "y"}}))

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


@pytest.mark.parametrize(
    ("behaviour", "repeatable", "connections"),
    [
        (do.reset(), True, 3),
        (do.reset(), False, 1),
        (do.empty_reply(), False, 1),
        (do.present("unknown CA", WELL), True, 1),
    ],
)
def test_only_a_broken_connection_is_tried_again(behaviour, repeatable, connections, ask, server):
    """Where the call may arrive twice without harm; a bad certificate does not get better."""
    server.script(TOKEN_PATH, behaviour)
    with pytest.raises(requests.ConnectionError) as caught:
        ask(repeatable=repeatable)
    assert server.connections == connections
    if isinstance(caught.value, SSLError):
        assert "certificate verify failed" in str(caught.value)
        assert server.count() == 0


@pytest.mark.parametrize("repeatable", [True, False])
def test_what_was_never_sent_is_tried_again(repeatable, ask, server, session, nobody):
    """Where there was no connection, even a login has not arrived."""
    refused = error_of(lambda: requests.post(f"https://{nobody}/"))
    session.mount("https://", BrokenAdapter(refused, times=2))
    server.script(TOKEN_PATH, WELL)
    assert ask(repeatable=repeatable).status == 200
    assert server.count(TOKEN_PATH) == 1

    session.mount("https://", adapter := BrokenAdapter(refused))
    with pytest.raises(requests.ConnectionError, match="refused"):
        ask(repeatable=repeatable)
    assert adapter.tried == 3


def test_a_retry_after_is_heeded_if_it_fits(ask, server):
    """It may be longer than the pause that was planned; else the answer comes at once and tells of it."""
    server.script(TOKEN_PATH, do.retry_after("0.3"), WELL)
    started = time.monotonic()
    assert ask().status == 200
    assert 0.3 <= time.monotonic() - started < 2
    for calls, wait in enumerate(("5", "1e300"), 3):
        server.script(TOKEN_PATH, do.retry_after(wait))
        assert ask(timeout=5.0).retry_after == float(wait)
        assert server.count(TOKEN_PATH) == calls
    assert time.monotonic() - started < 3


def test_a_pause_that_does_not_fit_ends_the_exchange(ask, server):
    """Retries live inside the timeout."""
    server.script(TOKEN_PATH, do.html_answer(503))
    assert ask(timeout=1.0, pauses=(0.0, 2.0, 0.0)).status == 503
    assert server.count(TOKEN_PATH) == 2


@pytest.mark.parametrize(
    "behaviour",
    [
        do.hang(),
        do.drip_headers(WELL, interval=0.01),
        do.raw(Repeated(b" " * 1024, head=b"HTTP/1.1 200 OK\r\n\r\n"), interval=0.05),
    ],
    ids=["silence", "dripped headers", "a body in late pieces"],
)
def test_an_exchange_ends_at_its_deadline(behaviour, ask, server):
    """It is not tried again, and the thread that was left behind lets go of the connection."""
    server.script(TOKEN_PATH, behaviour)
    started = time.monotonic()
    with pytest.raises(requests.Timeout, match=r"no complete answer within 0\.3 seconds"):
        ask(timeout=0.3)
    assert 0.25 < time.monotonic() - started < 0.9
    assert server.count(TOKEN_PATH) == 1
    assert server.wait_until_idle()


def test_a_call_that_is_not_on_the_wire_is_given_up_too(ask):
    """An adapter that waits for something else than a socket: its thread is left to itself."""
    gate = threading.Event()
    with pytest.raises(requests.Timeout):
        ask(Transport(settings={}, send=lambda *_, **__: gate.wait(5)), timeout=0.1)
    gate.set()


def test_a_call_without_tls_is_really_over():
    """Its socket is closed, so that its thread ends."""
    with do.HostileServer(tls=False) as plain:
        plain.script(TOKEN_PATH, do.hang())
        with pytest.raises(requests.Timeout):
            exchange_by(Transport(), 0.5).call(plain.origin + TOKEN_PATH, SIGNED, Secret({}))
        assert not [one for one in threading.enumerate() if one.name == "thingspace-call" and one.is_alive()]


def test_after_an_interim_answer_the_connection_is_not_used_again(ask, server):
    """http.client takes it for the final one, so that the next call would get the answer to this one."""
    for connections, status in enumerate((101, 102, 103), 2):
        server.script(TOKEN_PATH, do.Answer(status, framing="none"), WELL)
        with pytest.raises(TokenRequestError, match=f"HTTP {status} is not a final answer"):
            ask()
        assert ask().status == 200
        assert server.connections == connections


def test_a_body_is_read_up_to_the_limit(ask, server):
    """1 MiB, and not a byte more."""
    server.script(TOKEN_PATH, do.answer(200, b"x" * LARGEST_BODY), do.answer(200, b"x" * (LARGEST_BODY + 1)))
    assert len(ask().body.reveal()) == LARGEST_BODY
    with pytest.raises(TokenRequestError, match="larger than 1048576 bytes"):
        ask()
    assert server.count(TOKEN_PATH) == 2


def test_a_coding_that_inflates_without_bound_is_refused(ask, server):
    """One piece of brotli or of twice gzip may be gigabytes; "no coding" has two names, in any case."""
    for coding in ("br", "zstd", "gzip, gzip", "deflate, gzip", "x-unheard-of"):
        server.script(TOKEN_PATH, do.answer(200, b"\0" * 100, headers=[("Content-Encoding", coding)]))
        with pytest.raises(TokenRequestError, match="Content-Encoding that was not asked for"):
            ask()
    for coding in ("Identity", ""):
        server.script(TOKEN_PATH, do.answer(200, b"{}", headers=[("Content-Encoding", coding)]))
        assert ask().body.reveal() == b"{}"


def result_of(work):
    call = Call(work)
    call.start()
    assert call.wait(5)
    return call.result()


def test_a_call_gives_what_its_work_gives():
    """A result, found in the context of the caller, or its exception, whatever kind that is."""
    variable = contextvars.ContextVar("variable", default="nobody's")
    variable.set("mine")
    assert result_of(variable.get) == "mine"
    with pytest.raises(SystemExit):
        result_of(sys.exit)


def test_a_call_that_is_cancelled_before_it_begins_does_nothing():
    """Whoever finds it later knows that nothing was sent."""
    done = []
    call = Call(lambda: done.append("it"))
    assert call.cancel()
    call.start()
    assert not call.wait(0.2)
    call.end()
    assert done == []


@pytest.mark.parametrize(
    ("raised", "hidden", "seen"),
    [
        (RuntimeError("cannot release un-acquired lock"), KeyboardInterrupt(), KeyboardInterrupt),
        (KeyError("a thread"), KeyboardInterrupt(), KeyboardInterrupt),
        (KeyError("a thread"), None, KeyError),
    ],
)
def test_what_is_raised_at_the_start_of_a_call_comes_through(raised, hidden, seen, monkeypatch):
    """threading's own clean-up hides what a signal handler raises behind an error of its own."""
    raised.__context__ = hidden

    def start(self):
        raise raised

    monkeypatch.setattr(threading.Thread, "start", start)
    with pytest.raises(seen):
        Call(lambda: None).start()


AT_EXIT = """
import atexit, requests
from requests_thingspace import Environment, ThingspaceAuth

def last_call():
    session = requests.Session()
    session.verify, session.trust_env = {ca_file!r}, False
    auth = ThingspaceAuth("id", "secret", environment=Environment.at({origin!r}), session=session)
    print(auth.get_token().scope)

atexit.register(last_call)
"""


def test_a_token_is_to_be_had_at_the_very_end(server):
    """A program that logs out or flushes at exit may need one, where Python starts no more threads."""
    server.script(TOKEN_PATH, WELL)
    program = AT_EXIT.format(ca_file=server.ca_file, origin=server.origin)
    ended = python("-c", program, env=dict(os.environ))
    assert (ended.stdout, ended.stderr) == ("('ts.ro',)\n", "")


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


def test_settings_win_over_the_session(ask, server, session):
    """What a face saw of its request is what counts."""
    server.script(TOKEN_PATH, WELL)
    with pytest.raises(SSLError):
        ask(Transport(session, {"verify": True}))
    assert ask(Transport(requests.Session(), {"verify": server.ca_file})).status == 200
    assert ask(Transport(None, {"verify": server.ca_file})).status == 200


def test_without_a_session_the_environment_counts(ask, server, monkeypatch, nobody):
    """As for any requests call: REQUESTS_CA_BUNDLE and the proxy variables; and no socket is left open."""
    server.script(TOKEN_PATH, WELL)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", server.ca_file)
    monkeypatch.setenv("no_proxy", "localhost")
    monkeypatch.setenv("https_proxy", f"http://{nobody}")
    assert ask(Transport()).status == 200
    ports = set()  # urllib3 1.26 would leave the socket of a Session that is dropped to the garbage collector
    for one in [one for one in gc.get_objects() if isinstance(one, ssl.SSLSocket) and one.fileno() != -1]:
        with suppress(OSError):  # that of another test, which is being closed
            ports.add(one.getpeername()[1])
    assert server.port("main") not in ports
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
        ({"proxies": {"https": "http://user:the-proxy-password@NOBODY"}}, ProxyError, "refused"),
    ],
)
def test_bad_settings_are_a_clear_error(settings, kind, words, ask, server, nobody, log_without_secrets):
    """They are RequestExceptions too, and show no password."""
    log_without_secrets.add("the-proxy-password")
    proxies = {name: url.replace("NOBODY", nobody) for name, url in settings.get("proxies", {}).items()}
    with pytest.raises(kind, match=words) as caught:
        ask(Transport(None, {"verify": server.ca_file, **settings, "proxies": proxies}))
    assert "the-proxy-password" not in told_by(caught.value)


class BrokenAdapter(HTTPAdapter):
    def __init__(self, failure, times=9):
        super().__init__()
        self.failure, self.times, self.tried = failure, times, 0

    def send(self, request, **arguments):
        self.tried += 1
        if self.tried > self.times:
            return super().send(request, **arguments)
        self.failure.request = request
        raise self.failure


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
        (MemoryError(), TokenRequestError, "failed: MemoryError$", NEVER),
        (InvalidSchema("no SOCKS"), TokenRequestError, "InvalidSchema: no SOCKS$", NEVER),
        (RetryError("too many"), TokenRequestError, "RetryError: too many$", NEVER),
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
def test_a_foreign_failure_is_made_presentable(failure, kind, words, tried, ask, session):
    """Requests' own class or ours, without the request and what lies below; some may pass by themselves."""
    adapters = BrokenAdapter(failure), BrokenAdapter(failure)
    for adapter, repeatable in zip(adapters, (True, False)):
        session.mount("https://", adapter)
        with pytest.raises(kind, match=words) as caught:
            ask(secrets=["the-client-secret"], repeatable=repeatable)
        assert caught.type is kind
        assert (caught.value.__cause__, caught.value.__context__) == (None, None)
        if kind is TokenRequestError:
            assert caught.value.retryable is (tried == IF_REPEATABLE)
        else:
            assert caught.value.request.url.endswith(TOKEN_PATH)
            assert (caught.value.request.body, dict(caught.value.request.headers)) == (None, {})
    assert tuple(adapter.tried for adapter in adapters) == tried


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
