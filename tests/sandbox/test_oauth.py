"""The token and the revoke endpoint: the same token until it expires, and the errors that are documented."""

import re

from .conftest import refusal


def test_the_same_token_comes_with_the_life_that_is_left_until_it_expires(client, sandbox):
    """In Verizon's sample; one with less than a second left is not given out again, and still good."""
    answer = client.ask_token()
    first = answer.json()
    assert list(first) == ["access_token", "scope", "token_type", "expires_in"]
    assert re.fullmatch("[0-9a-f]{32}", first["access_token"])
    assert first["scope"] == " ts.application.ro ts.mec.fullaccess"
    assert (first["token_type"], first["expires_in"]) == ("Bearer", 3600)
    assert answer.headers["Cache-Control"] == "no-store"
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
    assert refusal(client.account(headers)) == (401, "900901")


def test_a_token_belongs_to_its_set_of_scopes(client, sandbox):
    """In any order; another set has another token. 5gedge. hands out the same ones."""
    plain = client.ask_token().json()["access_token"]
    full = client.ask_token(scope="ts.mec.fullaccess ts.application.ro").json()
    assert full["access_token"] == plain
    limited = client.ask_token(scope="ts.mec.limitaccess").json()
    assert limited["access_token"] != plain
    assert limited["scope"] == " ts.mec.limitaccess"
    assert client.ask_token(origin=sandbox.edge_origin).json()["access_token"] == plain


def test_a_revoked_token_is_refused_and_the_next_request_gives_a_new_one(client):
    """As Verizon documents it; an unknown token is no error (RFC 7009 section 2.2)."""
    headers = client.bearer()
    old = headers["Authorization"].partition(" ")[2]
    revoked = client.revoke(old)
    assert (revoked.status_code, revoked.content) == (200, b"")
    assert refusal(client.account(headers)) == (401, "900901")
    assert client.ask_token().json()["access_token"] != old
    assert client.revoke("unknown").status_code == 200
