"""What a user sees, through both faces: the acceptance of the library, on a real sandbox."""

import base64
import hashlib
import io
import itertools
import time

import pytest
import requests

from requests_thingspace import LoginRefusedError, OAuthToken, TokenRequestError, mount

from .catalogue import EXPIRED, error_of
from .threads import in_threads

BEARER_ONLY = {"username": None, "password": None}


def statuses(answers):
    return {getattr(one, "status_code", one) for one in answers}


def end_both(sandbox):
    sandbox.revoke_tokens()
    sandbox.end_sessions()


RENEWALS = {
    "cold": (None, (1, 1)),
    "expired": (lambda sandbox: sandbox.advance(3600), (2, 2)),
    "idle": (lambda sandbox: sandbox.advance(21 * 60), (1, 2)),
    "both dead": (end_both, (2, 2)),
}


@pytest.mark.parametrize("name", RENEWALS)
def test_64_threads_share_one_renewal(sandbox, connect, account, spent, name):
    """Each token that is missing or dead is asked for once, and no caller sees a refusal."""
    session, (happens, expected) = connect(), RENEWALS[name]
    if happens is not None:
        session.get(account)
        happens(sandbox)
    assert statuses(in_threads(64, lambda: session.get(account))) == {200}
    assert spent() == expected
    assert (sandbox.answers["api", 401] > 0) == (happens is end_both)


def test_64_threads_fail_together_when_the_token_endpoint_hangs(sandbox, connect, echo, spent):
    """Each call raises an error of its own within about one timeout."""
    sandbox.fail_next("token", delay=30)
    session = connect(timeout=1.0)
    started = time.monotonic()
    errors = in_threads(64, lambda: session.get(echo))
    assert time.monotonic() - started < 10  # one after the other they would take a minute
    assert all(isinstance(error, requests.Timeout) for error in errors), errors
    assert len({id(error) for error in errors}) == 64
    assert spent() == (1, 0)


def test_a_bearer_that_is_always_refused_costs_one_token_call_a_minute(sandbox, connect, echo, spent):
    """And other resources can be had with it."""
    session = connect(**BEARER_ONLY)
    for minute in range(3):
        assert statuses(session.get(f"{sandbox.origin}/sandbox/status/401") for _ in range(20)) == {401}
        assert spent() == (2 + minute, 0)
        sandbox.advance(60)
    assert session.get(echo).status_code == 200


def test_a_new_bearer_that_is_refused_and_revoked_is_replaced_soon(sandbox, connect, echo, spent):
    """Its replay was refused, which may be the fault of the call: it is tested again after the cool-down."""
    session = connect(**BEARER_ONLY)
    assert session.get(echo).status_code == 200
    for _ in range(2):
        sandbox.revoke_tokens()
        sandbox.fail_next("api", status=401, times=2)
        assert session.get(echo).status_code == 401
        sandbox.revoke_tokens()
        assert session.get(echo).status_code == 401
        sandbox.advance(2)
        assert session.get(echo).status_code == 200


WRAPPED = {"error": "x", "error_description": "Failure response received for UWS V1 REST accounts: [400]"}


def test_a_dead_session_is_known_by_its_code(sandbox, warm, account, spent):
    """Whatever the status; the bearer is left alone, and one that is always refused costs one login."""
    session, _ = warm()
    for logins, (status, body) in enumerate(itertools.product((400, 401, 403), (EXPIRED, WRAPPED)), 2):
        sandbox.fail_next("api", status=status, body=body)
        assert session.get(account).status_code == 200
        assert spent() == (1, logins), (status, body)
    sandbox.fail_next("api", times=1000, status=400, body=EXPIRED)
    assert statuses(session.get(account) for _ in range(20)) == {400}
    assert spent() == (1, logins + 1)


IDLE = [((21,), False, 200), ((21,), True, 200), ((10, 15), False, 401)]


