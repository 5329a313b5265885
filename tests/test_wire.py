"""One bounded, truthful exchange: every fault of the catalogue, retries, deadlines, ways, and errors."""

import contextvars
import dataclasses
import gc
import socket
import ssl
import subprocess
import sys
import threading
import time
import tracemalloc

import pytest
import requests
from requests.adapters import HTTPAdapter

from requests_thingspace import Environment, OAuthToken, TokenManager, TokenRequestError
from requests_thingspace._client_credentials import ClientCredentials
from requests_thingspace._session_login import SessionLogin
from requests_thingspace._tokens import LONGEST_LIFE
from requests_thingspace._wire import LARGEST_BODY, Route, exchange, within

from .catalogue import (
    CLIENT_ID,
    CLIENT_SECRET,
    PASSWORD,
    SECRETS,
    USERNAME,
    hostile_server,
    outcome_of,
    require_lawful,
    session_of,
    told_by,
)
from .hostile import (
    GOOD_SESSION_TOKEN,
    GOOD_TOKEN,
    GOOD_TOKEN_DOCUMENT,
    LOGIN_FAULTS,
    MARKER,
    TOKEN_FAULTS,
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
from .hostile._payloads import Repeated

WELL = json_answer(200, GOOD_TOKEN_DOCUMENT)
FLOODS = ("bomb", "for ever", "MiB", "kB", "5,000", "100,000", "endless", "2**63", "160 bits")
LARGEST_GROWTH = 30_000_000  # bytes


@pytest.fixture
def server(log_without_secrets):
    """A hostile server, in a test whose log must not hold what travels."""
    log_without_secrets |= SECRETS
    with hostile_server() as running:
        yield running


@pytest.fixture
def session(server):
    """A Session that trusts the server."""
    with session_of(server) as session:
        yield session


@pytest.fixture
def ask(server, session):
    """One exchange with the token endpoint of the server, without pauses between attempts."""

    def ask(route=None, *, timeout=5.0, repeatable=True, pauses=(0.0, 0.0), secrets=()):
        request = requests.Request("POST", server.origin + TOKEN_PATH, data={"x": "y"}).prepare()
        return exchange(
            request,
            route or Route(session),
            timeout,
            repeatable=repeatable,
            error=TokenRequestError,
            secrets=secrets,
            pauses=pauses,
        )

    return ask


# The catalogue of faults


def patience(fault):
    """Seconds: little for what waits, enough for one more attempt at what is broken."""
    return 0.3 if fault.waits else 5.0 if fault.expectation == "token" else 1.0


def measured(call, fault, server):
    """The outcome of a call; a flood must not fill the memory."""
    if not any(words in fault.name for words in FLOODS):
        return outcome_of(call, server, fault, "endpoint")
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        outcome = outcome_of(call, server, fault, "endpoint")
        assert tracemalloc.get_traced_memory()[1] - before < LARGEST_GROWTH
    finally:
        tracemalloc.stop()
    return outcome


@pytest.mark.slow
@pytest.mark.parametrize("fault", TOKEN_FAULTS, ids=str)
def test_a_token_call_under_each_fault(fault, server, session):
    """A token where the laws say so, else a RequestException: in time, in few calls, without a secret."""
    environment, timeout = Environment.at(server.origin), patience(fault)
    credentials = ClientCredentials(CLIENT_ID, CLIENT_SECRET, environment, timeout=timeout)

    outcome = measured(lambda: credentials.fetch(Route(session)), fault, server)
    require_lawful(outcome, fault, server, timeout)
    if outcome.error is None:
        life = outcome.result.expires_at and outcome.result.expires_at - time.time()
        expiry = "none" if life is None else "capped" if life > LONGEST_LIFE - 60 else "known"
        assert expiry == fault.expiry

    server.script(TOKEN_PATH, WELL)
    again = ClientCredentials(CLIENT_ID, CLIENT_SECRET, environment, timeout=5.0)
    assert again.fetch(Route(session)).access_token == GOOD_TOKEN


@pytest.mark.slow
@pytest.mark.parametrize("fault", LOGIN_FAULTS, ids=str)
def test_a_login_under_each_fault(fault, server, session):
    """The same for a login, of which the server never sees two."""
    environment, timeout = Environment.at(server.origin), patience(fault)
    server.script(TOKEN_PATH, WELL)
    credentials = ClientCredentials(CLIENT_ID, CLIENT_SECRET, environment)
    bearers = TokenManager(OAuthToken, credentials.fetch, token=OAuthToken(GOOD_TOKEN))

    login = SessionLogin(USERNAME, PASSWORD, environment, bearers, timeout=timeout)
    outcome = measured(lambda: login.fetch(Route(session)), fault, server)
    require_lawful(outcome, fault, server, timeout)

    session.close()  # an idle connection that the server has closed may cost a login, which is not repeated
    server.script(fault.path, json_answer(200, {"sessionToken": GOOD_SESSION_TOKEN}))
    again = SessionLogin(USERNAME, PASSWORD, environment, bearers, timeout=5.0)
    assert again.fetch(Route(session)).session_token == GOOD_SESSION_TOKEN


# Retries


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_passing_trouble_is_tried_again_at_most_twice(status, ask, server):
    """Law 17: the third answer is the last one."""
    server.script(TOKEN_PATH, html_answer(status))
    assert ask().status == status
    assert server.count(TOKEN_PATH) == 3
    server.script(TOKEN_PATH, html_answer(status), WELL)
    assert ask().status == 200


@pytest.mark.parametrize("status", [200, 204, 302, 400, 401, 403, 404, 408, 500, 501, 505])
def test_any_other_status_is_final(status, ask, server):
    """Law 17: nothing else is asked twice."""
    server.script(TOKEN_PATH, answer(status))
    assert ask().status == status
    assert server.count(TOKEN_PATH) == 1


def test_a_broken_connection_is_tried_again_at_most_twice(ask, server):
    """Law 17: for a token call, which does no harm when it arrives twice."""
    server.script(TOKEN_PATH, reset())
    with pytest.raises(requests.ConnectionError):
        ask()
    assert server.count(TOKEN_PATH) == 3
    server.script(TOKEN_PATH, reset(), reset(WELL, "body"), WELL)
    assert ask().status == 200


@pytest.mark.parametrize("behaviour", [reset(), empty_reply()])
def test_what_may_have_arrived_is_not_repeated_unless_it_may_be(behaviour, ask, server):
    """Law 17: a login that the server may have counted is not sent again."""
    server.script(TOKEN_PATH, behaviour, WELL)
    with pytest.raises(requests.RequestException):
        ask(repeatable=False)
    assert server.count(TOKEN_PATH) == 1


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_what_was_answered_is_not_repeated_unless_it_may_be(status, ask, server):
    """Law 17: neither is one that it answered."""
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
    """Law 17: where there was no connection, even a login has not arrived."""
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
    """Law 17: the answer comes at once, and tells how long the server wants to be left alone."""
    server.script(TOKEN_PATH, retry_after(wait))
    started = time.monotonic()
    assert ask(timeout=5.0).retry_after == float(wait)
    assert time.monotonic() - started < 2
    assert server.count(TOKEN_PATH) == 1


def test_a_retry_after_that_fits_is_heeded(ask, server):
    """Law 17: it is longer than the pause that was planned."""
    server.script(TOKEN_PATH, retry_after("0.3"), WELL)
    started = time.monotonic()
    assert ask().status == 200
    assert time.monotonic() - started >= 0.3


def test_a_pause_that_does_not_fit_ends_the_exchange(ask, server):
    """Law 17: retries live inside the timeout."""
    server.script(TOKEN_PATH, html_answer(503))
    assert ask(timeout=1.0, pauses=(0.0, 2.0, 0.0)).status == 503
    assert server.count(TOKEN_PATH) == 2


# The deadline, and the size


def test_dripped_headers_end_at_the_deadline(ask, server):
    """Law 17: the timeouts of requests count from byte to byte, this one does not."""
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
    with pytest.raises(TokenRequestError, match=f"HTTP {status} is no final answer"):
        ask()
    assert ask().status == 200
    assert server.connections == 2


@pytest.mark.parametrize("size", [LARGEST_BODY, LARGEST_BODY + 1])
def test_a_body_is_read_up_to_the_limit(size, ask, server):
    """Law 17: 1 MiB, and not a byte more."""
    server.script(TOKEN_PATH, answer(200, b"x" * size))
    if size == LARGEST_BODY:
        assert len(ask().body) == size
    else:
        with pytest.raises(TokenRequestError, match="larger than 1048576 bytes"):
            ask()
    assert server.count(TOKEN_PATH) == 1


@pytest.mark.parametrize("coding", ["br", "zstd", "gzip, gzip", "deflate, gzip", "x-unheard-of"])
def test_a_coding_that_inflates_without_bound_is_refused(coding, ask, server):
    """Law 17: one piece of brotli or of twice gzip may be gigabytes, and none was asked for."""
    server.script(TOKEN_PATH, answer(200, b"\0" * 100, headers=[("Content-Encoding", coding)]))
    with pytest.raises(TokenRequestError, match="Content-Encoding that was not asked for"):
        ask()


@pytest.mark.parametrize("coding", ["Identity", ""])
def test_no_coding_has_two_names(coding, ask, server):
    """RFC 9110 section 8.4.1, in any case."""
    server.script(TOKEN_PATH, answer(200, b"{}", headers=[("Content-Encoding", coding)]))
    assert ask().body == b"{}"


def test_a_bomb_ends_at_the_limit(ask, server):
    """Law 17: the limit counts what has been inflated; gzip may be in any case."""
    bomb = gzip_bomb(b"{}", mebibytes=50)
    server.script(TOKEN_PATH, dataclasses.replace(bomb, headers=(("Content-Encoding", "GZIP"),)))
    with pytest.raises(TokenRequestError, match="larger than"):
        ask()


def test_the_moment_of_sending_is_before_the_call(ask, server):
    """Law 3: a slow answer does not prolong a token."""
    server.script(TOKEN_PATH, html_answer(503), WELL)
    started = time.time()
    sent_at = ask(pauses=(0.2,)).sent_at
    assert started + 0.2 <= sent_at <= time.time()


# Work with a deadline


def test_within_gives_what_the_work_gives():
    """A result, or its exception, whatever kind that is."""
    assert within(5, lambda: "done", TimeoutError()) == "done"
    with pytest.raises(SystemExit):
        within(5, sys.exit, TimeoutError())


def test_within_sees_the_context_of_its_caller():
    """A tracing library finds its variables in the thread of the call."""
    variable = contextvars.ContextVar("variable", default="nobody's")
    variable.set("mine")
    assert within(5, variable.get, TimeoutError()) == "mine"


def test_within_leaves_behind_what_takes_too_long():
    """The caller goes on at the deadline, and the thread ends when its work does."""
    gate = threading.Event()
    with pytest.raises(TimeoutError, match="too late"):
        within(0.05, gate.wait, TimeoutError("too late"))
    (left_behind,) = [t for t in threading.enumerate() if t.name == "thingspace-auth-call"]
    assert left_behind.daemon
    gate.set()
    left_behind.join(5)
    assert not left_behind.is_alive()


def test_within_works_without_a_thread_where_there_is_none_to_be_had():
    """With every thread's stack larger than the memory, no thread starts."""
    usual = threading.stack_size()
    threading.stack_size(1 << 46)
    try:
        assert within(5, threading.current_thread, TimeoutError()) is threading.current_thread()
    finally:
        threading.stack_size(usual)


AT_EXIT = """
import atexit, requests
from requests_thingspace import Environment
from requests_thingspace._client_credentials import ClientCredentials
from requests_thingspace._wire import Route

def last_call():
    route = Route(settings={{"verify": {ca_file!r}}})
    print(ClientCredentials("id", "secret", Environment.at({origin!r})).fetch(route).scope)

atexit.register(last_call)
"""


def test_a_token_is_to_be_had_at_the_very_end(server):
    """A program that logs out or flushes at exit may need one, where Python starts no more threads."""
    server.script(TOKEN_PATH, WELL)
    program = AT_EXIT.format(ca_file=server.ca_file, origin=server.origin)
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=False
    )
    assert (ended.stdout, ended.stderr) == ("('ts.ro',)\n", "")


