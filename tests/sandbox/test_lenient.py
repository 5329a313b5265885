"""A sandbox for scripts that bring credentials, accounts and paths of their own, and trouble by plan."""

from requests_thingspace.sandbox import Sandbox

from .conftest import Client, refusal

CALLS = (
    "GET /api/m2m/v1/accounts/4711",
    "POST /api/m2m/v1/devices/actions/list",
    "POST /api/m2m/v1/devices/actions/suspend",
    "GET /api/fota/v3/campaigns/17",
)


def test_anyone_may_do_anything():
    """Every key, user, account and path is good; both tokens are still needed, on 5gedge. a bearer alone.

    Each key has a token of its own, as at ThingSpace, and a script finds its own account in the answers.
    """
    with Sandbox(lenient=True) as sandbox, Client(sandbox) as client:
        one, other = (client.ask_token(auth=(key, "x")).json()["access_token"] for key in ("one", "other"))
        assert one != other
        bearer = {"Authorization": f"Bearer {one}"}
        session = client.ask_login(bearer, username="anyone", password="whatever").json()["sessionToken"]
        both = {**bearer, "VZ-M2M-Token": session}
        for method, path in map(str.split, CALLS):
            url = sandbox.origin + path
            assert client.http.request(method, url, headers=both).ok
            assert client.http.request(method, url, headers=bearer).status_code == 400
            assert client.http.request(method, url).status_code == 401
            answer = client.http.request(method, sandbox.edge_origin + path, headers=bearer)
            assert set(answer.json()) == {"requestId"}
        assert client.account(both, "4711").json()["accountName"] == "4711"
        url = f"{sandbox.origin}/api/m2m/v1/devices/actions/list"
        devices = client.http.post(url, headers=both, json={"accountName": "4711"}).json()["devices"]
        assert [device["accountName"] for device in devices] == ["4711"] * 250
        no_pair = {"Authorization": "Basic bm9jb2xvbg=="}  # it holds no colon
        form = {"grant_type": "client_credentials"}
        refused = client.http.post(sandbox.environment.token_url, data=form, headers=no_pair)
        assert refusal(refused) == (401, "invalid_client")


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
