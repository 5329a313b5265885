"""One bounded, truthful exchange: retries, deadlines, ways, and errors."""

import contextvars
import dataclasses
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

from requests_thingspace import TokenRequestError
from requests_thingspace._endpoints.exchange import LARGEST_BODY, Exchange, Transport
from requests_thingspace._endpoints.worker import Call
from requests_thingspace._values import Secret

from .. import hostile
from ..catalogue import told_by
from ..hostile import (
    GOOD_TOKEN_DOCUMENT,
    MARKER,
    TOKEN_PATH,
    Answer,
    Ending,
    ForwardProxy,
    answer,
    drip_headers,
    echo,
    empty_reply,
    gzip_bomb,
    hang,
    html_answer,
    json_answer,
    on_accept,
    present,
    raw,
    reset,
    retry_after,
)
from ..hostile._payloads import Repeated
from ..users import python

WELL = json_answer(200, GOOD_TOKEN_DOCUMENT)


@pytest.fixture
def ask(server, session):
    """One exchange with the token endpoint of the server, without pauses between attempts."""

    def ask(route=None, *, timeout=5.0, repeatable=True, pauses=(0.0, 0.0), secrets=()):
        request = requests.Request("POST", server.origin + TOKEN_PATH, data={"x": "y"}).prepare()
        hidden = tuple(Secret(secret) for secret in secrets)
        way = Exchange(route or Transport(session), timeout, TokenRequestError, hidden)
        return way.call(request, repeatable=repeatable, pauses=pauses)

    return ask


# Retries


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_passing_trouble_is_tried_again_at_most_twice(status, ask, server):
    """The third answer is the last one."""
    server.script(TOKEN_PATH, html_answer(status))
    assert ask().status == status
    assert server.count(TOKEN_PATH) == 3
    server.script(TOKEN_PATH, html_answer(status), WELL)
    assert ask().status == 200


@pytest.mark.parametrize("status", [200, 204, 302, 400, 401, 403, 404, 408, 500, 501, 505])
def test_any_other_status_is_final(status, ask, server):
    """Nothing else is asked twice."""
    server.script(TOKEN_PATH, answer(status))
    assert ask().status == status
    assert server.count(TOKEN_PATH) == 1


def test_a_broken_connection_is_tried_again_at_most_twice(ask, server):
    """For a token call, which does no harm when it arrives twice."""
    server.script(TOKEN_PATH, reset())
    with pytest.raises(requests.ConnectionError):
        ask()
    assert server.count(TOKEN_PATH) == 3
    server.script(TOKEN_PATH, reset(), reset(WELL, "body"), WELL)
    assert ask().status == 200


@pytest.mark.parametrize("behaviour", [reset(), empty_reply()])
def test_what_may_have_arrived_is_not_repeated_unless_it_may_be(behaviour, ask, server):
    """A login that the server may have counted is not sent again."""
    server.script(TOKEN_PATH, behaviour, WELL)
    with pytest.raises(requests.RequestException):
        ask(repeatable=False)
    assert server.count(TOKEN_PATH) == 1


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_what_was_answered_is_not_repeated_unless_it_may_be(status, ask, server):
    """Neither is one that it answered."""
    server.script(TOKEN_PATH, retry_after("0", status), WELL)
    assert ask(repeatable=False).status == status
    assert server.count(TOKEN_PATH) == 1