# The way


def test_a_session_is_used_and_not_changed(ask, server, session):
    """Law 20: its adapters, proxies, verify and cert; not its auth, headers, cookies, params and hooks."""
    heard = []
    session.auth, session.params = ("user", "the-password"), {"p": "q"}
    session.headers["X-Own"] = "yes"
    session.cookies.set("own", "yes")
    session.hooks["response"].append(lambda response, **_: heard.append(response))
    server.script(TOKEN_PATH, answer(200, b"{}", headers=[("Set-Cookie", "theirs=yes")]))
    before = {name: repr(getattr(session, name)) for name in session.__attrs__}
    assert ask(Route(session)).status == 200
    assert {name: repr(getattr(session, name)) for name in session.__attrs__} == before
    (request,) = server.requests
    assert not {"Authorization", "X-Own", "Cookie"} & set(request.headers)
    assert (request.query, heard) == ("", [])


def test_settings_win_over_the_session(ask, server, session):
    """Law 20: what a face saw of its request is what counts."""
    server.script(TOKEN_PATH, WELL)
    with pytest.raises(requests.exceptions.SSLError):
        ask(Route(session, {"verify": True}))
    assert ask(Route(requests.Session(), {"verify": server.ca_file})).status == 200
    assert ask(Route(None, {"verify": server.ca_file})).status == 200