@pytest.mark.parametrize(("minutes", "revoked", "status"), IDLE)
def test_a_401_after_idle_time_is_the_sessions_fault(sandbox, warm, account, spent, minutes, revoked, status):
    """A current or a new bearer does not help, so the idle session is replaced; but not within 20 minutes."""
    session, _ = warm()
    for minute in minutes:
        session.get(account)
        sandbox.advance(minute * 60)
    if revoked:
        sandbox.revoke_tokens()
    sandbox.fail_next("api", status=401, times=1 + revoked)
    assert session.get(account).status_code == status
    assert spent() == (2, 2 if status == 200 else 1)


def test_every_other_answer_goes_to_the_caller_as_it_came(sandbox, connect, spent):
    """It costs no call of ours, whatever went wrong there."""
    session, given = connect(), [204, 304, 400, 403, 404, 409, 429, 500, 503]
    assert [session.get(f"{sandbox.origin}/sandbox/status/{status}").status_code for status in given] == given
    assert (spent(), sandbox.calls["api"]) == ((1, 1), len(given))


def test_a_wrong_password_makes_one_login_for_1000_calls(sandbox, warm, account):
    """32 threads; each caller gets an error that names the code and says how to go on."""
    session, auth = warm()
    auth.reset(password="the-password-but-wrong")

    def thirty_two_calls():
        return [error_of(lambda: session.get(account)) for _ in range(32)]

    errors = [error for some in in_threads(32, thirty_two_calls) for error in some]
    assert {type(error) for error in errors} == {LoginRefusedError}
    assert len(errors) == 1024
    assert "auth.reset()" in str(errors[0])
    assert errors[-1].code in str(errors[-1])
    assert sandbox.calls["login"] == 1 + 1
    assert not sandbox.locked
    auth.reset(password=sandbox.password)
    assert session.get(account).status_code == 200


def test_while_a_login_is_unanswered_no_other_is_sent(sandbox, connect, account):
    """Its answer is waited for, for a minute, and then the next one waits a little."""
    sandbox.fail_next("login", status=200, delay=30)
    session = connect(timeout=0.5)
    for _ in range(2):
        assert isinstance(error_of(lambda: session.get(account)), requests.Timeout)
        sandbox.advance(10)
    sandbox.advance(60)
    assert "had no answer" in str(error_of(lambda: session.get(account)))
    assert sandbox.calls["login"] == 1
    sandbox.advance(2)
    assert session.get(account).status_code == 200
    assert sandbox.calls["login"] == 2


def test_a_late_answer_that_is_no_refusal_costs_no_other_call(sandbox, connect, account):
    """The caller of the login has gone; whoever comes next logs in, and does not hear of its 503."""
    sandbox.fail_next("login", status=503, delay=0.6)
    session = connect(timeout=0.5)
    error_of(lambda: session.get(account))
    sandbox.advance(3)
    assert session.get(account).status_code == 200
    assert sandbox.calls["login"] == 2


def test_a_body_in_memory_is_sent_again(sandbox, connect, echo):
    """Whatever kind it is of."""
    session = connect()
    bodies = [{"data": data} for data in (b"bytes", "text", {"a": "form"}, bytearray(b"array"))]
    for refused, body in enumerate([*bodies, {"json": {"a": 1}}, {"files": {"f": b"a file"}}], 1):
        before = session.post(echo, **body).json()["length"]
        sandbox.revoke_tokens()
        assert session.post(echo, **body).json()["length"] == before
        assert sandbox.answers["api", 401] == refused


def test_an_upload_arrives_whole_and_once(sandbox, warm, echo):
    """5 MB of a file that was read in part before, and whose token was revoked on the way."""
    session, _ = warm()
    sandbox.revoke_tokens()
    big = bytes(range(256)) * 20_000
    file = io.BytesIO(b"skipped" + big)
    file.seek(len(b"skipped"))
    answer = session.put(echo, data=file)
    assert answer.json()["sha256"] == hashlib.sha256(big).hexdigest()
    assert answer.elapsed.total_seconds() > 0
    assert sandbox.answers["api", 401] == 1


class ClosesAtItsEnd(io.BytesIO):
    def read(self, size=-1):
        piece = super().read(size)
        if not piece:
            self.close()
        return piece


