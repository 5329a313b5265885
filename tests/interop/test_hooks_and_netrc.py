"""What a Session brings along by itself: response hooks, and the passwords of ~/.netrc."""

import pytest
import requests


def test_a_sessions_hooks_see_the_replayed_answer_and_no_call_of_ours(sandbox, connect, account):
    """`raise_for_status`, the usual hook, does not raise for a revoked token."""
    session, seen = connect(), []
    hooks = [lambda answer, **_: answer.raise_for_status(), lambda answer, **_: seen.append(answer.url)]
    session.hooks = {"response": hooks}
    session.get(account)
    sandbox.revoke_tokens()
    sandbox.end_sessions()
    assert session.get(account).status_code == 200
    assert seen == [account, account]
    with pytest.raises(requests.HTTPError):
        session.get(f"{sandbox.origin}/sandbox/status/500")


@pytest.mark.parametrize("entry", ["machine 127.0.0.1", "default"])
def test_netrc_on_a_redirect_hides_no_dead_token(
    sandbox, connect, account, tmp_path, monkeypatch, spent, entry
):
    """requests puts its password on the redirected request alone, where a token, dead or not, replaces it."""
    path = tmp_path / "netrc"
    path.write_text(f"{entry} login somebody password something\n")
    monkeypatch.setenv("NETRC", str(path))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    for bundle in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):  # they would win over session.verify
        monkeypatch.delenv(bundle, raising=False)
    session = connect()
    session.trust_env = True
    assert session.get(f"{sandbox.origin}/sandbox/redirect", params={"to": account}).status_code == 200
    assert spent() == (1, 1)
    sandbox.revoke_tokens()
    sandbox.end_sessions()
    to = f"{sandbox.imp_origin}/api/v2/clients/registration"
    sandbox.fail_next("api", status=307, headers={"Location": to})
    assert session.post(account, json={}).status_code == 200
    assert session.get(account).status_code == 200
    assert spent() == (2, 2)