@pytest.fixture
def nobody():
    """An address of loopback at which nobody listens, and nobody else can."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield "127.0.0.1:{1}".format(*bound.getsockname())


class Unreachable(HTTPAdapter):
    """An adapter that dials an address where nobody listens, for the first `failures` times."""

    def __init__(self, nobody, failures):
        super().__init__()
        self.nobody = nobody
        self.failures = failures
        self.tried = 0

    def send(self, request, **arguments):
        """Send it astray or, after that, as it is."""
        self.tried += 1
        if self.tried <= self.failures:
            request = request.copy()
            request.url = f"https://{self.nobody}/"
        return super().send(request, **arguments)


@pytest.mark.parametrize("repeatable", [True, False])
def test_what_was_never_sent_is_tried_again(repeatable, ask, server, session, nobody):
    """Where there was no connection, even a login has not arrived."""
    session.mount("https://", Unreachable(nobody, 2))
    server.script(TOKEN_PATH, WELL)
    assert ask(repeatable=repeatable).status == 200
    assert server.count(TOKEN_PATH) == 1

    adapter = Unreachable(nobody, 3)
    session.mount("https://", adapter)
    with pytest.raises(requests.ConnectionError, match="refused"):
        ask(repeatable=repeatable)
    assert adapter.tried == 3


def test_a_bad_certificate_is_not_tried_again(ask, server):
    """It will not get better, and the request has told nobody anything."""
    server.script(TOKEN_PATH, present("unknown CA", WELL))
    with pytest.raises(requests.exceptions.SSLError, match="certificate verify failed"):
        ask()
    assert (server.connections, server.count()) == (1, 0)


def test_tls_that_breaks_off_is_tried_again(ask, server):
    """Also an SSLError, but a broken connection like any other; a server that restarts shows it."""
    server.script(TOKEN_PATH, on_accept(Ending.CLOSE), WELL)
    assert ask().status == 200


def test_a_timeout_is_not_tried_again(ask, server):
    """The time is up."""
    server.script(TOKEN_PATH, hang())
    with pytest.raises(requests.Timeout, match=r"no complete answer within 0\.2 seconds"):
        ask(timeout=0.2)
    assert server.count(TOKEN_PATH) == 1


@pytest.mark.parametrize("wait", ["3600", "5", "1e300"])
def test_a_retry_after_that_does_not_fit_is_not_slept_for(wait, ask, server):
    """The answer comes at once, and tells how long the server wants to be left alone."""
    server.script(TOKEN_PATH, retry_after(wait))
    started = time.monotonic()
    assert ask(timeout=5.0).retry_after == float(wait)
    assert time.monotonic() - started < 2
    assert server.count(TOKEN_PATH) == 1


def test_a_retry_after_that_fits_is_heeded(ask, server):
    """It is longer than the pause that was planned."""
    server.script(TOKEN_PATH, retry_after("0.3"), WELL)
    started = time.monotonic()
    assert ask().status == 200
    assert time.monotonic() - started >= 0.3


def test_a_pause_that_does_not_fit_ends_the_exchange(ask, server):
    """Retries live inside the timeout."""
    server.script(TOKEN_PATH, html_answer(503))
    assert ask(timeout=1.0, pauses=(0.0, 2.0, 0.0)).status == 503
    assert server.count(TOKEN_PATH) == 2


# The deadline, and the size


def test_dripped_headers_end_at_the_deadline(ask, server):
    """The timeouts of requests count from byte to byte, this one does not."""
    server.script(TOKEN_PATH, drip_headers(WELL, interval=0.01))
    started = time.monotonic()
    with pytest.raises(requests.Timeout):
        ask(timeout=0.3)
    assert 0.25 < time.monotonic() - started < 0.9


def test_a_body_in_late_pieces_ends_at_the_deadline(ask, server):
    """The thread that was left behind sees that it is late, and lets go of the connection."""
    pieces = Repeated(b" " * 1024, head=b"HTTP/1.1 200 OK\r\n\r\n")
    server.script(TOKEN_PATH, raw(pieces, interval=0.05))
    with pytest.raises(requests.Timeout):
        ask(timeout=0.2)
    assert server.wait_until_idle()


@pytest.mark.parametrize("status", [101, 102, 103])
def test_after_an_interim_answer_the_connection_is_not_used_again(status, ask, server):
    """http.client takes it for the final one, so that the next call would get the answer to this one."""
    server.script(TOKEN_PATH, Answer("interim", status, framing="none"), WELL)
    with pytest.raises(TokenRequestError, match=f"HTTP {status} is not a final answer"):
        ask()
    assert ask().status == 200
    assert server.connections == 2


@pytest.mark.parametrize("size", [LARGEST_BODY, LARGEST_BODY + 1])
def test_a_body_is_read_up_to_the_limit(size, ask, server):
    """1 MiB, and not a byte more."""
    server.script(TOKEN_PATH, answer(200, b"x" * size))
    if size == LARGEST_BODY:
        assert len(ask().body.reveal()) == size
    else:
        with pytest.raises(TokenRequestError, match="larger than 1048576 bytes"):
            ask()
    assert server.count(TOKEN_PATH) == 1


@pytest.mark.parametrize("coding", ["br", "zstd", "gzip, gzip", "deflate, gzip", "x-unheard-of"])
def test_a_coding_that_inflates_without_bound_is_refused(coding, ask, server):
    """One piece of brotli or of twice gzip may be gigabytes, and none was asked for."""
    server.script(TOKEN_PATH, answer(200, b"\0" * 100, headers=[("Content-Encoding", coding)]))
    with pytest.raises(TokenRequestError, match="Content-Encoding that was not asked for"):
        ask()


@pytest.mark.parametrize("coding", ["Identity", ""])
def test_no_coding_has_two_names(coding, ask, server):
    """RFC 9110 section 8.4.1, in any case."""
    server.script(TOKEN_PATH, answer(200, b"{}", headers=[("Content-Encoding", coding)]))
    assert ask().body.reveal() == b"{}"


def test_a_bomb_ends_at_the_limit(ask, server):
    """The limit counts what has been inflated; gzip may be in any case."""
    bomb = gzip_bomb(b"{}", mebibytes=50)
    server.script(TOKEN_PATH, dataclasses.replace(bomb, headers=(("Content-Encoding", "GZIP"),)))
    with pytest.raises(TokenRequestError, match="larger than"):
        ask()


def test_the_moment_of_sending_is_before_the_call(ask, server):
    """A slow answer does not prolong a token."""
    server.script(TOKEN_PATH, html_answer(503), WELL)
    started = time.time()
    sent_at = ask(pauses=(0.2,)).sent_at
    assert started + 0.2 <= sent_at <= time.time()


# Work with a deadline


def result_of(work):
    """What a call of `work` brings."""
    call = Call(work)
    call.start()
    assert call.wait(5)
    return call.result()


def test_a_call_gives_what_its_work_gives():
    """A result, or its exception, whatever kind that is."""
    assert result_of(lambda: "done") == "done"
    with pytest.raises(SystemExit):
        result_of(sys.exit)


def test_a_call_sees_the_context_of_its_caller():
    """A tracing library finds its variables in the thread of the call."""
    variable = contextvars.ContextVar("variable", default="nobody's")
    variable.set("mine")
    assert result_of(variable.get) == "mine"


def test_a_call_that_is_cancelled_before_it_begins_does_nothing():
    """Whoever finds it later knows that nothing was sent."""
    done = []
    call = Call(lambda: done.append("it"))
    assert call.cancel()
    call.start()
    assert not call.wait(0.2)
    assert done == []


def test_a_call_that_takes_too_long_goes_on_until_it_is_ended():
    """The caller goes on at the deadline."""
    gate = threading.Event()
    call = Call(gate.wait)
    call.start()
    assert not call.wait(0.05)
    gate.set()
    assert call.wait(5)


def test_a_call_works_without_a_thread_if_none_can_be_started():
    """With every thread's stack larger than the memory, no thread starts."""
    usual = threading.stack_size()
    threading.stack_size(1 << 46)
    try:
        assert result_of(threading.current_thread) is threading.current_thread()
    finally:
        threading.stack_size(usual)