def test_a_body_that_cannot_be_rewound_is_not_sent_again(sandbox, warm, echo):
    """The caller gets the 401, and the next call succeeds."""
    session, _ = warm()
    for body in (iter([b"a", b"b"]), ClosesAtItsEnd(b"abc")):
        sandbox.revoke_tokens()
        assert session.post(echo, data=body).status_code == 401
        assert session.post(echo, data=b"abc").json()["length"] == 3
    assert sandbox.answers["api", 401] == 2


def test_a_streamed_download_is_replayed_without_being_read(sandbox, warm, account):
    """Its body is the caller's, that of a 400 too; the next call that is no stream logs in again."""
    session, _ = warm()
    sandbox.revoke_tokens()
    with session.get(f"{sandbox.origin}/sandbox/bytes?n=1000000", stream=True) as answer:
        assert (answer.status_code, answer._content_consumed) == (200, False)
        assert sum(len(piece) for piece in answer.iter_content(10_000)) == 1_000_000
    sandbox.end_sessions()
    with session.get(account, stream=True) as answer:
        assert (answer.status_code, answer._content_consumed) == (400, False)
        assert b"SessionToken" in answer.raw.read()
    assert sandbox.calls["login"] == 1
    assert session.get(account).status_code == 200


def test_cookies_redirects_and_history_are_those_of_a_plain_session(sandbox, warm, echo):
    """A replayed call looks like one that was right from the start."""
    session, _ = warm()
    sandbox.fail_next("api", status=200, headers={"Set-Cookie": "route=1; Path=/"})
    assert session.get(echo).history == []
    sandbox.revoke_tokens()
    answer = session.get(f"{sandbox.origin}/sandbox/redirect", params={"to": echo})
    assert answer.status_code == 200
    assert [one.status_code for one in answer.history] == [302]
    assert session.cookies.get_dict() == {"route": "1"}


def test_a_bearer_of_the_caller_is_replaced_and_a_session_header_left_alone(sandbox, connect, account):
    """As any auth of requests does with an Authorization; the refusal of the other is the caller's to see."""
    headers = {"Authorization": "Bearer stale", "VZ-M2M-Token": "the caller's"}
    answer = connect().get(account, headers=headers)
    assert (answer.status_code, answer.request.headers["VZ-M2M-Token"]) == (400, "the caller's")
    assert (sandbox.calls["login"], sandbox.answers["api", 401]) == (0, 0)


def test_two_clients_on_one_session_never_share(sandbox, connect, echo, auth):
    """An `auth=` of one call wins over what the Session carries."""
    session, other = connect(), auth(token=OAuthToken("somebody-else"), **BEARER_ONLY)
    mine = session.get(echo).request.headers["Authorization"]
    sandbox.fail_next("token", status=503, times=3)
    assert isinstance(error_of(lambda: session.get(echo, auth=other)), TokenRequestError)
    assert session.get(echo).request.headers["Authorization"] == mine


def test_both_faces_on_one_session_do_no_harm(sandbox, connect, account, spent):
    """One stamp and one replay."""
    session = connect()
    session.auth = session.auth or session.get_adapter(account).auth
    mount(session, session.auth).get(account)
    end_both(sandbox)
    assert session.get(account).status_code == 200
    assert spent() == (2, 2)
    assert sandbox.calls["api"] == 1 + 3


def test_a_scripts_own_token_calls_are_the_scripts(sandbox, connect):
    """Verizon documents 5gedge's endpoint too: a 401 is neither replayed nor a reason for a call of ours."""
    session, form = connect(), {"grant_type": "client_credentials"}
    token_url, revoke_url = (f"{sandbox.edge_origin}/api/ts/v1/oauth2/{end}" for end in ("token", "revoke"))
    pair = f"{sandbox.client_id}:{sandbox.client_secret}"
    headers = {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}
    found = session.post(token_url, data=form, headers=headers)
    assert (found.status_code, found.json()["token_type"]) == (200, "Bearer")
    form["token"] = found.json()["access_token"]
    assert session.post(revoke_url, data=form, headers=headers).status_code == 200
    headers["Authorization"] = "Basic aXQ6aXM="
    assert session.post(token_url, data=form, headers=headers).status_code == 401
    assert sandbox.answers == {("token", 200): 1, ("revoke", 200): 1, ("token", 401): 1}
