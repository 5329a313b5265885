"""What a Session brings along by itself: response hooks, and the passwords of ~/.netrc."""

import pytest
import requests


def test_a_sessions_hook_sees_the_replayed_answer(sandbox, connect, account):
    """`raise_for_status` for all calls, the usual hook: a revoked token does not raise."""
    session = connect()
    session.hooks["response"] = [lambda answer, **_: answer.raise_for_status()]
    session.get(account)
    sandbox.revoke_tokens()
    sandbox.end_sessions()
    assert session.get(account).status_code == 200
    with pytest.raises(requests.HTTPError):
        session.get(f"{sandbox.origin}/sandbox/status/500")


def test_a_sessions_hook_is_not_called_for_our_calls(sandbox, connect, account):
    """It sees one answer for each API call, and never the token endpoint's or the login's."""
    session, seen = connect(), []
    session.hooks = {"response": lambda answer, **_: seen.append(answer.url)}
    session.get(account)
    sandbox.revoke_tokens()
    session.get(account)
    assert seen == [account, account]


@pytest.fixture(params=["machine 127.0.0.1", "default"])
def by_netrc(request, tmp_path, monkeypatch, connect):
    """A Session with an auth that reads a netrc with an entry that fits the sandbox."""
    path = tmp_path / "netrc"
    path.write_text(f"{request.param} login somebody password something\n")
    monkeypatch.setenv("NETRC", str(path))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    for bundle in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):  # they would win over session.verify
        monkeypatch.delenv(bundle, raising=False)
    session = connect()
    session.trust_env = True
    return session


def test_netrc_on_a_redirect_disturbs_nothing(by_netrc, sandbox, account):
    """requests puts netrc's password on the redirected request; the token takes its place again.

    Neither a call has it, nor the token call and the login, which have passwords of their own.
    """
    url = f"{sandbox.origin}/sandbox/redirect"
    assert by_netrc.get(url, params={"to": account}).status_code == 200
    assert (sandbox.calls["token"], sandbox.calls["login"]) == (1, 1)


def test_netrc_on_a_redirect_hides_no_dead_token(by_netrc, sandbox, account):
    """Both tokens died before a redirect to another covered host; what is put back first proves nothing."""
    by_netrc.get(account)
    sandbox.revoke_tokens()
    sandbox.end_sessions()
    to = f"{sandbox.imp_origin}/api/v2/clients/registration"
    sandbox.fail_next("api", status=307, headers={"Location": to})
    assert by_netrc.post(account, json={}).status_code == 200
    assert by_netrc.get(account).status_code == 200
    assert (sandbox.calls["token"], sandbox.calls["login"]) == (2, 2)