AT_EXIT = """
import atexit, requests
from requests_thingspace import Environment
from requests_thingspace import ThingspaceAuth

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


# The way


def test_a_session_is_used_and_not_changed(ask, server, session):
    """Its adapters, proxies, verify and cert; not its auth, headers, cookies, params and hooks."""
    heard = []
    session.auth, session.params = ("user", "the-password"), {"p": "q"}
    session.headers["X-Own"] = "yes"
    session.cookies.set("own", "yes")
    session.hooks["response"].append(lambda response, **_: heard.append(response))
    server.script(TOKEN_PATH, answer(200, b"{}", headers=[("Set-Cookie", "theirs=yes")]))
    before = {name: repr(getattr(session, name)) for name in session.__attrs__}
    assert ask(Transport(session)).status == 200
    assert {name: repr(getattr(session, name)) for name in session.__attrs__} == before
    (request,) = server.requests
    assert not {"Authorization", "X-Own", "Cookie"} & set(request.headers)
    assert (request.query, heard) == ("", [])


def test_settings_win_over_the_session(ask, server, session):
    """What a face saw of its request is what counts."""
    server.script(TOKEN_PATH, WELL)
    with pytest.raises(requests.exceptions.SSLError):
        ask(Transport(session, {"verify": True}))
    assert ask(Transport(requests.Session(), {"verify": server.ca_file})).status == 200
    assert ask(Transport(None, {"verify": server.ca_file})).status == 200


def test_without_a_session_the_environment_counts(ask, server, monkeypatch, nobody):
    """As for any requests call: REQUESTS_CA_BUNDLE and the proxy variables."""
    server.script(TOKEN_PATH, WELL)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", server.ca_file)
    monkeypatch.setenv("no_proxy", "localhost")
    monkeypatch.setenv("https_proxy", f"http://{nobody}")
    assert ask(Transport()).status == 200
    monkeypatch.delenv("no_proxy")
    with pytest.raises(requests.exceptions.ProxyError):
        ask(Transport())


def test_without_a_session_no_socket_is_left_open(ask, server, monkeypatch):
    """Nor is one left to the garbage collector, as urllib3 1.26 does with a Session that is dropped."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", server.ca_file)
    server.script(TOKEN_PATH, WELL)
    assert ask(Transport()).status == 200
    sockets = [one for one in gc.get_objects() if isinstance(one, ssl.SSLSocket) and one.fileno() != -1]
    ports = set()
    for one in sockets:
        with suppress(OSError):  # that of another test, which is being closed
            ports.add(one.getpeername()[1])
    assert server.port("main") not in ports


