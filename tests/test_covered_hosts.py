"""A script's own token, revoke and login calls are left alone on every covered origin."""

import base64
import itertools

PATHS = ["/api/ts/v1/oauth2/token", "/api/ts/v1/oauth2/revoke", "/api/m2m/v1/session/login"]
PLACES = ["origin", "imp_origin", "edge_origin"]


def test_the_header_of_a_script_arrives_as_it_was(sandbox, connect):
    """It costs no token call of ours, and neither of our headers is on it."""
    session = connect()
    for sent, (place, path) in enumerate(itertools.product(PLACES, PATHS), 1):
        url = getattr(sandbox, place).replace("https", "HTTPS") + path + "?scope=x#part"
        answer = session.post(url, headers={"Authorization": "Basic aXQ6aXM="})
        assert answer.request.headers["Authorization"] == "Basic aXQ6aXM="
        assert not {"vz-m2m-token", "sessiontoken"} & {name.lower() for name in answer.request.headers}
        assert sum(sandbox.calls.values()) == sent


def test_a_scripts_own_token_calls_are_the_scripts(sandbox, connect):
    """Verizon documents 5gedge's endpoint too: a 401 is neither replayed nor a reason for a call of ours."""
    session, origin, form = connect(), sandbox.edge_origin, {"grant_type": "client_credentials"}
    pair = f"{sandbox.client_id}:{sandbox.client_secret}"
    headers = {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}
    found = session.post(origin + PATHS[0], data=form, headers=headers)
    assert (found.status_code, found.json()["token_type"]) == (200, "Bearer")
    form["token"] = found.json()["access_token"]
    assert session.post(origin + PATHS[1], data=form, headers=headers).status_code == 200
    headers["Authorization"] = "Basic aXQ6aXM="
    assert session.post(origin + PATHS[0], data=form, headers=headers).status_code == 401
    assert sandbox.answers == {("token", 200): 1, ("revoke", 200): 1, ("token", 401): 1}
