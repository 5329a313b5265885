"""A sandbox for scripts that bring credentials, accounts and paths of their own, and trouble by plan."""

from __future__ import annotations

import pytest

from requests_thingspace.sandbox import Sandbox

from .conftest import refusal


@pytest.fixture(scope="module")
def sandbox():
    """A lenient sandbox, for the client too."""
    with Sandbox(lenient=True) as sandbox:
        yield sandbox


@pytest.fixture
def headers(client):
    """Both tokens, for a key and a user that nobody knows."""
    token = client.ask_token(auth=("any-key", "any-secret")).json()["access_token"]
    bearer = {"Authorization": f"Bearer {token}"}
    answer = client.ask_login(bearer, username="anyone", password="whatever")
    return {**bearer, "VZ-M2M-Token": answer.json()["sessionToken"]}


@pytest.mark.parametrize(
    "call",
    [
        "GET /api/m2m/v1/accounts/4711-00001",
        "POST /api/m2m/v1/devices/actions/list",
        "POST /api/m2m/v1/devices/actions/suspend",
        "GET /api/fota/v3/campaigns/17",
    ],
)
def test_anyone_may_do_anything(client, sandbox, headers, call):
    """Every key, user, account and path is good; both tokens are still needed, on 5gedge. a bearer alone."""
    method, path = call.split()
    url = sandbox.origin + path
    assert client.http.request(method, url, headers=headers, json={"accountName": "4711-00001"}).ok
    del headers["VZ-M2M-Token"]
    assert client.http.request(method, url, headers=headers).status_code == 400
    assert client.http.request(method, url).status_code == 401
    answer = client.http.request(method, sandbox.edge_origin + path, headers=headers)
    assert set(answer.json()) == {"requestId"}


def test_accounts_and_devices_bear_the_name_that_was_asked_for(client, sandbox, headers):
    """A script finds its own account in the answers."""
    assert client.account(headers, "4711").json()["accountName"] == "4711"
    url = f"{sandbox.origin}/api/m2m/v1/devices/actions/list"
    devices = client.http.post(url, headers=headers, json={"accountName": "4711"}).json()["devices"]
    assert [device["accountName"] for device in devices] == ["4711"] * 250
    assert client.http.post(url, headers=headers).ok


def test_each_key_has_a_token_of_its_own(client, sandbox):
    """As at ThingSpace; what holds no colon is no key and secret."""
    one, other = (client.ask_token(auth=(key, "x")).json()["access_token"] for key in ("one", "other"))
    assert one != other
    form, headers = {"grant_type": "client_credentials"}, {"Authorization": "Basic bm9jb2xvbg=="}
    answer = client.http.post(sandbox.environment.token_url, data=form, headers=headers)
    assert refusal(answer) == (401, "invalid_client")


def test_trouble_comes_as_planned():
    """After the second call all tokens are revoked, after the fourth sessions end, then a 503."""
    heard = []
    plan = "4:end-session, 2:revoke, 6:503"
    with Sandbox(lenient=True, plan=plan, on_call=heard.append) as sandbox:
        session = sandbox.session()
        url = f"{sandbox.origin}/api/m2m/v1/accounts/1"
        assert [session.get(url).status_code for _ in range(6)] == [200, 200, 200, 200, 503, 200]
        answered = [call.status for call in heard if call.endpoint == "api"]
        assert answered == [200, 200, 401, 200, 400, 200, 503, 200]