def test_a_proxy_is_used(ask, server, session):
    """The call goes through the Session's proxy, with the proxy's own credentials."""
    server.script(TOKEN_PATH, WELL)
    with ForwardProxy("user", "the-proxy-password") as proxy:
        session.proxies = proxy.proxies
        assert ask().status == 200
        assert proxy.count("CONNECT") == 1


def test_the_adapter_of_a_face_is_used(ask, server, nobody):
    """An adapter face sends through itself."""
    adapter = Unreachable(nobody, 1)
    server.script(TOKEN_PATH, WELL)
    assert ask(Transport(None, {"verify": server.ca_file}, adapter.send)).status == 200
    assert adapter.tried == 2


# What an error tells


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"verify": "/nowhere/ca.pem"}, "/nowhere/ca.pem"),
        ({"cert": "/nowhere/client.pem"}, "/nowhere/client.pem"),
        ({"proxies": {"https": "http://:8080"}}, "proxy URL"),
        ({"proxies": {"https": "http://user:the-proxy-password@[bad"}}, "failed"),
        ({"proxies": {"https": "socks9://user:the-proxy-password@localhost"}}, "failed"),
    ],
)
def test_bad_settings_are_a_clear_error(settings, words, ask, server, log_without_secrets):
    """They are RequestExceptions too, and show no password."""
    log_without_secrets.add("the-proxy-password")
    with pytest.raises(TokenRequestError, match=words) as caught:
        ask(Transport(None, {"verify": server.ca_file, **settings}))
    assert "the-proxy-password" not in told_by(caught.value)


def test_a_proxy_that_is_not_there_is_named(ask, server, nobody, log_without_secrets):
    """A ProxyError, as requests has it, but without the credentials in its URL."""
    log_without_secrets.add("the-proxy-password")
    proxies = {"https": f"http://user:the-proxy-password@{nobody}"}
    with pytest.raises(requests.exceptions.ProxyError, match="refused") as caught:
        ask(Transport(None, {"verify": server.ca_file, "proxies": proxies}))
    assert "the-proxy-password" not in told_by(caught.value)


@pytest.mark.filterwarnings("ignore:.*unclosed:pytest.PytestUnraisableExceptionWarning")
@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
def test_a_proxy_that_refuses_is_named(ask, server, session):
    """As requests does, with the status of the proxy."""
    with ForwardProxy("user", "the-proxy-password") as proxy:
        session.proxies = {"https": proxy.bare_url}
        with pytest.raises(requests.exceptions.ProxyError, match="407"):
            ask()
    gc.collect()  # http.client of Python 3.10 does not close what a proxy refuses


class BrokenAdapter(HTTPAdapter):
    """An adapter that raises what it was given."""

    def __init__(self, failure):
        super().__init__()
        self.failure = failure

    def send(self, request, **arguments):
        """Raise, with the request attached."""
        self.failure.request = request
        raise self.failure


class OwnTimeoutError(requests.ReadTimeout):
    """A subclass with a constructor of its own."""

    def __init__(self, how, long, *, request=None):
        super().__init__(how, long)


@pytest.mark.parametrize(
    ("failure", "kind", "words"),
    [
        (ZeroDivisionError("the-client-secret"), TokenRequestError, "failed: ZeroDivisionError$"),
        (OSError(5, "the-client-secret"), TokenRequestError, r"OSError: \[Errno 5\] \*\*\*$"),
        (MemoryError(), TokenRequestError, "failed: MemoryError$"),
        (requests.exceptions.InvalidSchema("no SOCKS"), TokenRequestError, "InvalidSchema: no SOCKS$"),
        (requests.exceptions.RetryError("too many"), TokenRequestError, "RetryError: too many$"),
        (OwnTimeoutError("very", "long"), requests.ReadTimeout, "within 5 seconds$"),
        (requests.ConnectionError(), requests.ConnectionError, "failed"),
        (
            requests.exceptions.SSLError(ssl.SSLEOFError(8, "EOF")),
            requests.exceptions.SSLError,
            "SSLEOFError: .*EOF",
        ),
    ],
)
def test_a_foreign_failure_is_made_presentable(failure, kind, words, ask, session):
    """Requests' own class or ours, and neither the request nor what lies below it."""
    session.mount("https://", BrokenAdapter(failure))
    with pytest.raises(kind, match=words) as caught:
        ask(secrets=["the-client-secret"])
    assert caught.type is kind
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)
    if caught.value.request is not None:
        assert caught.value.request.url.endswith(TOKEN_PATH)
        assert (caught.value.request.body, dict(caught.value.request.headers)) == (None, {})


