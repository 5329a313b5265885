"""The M2M session: sliding idle time, error codes, and the lock after 5 failed logins."""

import uuid

from requests_thingspace.sandbox import Sandbox

from .conftest import Client, refusal

LOGIN_FAILED = (400, "REQUEST_FAILED.LoginFailed")
EXPIRED = (400, "REQUEST_FAILED.SessionToken.Expired")


def test_each_use_gives_a_session_its_idle_time_again(client, sandbox):
    """Twenty minutes after its last use it is over."""
    headers = client.both()
    for _ in range(3):
        sandbox.advance(1199)
        headers.update(client.bearer())
        assert client.account(headers).status_code == 200
    sandbox.advance(1200)
    headers.update(client.bearer())
    assert [refusal(client.account(headers)) for _ in range(2)] == [EXPIRED] * 2


def test_logout_ends_one_session_and_answers_with_its_token(client, sandbox):
    """Each login gives another GUID, and all are good at once; the others go on."""
    headers, other = client.both(), client.both()
    assert uuid.UUID(headers["VZ-M2M-Token"]) != uuid.UUID(other["VZ-M2M-Token"])
    url = sandbox.environment.logout_url
    answer = client.http.post(url, headers=headers)
    assert answer.status_code == 200
    assert answer.json() == {"sessionToken": headers["VZ-M2M-Token"]}
    assert refusal(client.account(headers)) == EXPIRED
    assert refusal(client.http.post(url, headers=headers)) == EXPIRED
    assert client.account(other).status_code == 200


def test_five_failures_in_a_row_lock_the_contact_even_for_the_right_password(client, sandbox):
    """A success sets the count back; another username, a bad bearer and a bad body do not count."""
    for failures in (4, 5):
        for _ in range(failures):
            assert not sandbox.locked
            assert refusal(client.ask_login(password="wrong")) == LOGIN_FAILED
            assert refusal(client.ask_login(username="nobody")) == LOGIN_FAILED
            assert client.ask_login({"Authorization": "Bearer wrong"}).status_code == 401
            assert client.ask_login(password=None).status_code == 400
        assert client.ask_login().status_code == (200 if failures < 5 else 400)
    assert sandbox.locked
    assert refusal(client.ask_login()) == (400, "REQUEST_FAILED.LoginLocked")
    sandbox.unlock()
    assert client.ask_login().status_code == 200


def test_cloud_connector_reports_a_dead_session_in_its_own_words(client, sandbox):
    """Inside another error's description."""
    url = f"{sandbox.origin}/api/cc/v1/targets/actions/query"
    headers = client.both()
    assert client.http.post(url, headers=headers, json={}).status_code == 200
    sandbox.end_sessions()
    answer = client.http.post(url, headers=headers, json={})
    assert answer.status_code == 401
    assert answer.json() == {
        "error": "unauthorized",
        "error_description": "Failure response received for UWS V1 REST accounts: [400]",
        "cause": "Requested service is unauthorized for given token",
    }


def test_a_sandbox_without_m2m_sessions_or_with_short_ones():
    """A bearer is enough, as for APIs that know no session; or they idle as long as the test asked for."""
    with Sandbox(m2m_sessions=False) as sandbox, Client(sandbox) as client:
        assert client.account(client.bearer()).status_code == 200
        assert sandbox.session().get(f"{sandbox.origin}/api/m2m/v1/accounts/{sandbox.account}").ok
        assert sandbox.calls["login"] == 0
    with Sandbox(session_idle=10) as sandbox, Client(sandbox) as client:
        headers = client.both()
        sandbox.advance(10)
        assert refusal(client.account(headers)) == EXPIRED
