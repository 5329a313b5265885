"""A script's own token, revoke and login calls are left alone on every covered origin."""

import base64

import pytest

from .users import environment_of_user, python

PATHS = ["/api/ts/v1/oauth2/token", "/api/ts/v1/oauth2/revoke", "/api/m2m/v1/session/login"]
PLACES = ["origin", "imp_origin", "edge_origin"]


@pytest.fixture
def basic(sandbox):
    """The Basic header that a script brings itself."""
    pair = f"{sandbox.client_id}:{sandbox.client_secret}"
    return f"Basic {base64.b64encode(pair.encode()).decode()}"


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("place", PLACES)
def test_the_header_of_a_script_arrives_as_it_was(sandbox, connect, path, place):
    """It costs no token call of ours, and neither of our headers is on it."""
    url = getattr(sandbox, place).replace("https", "HTTPS") + path + "?scope=x#part"
    answer = connect().post(url, headers={"Authorization": "Basic aXQ6aXM="})
    assert answer.request.headers["Authorization"] == "Basic aXQ6aXM="
    assert not {"vz-m2m-token", "sessiontoken"} & {name.lower() for name in answer.request.headers}
    assert sum(sandbox.calls.values()) == 1


@pytest.mark.parametrize("place", ["origin", "edge_origin"])
def test_a_script_gets_and_revokes_its_own_token(sandbox, connect, place, basic):
    """Verizon documents the token endpoint of 5gedge too."""
    session, origin, headers = connect(), getattr(sandbox, place), {"Authorization": basic}
    form = {"grant_type": "client_credentials"}
    found = session.post(f"{origin}{PATHS[0]}", data=form, headers=headers)
    assert (found.status_code, found.json()["token_type"]) == (200, "Bearer")
    form["token"] = found.json()["access_token"]
    assert session.post(f"{origin}{PATHS[1]}", data=form, headers=headers).status_code == 200
    assert sandbox.answers == {("token", 200): 1, ("revoke", 200): 1}


@pytest.mark.parametrize("place", ["origin", "edge_origin"])
def test_a_refusal_of_a_scripts_own_call_is_the_scripts(sandbox, connect, place):
    """A 401 for a wrong secret is neither replayed nor a reason for a token call."""
    form, headers = {"grant_type": "client_credentials"}, {"Authorization": "Basic aXQ6aXM="}
    assert (
        connect().post(f"{getattr(sandbox, place)}{PATHS[0]}", data=form, headers=headers).status_code == 401
    )
    assert sandbox.answers == {("token", 401): 1}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("path", ["/api/ts/v1/oauth2/token/x", "/api/m2m/v1/session/logout"])
def test_every_other_path_of_a_covered_origin_has_both_tokens(sandbox, connect, place, path):
    """What only begins like an endpoint is none; the logout wants tokens as any call does."""
    answer = connect().get(f"{getattr(sandbox, place)}{path}")
    name = "SessionToken" if place == "imp_origin" else "VZ-M2M-Token"
    assert answer.request.headers["Authorization"].startswith("Bearer ")
    assert name in answer.request.headers


SCRIPT = """
import sys, requests

form = {"grant_type": "client_credentials"}
answer = requests.post(sys.argv[1], data=form, headers={"Authorization": sys.argv[2]})
print(answer.status_code, answer.json()["token_type"])
"""


@pytest.mark.parametrize("host", ["thingspace.verizon.com", "5gedge.verizon.com"])
def test_thingspace_run_leaves_them_alone_too(documented_thingspace, tmp_path, host):
    """A program that fetches its own token from either host, by the names of production."""
    sandbox, variables = documented_thingspace
    sandbox.reset()
    script, pair = tmp_path / "script.py", f"{sandbox.client_id}:{sandbox.client_secret}"
    script.write_text(SCRIPT)
    basic = f"Basic {base64.b64encode(pair.encode()).decode()}"
    environment = {**environment_of_user(sandbox, tmp_path), **variables}
    del environment["THINGSPACE_BASE_URL"]
    command = ("-m", "requests_thingspace", "run", script, f"https://{host}{PATHS[0]}", basic)
    outcome = python(*command, env=environment)
    assert (outcome.returncode, outcome.stdout) == (0, "200 Bearer\n"), outcome.stderr
    assert sandbox.answers == {("token", 200): 1}
