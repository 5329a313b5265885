"""The token and the revoke endpoint: the same token until it expires, and the errors that are documented."""

import re
from base64 import b64encode

import pytest


def fault(answer):
    """Code and description of a WSO2 fault."""
    described = answer.json()["fault"]
    return described["code"], described["description"]


def test_the_answer_is_verizons_sample(client):
    """The same fields, of the same kinds."""
    answer = client.ask_token()
    token = answer.json()
    assert answer.status_code == 200
    assert list(token) == ["access_token", "scope", "token_type", "expires_in"]
    assert re.fullmatch("[0-9a-f]{32}", token["access_token"])
    assert token["scope"] == " ts.application.ro ts.mec.fullaccess"
    assert (token["token_type"], token["expires_in"]) == ("Bearer", 3600)
    assert answer.headers["Cache-Control"] == "no-store"


def test_the_same_token_comes_with_the_life_that_is_left_until_it_expires(client, sandbox):
    """One with less than a second left is not given out again, and still good."""
    first = client.ask_token().json()
    sandbox.advance(1972)
    later = client.ask_token().json()
    assert later["access_token"] == first["access_token"]
    assert later["expires_in"] in (1627, 1628)
    sandbox.advance(3599.5 - 1972)
    renewed = client.ask_token().json()
    assert renewed["access_token"] != first["access_token"]
    assert renewed["expires_in"] == 3600
    headers = {"Authorization": f"Bearer {first['access_token']}"}
    assert client.http.get(f"{sandbox.origin}/sandbox/echo", headers=headers).status_code == 200
    sandbox.advance(1)
    assert fault(client.account(headers))[0] == "900901"


def test_a_token_belongs_to_its_set_of_scopes(client):
    """In any order; another set has another token."""
    plain = client.ask_token().json()["access_token"]
    full = client.ask_token(scope="ts.mec.fullaccess ts.application.ro").json()
    assert full["access_token"] == plain
    limited = client.ask_token(scope="ts.mec.limitaccess").json()
    assert limited["access_token"] != plain
    assert limited["scope"] == " ts.mec.limitaccess"


def test_a_revoked_token_is_refused_and_the_next_request_gives_a_new_one(client):
    """As Verizon documents it."""
    headers = client.bearer()
    old = headers["Authorization"].partition(" ")[2]
    revoked = client.revoke(old)
    assert (revoked.status_code, revoked.content) == (200, b"")
    assert fault(client.account(headers))[0] == "900901"
    assert client.ask_token().json()["access_token"] != old


def test_to_revoke_an_unknown_token_is_no_error_but_no_token_is(client):
    """RFC 7009 section 2.2."""
    assert client.revoke("unknown").status_code == 200
    refused = client.revoke("")
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_request")


FORM = {"grant_type": "client_credentials", "token": "x"}
WRONG_CLIENT = ("invalid_client", "Client Authentication failed.")
NO_BASIC = ("900902", 'header: "Authorization: Basic ACCESS_TOKEN"')


@pytest.mark.parametrize("endpoint", ["token_url", "revoke_url"])
@pytest.mark.parametrize(
    ("authorization", "error"),
    [
        (b"other:the-client-secret", WRONG_CLIENT),
        (b"{id}:other", WRONG_CLIENT),
        ("Basic !!!", WRONG_CLIENT),
        (None, NO_BASIC),
        ("Bearer x", NO_BASIC),
    ],
)
def test_a_client_that_is_not_known_is_refused(client, sandbox, endpoint, authorization, error):
    """A wrong key or secret is invalid_client, and so is what is no base64; without Basic it is 900902."""
    if isinstance(authorization, bytes):
        pair = authorization.replace(b"{id}", sandbox.client_id.encode())
        authorization = f"Basic {b64encode(pair).decode()}"
    url = getattr(sandbox.environment, endpoint)
    refused = client.http.post(url, headers={"Authorization": authorization}, data=FORM)
    assert refused.status_code == 401
    told = refused.json()
    code, words = fault(refused) if "fault" in told else (told["error"], told["error_description"])
    assert code == error[0]
    assert error[1] in words


@pytest.mark.parametrize(
    ("body", "errors"),
    [
        ({"grant_type": "password"}, {"unsupported_grant_type"}),
        ({"grant_type": ""}, {"invalid_request"}),
        ({"grant_type": "client_credentials", "scope": "unheard.of"}, {"invalid_scope"}),
        *[
            (body, {"invalid_request", "unsupported_grant_type"})
            for body in (b"", b"\xff\xfe", b"grant_type=%", b"{}")
        ],
    ],
)
@pytest.mark.parametrize("query", ["", "?grant_type=client_credentials&x=%zz"])
def test_a_bad_form_is_an_oauth_error(client, sandbox, body, errors, query):
    """A grant type in the query is not read."""
    auth = (sandbox.client_id, sandbox.client_secret)
    refused = client.http.post(sandbox.environment.token_url + query, auth=auth, data=body)
    assert refused.status_code == 400
    assert refused.json()["error"] in errors


def test_5gedge_hands_out_the_same_token_and_imp_none(client, sandbox):
    """The documented URL there works; imp. has no such endpoint."""
    there = client.ask_token(origin=sandbox.edge_origin).json()["access_token"]
    assert there == client.ask_token().json()["access_token"]
    assert fault(client.ask_token(origin=sandbox.imp_origin))[0] == "900906"