def test_a_failure_that_goes_round_in_circles_is_made_presentable(ask, session):
    """An exception may name as its cause one that names it in turn."""
    first, second = requests.ConnectionError(), ValueError()
    first.args, second.args = (second,), (first,)
    session.mount("https://", BrokenAdapter(first))
    with pytest.raises(requests.ConnectionError, match=r"ConnectionError: ValueError$"):
        ask()


@pytest.mark.parametrize("place", ["status line", "chunk size"])
def test_what_the_server_said_instead_of_http_is_not_told(place, ask, server):
    """Http.client and urllib3 quote it."""
    server.script(TOKEN_PATH, echo(place))
    with pytest.raises(requests.RequestException, match=r"BadStatusLine|InvalidChunkLength") as caught:
        ask()
    assert "x=y" not in told_by(caught.value)


def test_headers_that_are_none_are_not_logged(ask, server, session, caplog):
    """Urllib3 quotes them in a warning; it still does so in the calls of others."""
    body = f'{{"access_token": "{MARKER}"}}'
    misplaced = "HTTP/1.1 200 OK\r\n{}\r\nContent-Length: 0\r\n\r\n"
    server.script(TOKEN_PATH, raw(misplaced.format(body).encode()))
    assert ask().body.reveal() == b""
    assert "Failed to parse headers" not in caplog.text
    session.close()  # the server has closed the connection
    server.script("/api", raw(misplaced.format("neither name nor value").encode()))
    session.get(f"{server.origin}/api")
    assert "Failed to parse headers" in caplog.text


def test_only_an_interrupted_answer_is_worth_a_retry(ask, server, session):
    """The error tells whether the same call may succeed later."""
    server.script(TOKEN_PATH, raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"))
    with pytest.raises(TokenRequestError, match="InvalidChunkLength") as caught:
        ask()
    assert caught.value.retryable is True
    session.mount("https://", BrokenAdapter(ValueError(MARKER)))
    with pytest.raises(TokenRequestError) as caught:
        ask()
    assert caught.value.retryable is False


@pytest.mark.parametrize("masking", [RuntimeError("cannot release un-acquired lock"), KeyError("a thread")])
def test_what_a_signal_handler_raises_at_the_start_of_a_call_comes_through(masking, monkeypatch):
    """threading's own clean-up hides it behind an error of its own."""
    masking.__context__ = KeyboardInterrupt()

    def start(self):
        raise masking

    monkeypatch.setattr(threading.Thread, "start", start)
    with pytest.raises(KeyboardInterrupt):
        Call(lambda: None).start()


def test_any_other_error_at_the_start_of_a_call_comes_through(monkeypatch):
    """Only a thread that cannot be started is done without."""

    def start(self):
        raise KeyError(self)

    monkeypatch.setattr(threading.Thread, "start", start)
    with pytest.raises(KeyError):
        Call(lambda: None).start()


def test_a_call_that_is_not_on_the_wire_is_given_up_too(ask):
    """An adapter that waits for something else than a socket: its thread is left to itself."""
    gate = threading.Event()
    with pytest.raises(requests.Timeout):
        ask(Transport(settings={}, send=lambda *_, **__: gate.wait(5)), timeout=0.1)
    gate.set()


def test_a_call_without_tls_is_really_over():
    """Its socket is closed, so that its thread ends."""
    with hostile.HostileServer(tls=False) as plain:
        plain.script(TOKEN_PATH, hang())
        request = requests.Request("POST", plain.origin + TOKEN_PATH).prepare()
        with pytest.raises(requests.Timeout):
            Exchange(Transport(), 0.2, TokenRequestError, ()).call(request, repeatable=True)
        assert not [one for one in threading.enumerate() if one.name == "thingspace-call" and one.is_alive()]


def test_a_call_that_never_began_is_over_at_once():
    """There is nothing to end."""
    Call(lambda: None).end()