def test_without_a_session_the_environment_counts(ask, server, monkeypatch, nobody):
    """As for any requests call: REQUESTS_CA_BUNDLE and the proxy variables."""
    server.script(TOKEN_PATH, WELL)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", server.ca_file)
    monkeypatch.setenv("no_proxy", "localhost")
    monkeypatch.setenv("https_proxy", f"http://{nobody}")
    assert ask(Route()).status == 200
    monkeypatch.delenv("no_proxy")
    with pytest.raises(requests.exceptions.ProxyError):
        ask(Route())


def test_a_proxy_is_used(ask, server, session):
    """Law 20: the call goes through the Session's proxy, with the proxy's own credentials."""
    server.script(TOKEN_PATH, WELL)
    with ForwardProxy("user", "the-proxy-password") as proxy:
        session.proxies = proxy.proxies
        assert ask().status == 200
        assert proxy.count("CONNECT") == 1


def test_the_adapter_of_a_face_is_used(ask, server, nobody):
    """Law 20: an adapter face sends through itself."""
    adapter = Unreachable(nobody, 1)
    server.script(TOKEN_PATH, WELL)
    assert ask(Route(None, {"verify": server.ca_file}, adapter.send)).status == 200
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
    """Law 19: they are RequestExceptions too, and show no password."""
    log_without_secrets.add("the-proxy-password")
    with pytest.raises(TokenRequestError, match=words) as caught:
        ask(Route(None, {"verify": server.ca_file, **settings}))
    assert "the-proxy-password" not in told_by(caught.value)


