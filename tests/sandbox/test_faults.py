"""Calls are counted on arrival; faults happen in order, as often as asked, and never hang a test."""

import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
import requests

from requests_thingspace.sandbox import Sandbox

from .conftest import Client


def test_calls_and_answers_are_counted_by_endpoint(client, sandbox):
    """Token, login, API and the others; a test can wait for them."""
    assert sandbox.calls == {"token": 0, "revoke": 0, "login": 0, "logout": 0, "api": 0}
    headers = client.both()
    client.account(headers)
    client.account({})
    client.http.get(f"{sandbox.origin}/nowhere")
    client.http.post(sandbox.environment.logout_url, headers=headers)
    client.revoke("x")
    assert sandbox.calls == {"token": 1, "revoke": 1, "login": 1, "logout": 1, "api": 3}
    well = {(endpoint, 200): 1 for endpoint in sandbox.calls}
    assert sandbox.answers == {**well, ("api", 401): 1, ("api", 400): 1}
    assert sandbox.wait_for_calls("login", 1)
    assert not sandbox.wait_for_calls("login", 2, timeout=0.01)


def test_the_callback_knows_an_answer_before_the_client_does(caplog):
    """So that a test can wait for it; one that raises is logged, and costs the client nothing."""
    told = []

    def on_call(call):
        told.append(call)
        raise LookupError("broken callback")

    with Sandbox(on_call=on_call) as sandbox, Client(sandbox) as client:
        client.bearer()
        client.account({})
        token = "token", "POST", "/api/ts/v1/oauth2/token", 200
        account = "api", "GET", f"/api/m2m/v1/accounts/{sandbox.account}", 401
        assert [(call.endpoint, call.method, call.path, call.status) for call in told] == [token, account]
    assert all(0 <= call.seconds < 10 for call in told)
    assert [record.getMessage() for record in caplog.records if record.exc_info] == ["on_call raised"] * 2


def test_faults_come_to_their_endpoint_in_their_order(client, sandbox):
    """One call each, unless the test says how many; at the login they do not count towards the lock."""
    headers = client.both()
    for endpoint in ("revoke", "logout", "api"):
        sandbox.fail_next(endpoint)
    assert client.ask_login(headers).status_code == 200
    assert client.account(headers).status_code == client.revoke("x").status_code == 503
    assert client.http.post(sandbox.environment.logout_url, headers=headers).status_code == 503
    assert client.account(headers).status_code == 200
    sandbox.fail_next("login", times=5)
    assert {client.ask_login(headers, password="wrong").status_code for _ in range(5)} == {503}
    assert not sandbox.locked
    sandbox.fail_next("token", times=2)
    sandbox.fail_next("token", status=500)
    assert [client.ask_token().status_code for _ in range(4)] == [503, 503, 500, 200]


JSON = "application/json"
HTML, TEXT, XML = (f"{kind}; charset=utf-8" for kind in ("text/html", "text/plain", "application/xml"))


@pytest.mark.parametrize(
    ("endpoint", "status", "more", "content", "media_type"),
    [
        ("token", 418, {"body": {"error": "x"}}, '{"error": "x"}', JSON),
        ("token", 418, {"body": []}, "[]", JSON),
        ("token", 418, {"body": "text"}, "text", TEXT),
        ("token", 418, {"body": ""}, "", TEXT),
        ("token", 418, {"body": b"\x00\xff"}, "\x00\xff", TEXT),
        ("token", 503, {"body": "{}", "headers": {"Content-Type": JSON, "Retry-After": "7"}}, "{}", JSON),
        ("token", 418, {"body": "abc", "headers": {"content-length": "3", "date": "soon"}}, "abc", TEXT),
        ("token", 204, {"body": "text"}, "", TEXT),
        ("token", 304, {"body": "text"}, "", TEXT),
        # Without a body the failure looks like one
        ("token", 400, {}, '"error": "invalid_request"', JSON),
        ("token", 401, {}, '"error": "invalid_client"', JSON),
        ("revoke", 401, {}, '"error": "invalid_client"', JSON),
        ("api", 401, {}, '"code": "900901"', JSON),
        ("login", 401, {}, '"code": "900901"', JSON),
        ("api", 400, {}, '"errorCode": "UnifiedWebService.', JSON),
        ("api", 403, {}, '<am:fault xmlns:am="http://wso2.org/apimanager"><am:code>404', XML),
        ("token", 503, {"headers": {"Retry-After": "8"}}, "<h1>503 Service Unavailable</h1>", HTML),
        ("api", 599, {}, "<h1>599</h1>", HTML),
    ],
)
def test_an_answer_is_what_was_asked_for(client, sandbox, endpoint, status, more, content, media_type):
    """A body as it is, a failure's own where none is given; headers replace those of the answer."""
    good = client.both()
    sandbox.fail_next(endpoint, status=status, **more)
    calls = {"token": client.ask_token, "revoke": lambda: client.revoke("x")}
    calls |= {"login": lambda: client.ask_login(good), "api": lambda: client.account(good)}
    answer, sent = calls[endpoint](), content.encode("latin-1")
    assert answer.status_code == status
    assert answer.content == sent if "body" in more else sent in answer.content
    given = {"Content-Type": media_type, **more.get("headers", {})}
    assert {name: answer.headers[name] for name in given} == given
    assert calls[endpoint]().status_code == 200


