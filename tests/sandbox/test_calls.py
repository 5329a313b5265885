"""The counts: each call on arrival, each answer before it leaves."""

import pytest

from requests_thingspace.sandbox import Sandbox

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
    well = {(endpoint, 200): 1 for endpoint in sandbox.calls}
    assert sandbox.answers == {**well, ("api", 401): 1, ("api", 400): 1}


def test_the_callback_knows_an_answer_before_the_client_does(caplog):
    """So that a test can wait for it; one that raises is logged, and costs the client nothing."""
    told = []

    def on_call(call):
        told.append(call)
        raise LookupError("broken callback")

    with Sandbox(on_call=on_call) as sandbox, Client(sandbox) as client:
        client.bearer()
        client.account({})
        token, account = told
        assert (token.endpoint, token.method, token.status) == ("token", "POST", 200)
        assert (account.endpoint, account.method, account.status) == ("api", "GET", 401)
        assert account.path == f"/api/m2m/v1/accounts/{sandbox.account}"
        assert all(0 <= call.seconds < 10 for call in told)
    assert [record.getMessage() for record in caplog.records if record.exc_info] == ["on_call raised"] * 2


def test_waiting_for_calls_ends(sandbox):
    """With True, with False after the time, or with an error for an unknown endpoint."""
    assert sandbox.wait_for_calls("login", 0)
    assert not sandbox.wait_for_calls("login", 1, timeout=0.01)
    with pytest.raises(ValueError, match="no endpoint 'nothing'"):
        sandbox.wait_for_calls("nothing", 1)