def test_a_proxy_that_is_not_there_is_named(ask, server, nobody, log_without_secrets):
    """Law 19: a ProxyError, as requests has it, but without the credentials in its URL."""
    log_without_secrets.add("the-proxy-password")
    proxies = {"https": f"http://user:the-proxy-password@{nobody}"}
    with pytest.raises(requests.exceptions.ProxyError, match="refused") as caught:
        ask(Route(None, {"verify": server.ca_file, "proxies": proxies}))
    assert "the-proxy-password" not in told_by(caught.value)


@pytest.mark.filterwarnings("ignore:.*unclosed:pytest.PytestUnraisableExceptionWarning")
@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
def test_a_proxy_that_refuses_is_named(ask, server, session):
    """Law 19: as requests does, with the status of the proxy."""
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
    """Laws 19 and 21: requests' own class or ours, and neither the request nor what lies below it."""
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
    """Law 21: http.client and urllib3 quote it."""
    server.script(TOKEN_PATH, echo(place))
    with pytest.raises(requests.RequestException, match=r"BadStatusLine|InvalidChunkLength") as caught:
        ask()
    assert "x=y" not in told_by(caught.value)


def test_headers_that_are_none_are_not_logged(ask, server, session, caplog):
    """Law 21: urllib3 quotes them in a warning; it still does so in the calls of others."""
    body = f'{{"access_token": "{MARKER}"}}'
    misplaced = "HTTP/1.1 200 OK\r\n{}\r\nContent-Length: 0\r\n\r\n"
    server.script(TOKEN_PATH, raw(misplaced.format(body).encode()))
    assert ask().body == b""
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