def test_a_dropped_connection_is_a_call_without_an_answer(client, sandbox):
    """It is counted as a call, and as no answer; one that promises more than it holds breaks off."""
    sandbox.fail_next("token", status=None)
    with pytest.raises(requests.ConnectionError):
        client.ask_token()
    assert (sandbox.calls["token"], sandbox.answers) == (1, {})
    sandbox.fail_next("token", status=200, body="abc", headers={"Content-Length": "100"})
    with pytest.raises(requests.RequestException):
        client.ask_token()
    assert client.ask_token().status_code == 200


def test_delayed_and_slow_answers_take_their_time(client, sandbox):
    """The delay of one fault, and that of all calls of an endpoint."""
    sandbox.fail_next("token", delay=0.2)
    started = time.monotonic()
    assert client.ask_token().status_code == 503
    assert time.monotonic() - started >= 0.2
    sandbox.slow("token", 0.2)
    assert client.ask_token().status_code == 200
    assert time.monotonic() - started >= 0.4
    sandbox.slow("token", 60)
    sandbox.slow("token", 0)
    assert client.ask_token().status_code == 200


@pytest.mark.parametrize("end", ["reset", "close"])
def test_no_end_waits_for_a_delayed_answer(end):
    """A reset answers whoever waits, and counts nothing; close breaks it off. It began before the start."""
    sandbox = Sandbox()
    sandbox.slow("token", 60)
    with sandbox, Client(sandbox) as client, ThreadPoolExecutor(1) as thread:
        asked = thread.submit(client.ask_token)
        assert sandbox.wait_for_calls("token", 1)
        started = time.monotonic()
        getattr(sandbox, end)()
        assert time.monotonic() - started < 1
        if end == "reset":
            assert asked.result(10).status_code == 200
            assert (sandbox.calls["token"], sandbox.answers) == (0, {})
            assert client.ask_token().status_code == 200


@pytest.mark.parametrize("plan", ["revoke", "0:revoke", "5:200", "5:sleep", "x:503", "5:", "1:600", "-1:503"])
def test_a_plan_that_cannot_be_read_is_refused(plan):
    """The message shows how one is written."""
    with pytest.raises(ValueError, match="N:end-session"):
        Sandbox(plan=plan)


def test_what_makes_no_sense_is_refused(sandbox):
    """When it is asked for, not when it would come: a number out of range, an endpoint that there is not."""
    nan = float("nan")
    settings = [{"token_life": 0.5}, {"token_life": nan}, {"session_idle": 0}, {"port": -1}, {"port": 65536}]
    for wrong in settings:
        with pytest.raises(ValueError, match="at least 1 second, session_idle more than 0, port 0 to 65535"):
            Sandbox(**wrong)
    for wrong in ({"times": 0}, {"status": 100}, {"status": 600}, {"delay": -1}, {"delay": nan}):
        with pytest.raises(ValueError, match=r"at least once|no final HTTP status|0 seconds or more"):
            sandbox.fail_next("token", **wrong)
    with pytest.raises(ValueError, match="0 seconds or more"):
        sandbox.slow("token", -1)
    plans = sandbox.fail_next, partial(sandbox.slow, seconds=1), partial(sandbox.wait_for_calls, count=1)
    for plan in plans:
        with pytest.raises(ValueError, match="'tokens': it is one of token, revoke, login, logout, api"):
            plan("tokens")
    for seconds in (-1, nan):
        with pytest.raises(ValueError, match="only goes forward"):
            sandbox.advance(seconds)
