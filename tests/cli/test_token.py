"""``thingspace token``, ``revoke`` and ``logout``, which share a file of tokens."""

import json
import sys

import requests

from requests_thingspace import OAuthToken


def account(sandbox, *headers):
    """The status of an API call with nothing but the given headers, as by curl."""
    pairs = dict(header.strip().split(": ", 1) for header in headers)
    url = f"{sandbox.origin}/api/m2m/v1/accounts/{sandbox.account}"
    return requests.get(url, headers=pairs, verify=sandbox.ca_file, timeout=30).status_code


def test_the_headers_are_what_curl_needs(call, sandbox):
    """Each is one line, and both are let in; as JSON a program gets the expiry and the scopes too."""
    headers = call("token", "--header").out, call("token", "--session", "--header").out
    assert account(sandbox, *headers) == 200
    assert headers[0] == f"Authorization: Bearer {call('token').out}"
    assert headers[1] == f"VZ-M2M-Token: {call('token', '--session').out}"
    token = OAuthToken.from_dict(json.loads(call("token", "--json").out))
    assert token.access_token in headers[0]
    assert (token.is_expired(), "ts.mec.fullaccess" in token.scope) == (False, True)
    assert json.loads(call("token", "--session", "--json").out)["session_token"] in headers[1]
    assert (sandbox.calls["token"], sandbox.calls["login"]) == (1, 1)


def test_a_token_needs_no_m2m_password(call, monkeypatch, sandbox):
    """A username without a password is no reason to refuse the bearer."""
    monkeypatch.delenv("THINGSPACE_PASSWORD")
    assert (call("token")[0], sandbox.calls["login"]) == (0, 0)


def test_without_the_extra_each_call_asks_and_says_so(call, monkeypatch, sandbox):
    """The token still comes, alone on stdout, and stderr tells once how to keep it; nothing is asked."""
    monkeypatch.setitem(sys.modules, "platformdirs", None)
    for calls in (1, 2):
        status, out, err = call("token")
        assert (status, len(out.split()), sandbox.calls["token"]) == (0, 1, calls)
        assert (err.count("\n"), "requests-thingspace[file]" in err) == (1, True)
    assert call("logout")[1] == "There is no M2M session to end.\n"
    assert "requests-thingspace[file]" in call("login").line
    status, out, _ = call("status", "--json")
    assert (status, "requests-thingspace[file]" in json.loads(out)["next"]) == (1, True)


def test_revoke_ends_the_token_for_everyone(call, sandbox):
    """Also where another one is stored, which was revoked elsewhere; the next token is another one."""
    stored = call("token")[1]
    sandbox.revoke_tokens()
    in_use = sandbox.auth(username=None, password=None).get_token().access_token
    assert call("revoke")[:2] == (0, "The OAuth token is revoked: whoever shared it needs a new one.\n")
    assert account(sandbox, f"Authorization: Bearer {in_use}") == 401
    assert call("token")[1] not in (stored, f"{in_use}\n")
    assert sandbox.calls["revoke"] == 1


def test_logout_ends_the_stored_session(call, sandbox):
    """It needs no login for that, neither then nor when there is none any more."""
    headers = call("token", "--header").out, call("token", "--session", "--header").out
    sandbox.fail_next("logout", status=503)
    status, out, err = call("logout")
    assert (status, out, err.count("\n"), "HTTP 503" in err) == (1, "", 1, True)
    assert call("logout")[:2] == (0, "The M2M session is ended.\n")
    assert account(sandbox, *headers) == 400
    assert call("logout")[:2] == (0, "There is no M2M session to end.\n")
    assert (sandbox.calls["login"], sandbox.calls["logout"]) == (1, 2)


def test_logout_makes_way_for_a_new_session(call, sandbox):
    """One that ThingSpace has ended already is dropped."""
    call("token", "--session")
    sandbox.end_sessions()
    assert call("logout")[:2] == (0, "The M2M session is ended.\n")
    assert account(sandbox, call("token", "--header").out, call("token", "--session", "--header").out) == 200
