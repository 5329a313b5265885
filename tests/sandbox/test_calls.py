"""The counts: each call on arrival, each answer before it leaves."""

import logging

import pytest

from requests_thingspace.sandbox import Call, Sandbox

from .client import Client


def test_calls_and_answers_are_counted_by_endpoint(client, sandbox):
    """Token, login, API and the others."""
    assert sandbox.calls == {"token": 0, "revoke": 0, "login": 0, "logout": 0, "api": 0}
    headers = client.both()
    client.account(headers)
    client.account({})
    client.http.get(f"{sandbox.origin}/nowhere")
    client.http.post(sandbox.environment.logout_url, headers=headers)
    client.revoke("x")
    assert sandbox.calls == {"token": 1, "revoke": 1, "login": 1, "logout": 1, "api": 3}
    assert sandbox.answers == {
        ("token", 200): 1,
        ("login", 200): 1,
        ("logout", 200): 1,
        ("revoke", 200): 1,
        ("api", 200): 1,
        ("api", 401): 1,
        ("api", 400): 1,
    }


def test_the_callback_knows_an_answer_before_the_client_does():
    """So that a test can wait for it."""
    told = []
    with Sandbox(on_call=told.append) as sandbox, Client(sandbox) as client:
        client.bearer()
        client.account({})
        assert [(call.endpoint, call.method, call.status) for call in told] == [
            ("token", "POST", 200),
            ("api", "GET", 401),
        ]
        assert told[1].path == f"/api/m2m/v1/accounts/{sandbox.account}"
        assert all(0 <= call.seconds < 10 for call in told)


def test_a_callback_that_raises_is_logged_and_costs_the_client_nothing(caplog):
    """The answer goes out."""

    def broken(call: Call):
        raise LookupError("broken callback")

    caplog.set_level(logging.WARNING)
    with Sandbox(on_call=broken) as sandbox, Client(sandbox) as client:
        assert client.ask_token().status_code == 200
        assert sandbox.answers["token", 200] == 1
    assert [record.getMessage() for record in caplog.records if record.exc_info] == ["on_call raised"]


def test_waiting_for_calls_ends(sandbox):
    """With True, with False after the time, or with an error for an unknown endpoint."""
    assert sandbox.wait_for_calls("login", 0)
    assert not sandbox.wait_for_calls("login", 1, timeout=0.01)
    with pytest.raises(ValueError, match="no endpoint 'nothing'"):
        sandbox.wait_for_calls("nothing", 1)
