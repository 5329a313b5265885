"""What a user sees, through both faces: the acceptance of the library, on a real sandbox."""

import hashlib
import io
import json
import time

import pytest
import requests

from requests_thingspace import (
    Environment,
    LoginRefusedError,
    OAuthToken,
    ThingspaceAuth,
    TokenRequestError,
    mount,
)

from .catalogue import EXPIRED, error_of
from .hostile import HostileServer, json_answer, redirect
from .threads import in_threads

BIG = bytes(range(256)) * 20_000  # 5 MB


def statuses(answers):
    """The statuses of many answers; an error stands for itself."""
    return {getattr(one, "status_code", one) for one in answers}


def calls(sandbox):
    """How many token calls and logins the sandbox has seen."""
    return {name: sandbox.calls[name] for name in ("token", "login")}


# Tokens: fetched, renewed, replaced


def test_the_first_call_brings_both_tokens(sandbox, connect, account):
    """One line and the API answers."""
    answer = connect().get(account)
    assert answer.json()["accountName"] == sandbox.account
    assert answer.history == []
    assert calls(sandbox) == {"token": 1, "login": 1}


def test_64_cold_threads_make_one_token_call(sandbox, connect, echo):
    """The sandbox sees 1 token call and 64 answers of 200."""
    session = connect(username=None, password=None)
    assert statuses(in_threads(64, lambda: session.get(echo))) == {200}
    assert calls(sandbox) == {"token": 1, "login": 0}


def test_64_threads_at_expiry_make_one_token_call(sandbox, connect, echo):
    """The hour is over for all at once."""
    session = connect(username=None, password=None)
    session.get(echo)
    sandbox.advance(3600)
    assert statuses(in_threads(64, lambda: session.get(echo))) == {200}
    assert calls(sandbox)["token"] == 2
    assert sandbox.answers["api", 401] == 0


def test_64_threads_survive_a_revocation(sandbox, connect, echo):
    """No caller sees a 401, and there is one token call."""
    session = connect(username=None, password=None)
    session.get(echo)
    sandbox.revoke_tokens()
    assert statuses(in_threads(64, lambda: session.get(echo))) == {200}
    assert calls(sandbox)["token"] == 2
    assert sandbox.answers["api", 401] > 0


def test_16_cold_threads_make_one_token_call_and_one_login(sandbox, connect, account):
    """Both tokens are needed, all answers are 200."""
    session = connect()
    assert statuses(in_threads(16, lambda: session.get(account))) == {200}
    assert calls(sandbox) == {"token": 1, "login": 1}


def test_32_threads_after_21_idle_minutes_make_one_login(sandbox, connect, account):
    """ThingSpace has ended the session; no caller sees its 400."""
    session = connect()
    session.get(account)
    sandbox.advance(21 * 60)
    assert statuses(in_threads(32, lambda: session.get(account))) == {200}
    assert calls(sandbox) == {"token": 1, "login": 2}


def test_both_tokens_dead_at_once_are_healed_on_one_request(sandbox, connect, account):
    """One token call, one login, and the caller sees a 200."""
    session = connect()
    session.get(account)
    sandbox.revoke_tokens()
    sandbox.end_sessions()
    assert session.get(account).status_code == 200
    assert calls(sandbox) == {"token": 2, "login": 2}


def test_the_last_minute_of_an_hour_costs_two_token_calls_at_most(sandbox, connect, echo):
    """ThingSpace gives the same token until it expires; past it, one more call."""
    session = connect(username=None, password=None)
    session.get(echo)
    sandbox.advance(3545)
    assert statuses(session.get(echo) for _ in range(100)) == {200}
    assert calls(sandbox)["token"] == 2
    sandbox.advance(60)
    assert statuses(session.get(echo) for _ in range(10)) == {200}
    assert calls(sandbox)["token"] == 3


def test_64_threads_fail_together_when_the_token_endpoint_hangs(sandbox, connect, echo):
    """Every call raises a RequestException within about one timeout."""
    sandbox.fail_next("token", delay=30)
    session = connect(username=None, password=None, timeout=1.0)
    started = time.monotonic()
    errors = in_threads(64, lambda: session.get(echo))
    assert time.monotonic() - started < 3
    assert all(isinstance(error, requests.Timeout) for error in errors), errors
    assert calls(sandbox)["token"] == 1


def test_a_refused_client_gets_an_error_that_says_so(sandbox, connect, echo):
    """What ThingSpace said, and what to do, without the secret."""
    session = connect(client_secret="the-client-secret-but-wrong")
    with pytest.raises(
        TokenRequestError, match=r"invalid_client.* Check client_id and client_secret"
    ) as caught:
        session.get(echo)
    assert (caught.value.status, caught.value.code, caught.value.retryable) == (401, "invalid_client", False)
    assert "the-client-secret" not in f"{caught.value!r} {caught.value.__dict__}"


def test_a_short_outage_of_the_token_endpoint_is_not_noticed(sandbox, connect, echo):
    """503 twice, then a token: the request only takes a little longer."""
    sandbox.fail_next("token", status=503, times=2)
    assert connect(username=None, password=None).get(echo).status_code == 200
    assert calls(sandbox)["token"] == 3


def test_a_resource_that_always_answers_401_costs_one_token_call_a_minute(sandbox, connect):
    """The caller gets its 401, and ThingSpace is not flooded."""
    session = connect(username=None, password=None)
    url = f"{sandbox.origin}/sandbox/status/401"
    assert statuses(session.get(url) for _ in range(20)) == {401}
    assert calls(sandbox)["token"] == 2
    assert session.get(f"{sandbox.origin}/sandbox/echo").status_code == 200


def test_a_server_that_refuses_every_session_gets_a_bounded_number_of_logins(sandbox, connect, account):
    """Each login succeeds, but does not help: the caller gets the 400."""
    session = connect()
    sandbox.fail_next("api", status=400, body=EXPIRED, times=1000)
    assert statuses(session.get(account) for _ in range(20)) == {400}
    assert calls(sandbox)["login"] == 2


def test_a_server_that_refuses_every_bearer_gets_a_bounded_number_of_token_calls(sandbox, connect, account):
    """Also when each token call brings a new token."""
    session = connect()
    session.get(account)
    sandbox.revoke_tokens()
    sandbox.fail_next("api", status=401, times=1000)
    assert statuses(session.get(account) for _ in range(20)) == {401}
    assert calls(sandbox)["token"] == 2


@pytest.mark.parametrize(
    "body",
    [
        {"errorCode": "Other.INPUT_INVALID.SessionToken.Invalid", "errorMessage": "x"},
        {"errorCode": "REQUEST_FAILED.SessionToken.Format", "errorMessage": "x"},
        {
            "error": "unauthorized",
            "error_description": "Failure response received for UWS V1 REST accounts: [400]",
            "cause": "Requested service is unauthorized for given token",
        },
    ],
    ids=["prefix", "no prefix", "wrapped"],
)
@pytest.mark.parametrize("status", [400, 401, 403])
def test_a_dead_session_is_known_by_its_code(sandbox, connect, account, status, body):
    """Whatever the service's prefix, and in Cloud Connector's wrapping; the bearer is left alone."""
    session = connect()
    session.get(account)
    sandbox.fail_next("api", status=status, body=body)
    assert session.get(account).status_code == 200
    assert calls(sandbox) == {"token": 1, "login": 2}


@pytest.mark.parametrize(
    "code", ["REQUEST_FAILED.AccountNotFound", "INPUT_INVALID.AccountName", None, ["SessionToken"]]
)
def test_another_400_goes_straight_to_the_caller(sandbox, connect, account, code):
    """Bad input and account errors cost no login."""
    session = connect()
    session.get(account)
    body = {"errorCode": code, "errorMessage": "not a word of .SessionToken. here"}
    sandbox.fail_next("api", status=400, body=body)
    answer = session.get(account)
    assert (answer.status_code, answer.json()) == (400, body)
    assert calls(sandbox) == {"token": 1, "login": 1}


@pytest.mark.parametrize("bearer", ["current", "revoked"])
def test_a_401_after_idle_time_is_the_sessions_fault(sandbox, connect, account, bearer):
    """The bearer proves to be current, or a new one does not help: the idle session is replaced."""
    session = connect()
    session.get(account)
    sandbox.advance(21 * 60)
    if bearer == "revoked":
        sandbox.revoke_tokens()
    sandbox.fail_next("api", status=401, times=1 if bearer == "current" else 2)
    assert session.get(account).status_code == 200
    assert calls(sandbox) == {"token": 2, "login": 2}


def test_a_401_within_the_idle_time_is_not(sandbox, connect, account):
    """No login is spent on it."""
    session = connect()
    session.get(account)
    sandbox.advance(10 * 60)
    session.get(account)
    sandbox.advance(15 * 60)
    sandbox.fail_next("api", status=401)
    assert session.get(account).status_code == 401
    assert calls(sandbox)["login"] == 1


# The login that must not lock the account


def test_a_wrong_password_makes_one_login_for_1000_calls(sandbox, connect, account):
    """32 threads; each caller gets an error that names the code and says how to go on."""
    session = connect(password="the-password-but-wrong")
    auth = session.auth or session.get_adapter(account).auth

    def thirty_two_calls():
        return [error_of(lambda: session.get(account)) for _ in range(32)]

    errors = [error for some in in_threads(32, thirty_two_calls) for error in some]
    assert len(errors) == 1024
    assert {type(error) for error in errors} == {LoginRefusedError}
    assert "auth.reset()" in str(errors[0])
    assert errors[-1].code in str(errors[-1])
    assert calls(sandbox)["login"] == 1
    assert not sandbox.locked
    auth.reset(password=sandbox.password)
    assert session.get(account).status_code == 200


@pytest.mark.parametrize("fault", [{"status": 500}, {"status": 200, "body": {}}, {"status": None}], ids=repr)
def test_a_login_that_goes_wrong_is_an_error_and_heals(sandbox, connect, account, fault):
    """In time, with one login, and the next call after the cool-down is fine."""
    sandbox.fail_next("login", **fault)
    session = connect(timeout=1.0)
    error = error_of(lambda: session.get(account))
    assert isinstance(error, requests.RequestException)
    assert "the-password" not in f"{error!r}"
    assert calls(sandbox)["login"] == 1
    sandbox.advance(2)
    assert session.get(account).status_code == 200


def test_while_a_login_is_unanswered_no_other_is_sent(sandbox, connect, account):
    """Its answer is waited for, for a minute, and then the next one waits a little."""
    sandbox.fail_next("login", status=200, delay=30)
    session = connect(timeout=0.2)
    for _ in range(3):
        assert isinstance(error_of(lambda: session.get(account)), requests.Timeout)
        sandbox.advance(10)
    sandbox.advance(60)
    assert "had no answer" in str(error_of(lambda: session.get(account)))
    assert calls(sandbox)["login"] == 1
    sandbox.advance(2)
    assert session.get(account).status_code == 200
    assert calls(sandbox)["login"] == 2


# Bodies and streams


def test_an_upload_arrives_whole_and_once(sandbox, connect, echo, tmp_path):
    """A 5 MB file whose token was revoked on the way."""
    session = connect()
    session.get(echo)
    sandbox.revoke_tokens()
    path = tmp_path / "upload"
    path.write_bytes(b"skipped" + BIG)
    with path.open("rb") as file:
        file.seek(len(b"skipped"))
        answer = session.put(echo, data=file)
    assert answer.json()["sha256"] == hashlib.sha256(BIG).hexdigest()
    assert sandbox.answers["api", 401] == 1


@pytest.mark.parametrize("body", [b"bytes", "text", {"a": "form"}, bytearray(b"array")], ids=repr)
def test_a_body_in_memory_is_sent_again(sandbox, connect, echo, body):
    """Whatever kind it is of."""
    session = connect()
    before = session.post(echo, data=body).json()
    sandbox.revoke_tokens()
    assert session.post(echo, data=body).json() == before


def test_files_and_json_are_sent_again(sandbox, connect, echo):
    """Multipart and JSON bodies are in memory when they are sent."""
    session = connect()
    session.get(echo)
    sandbox.revoke_tokens()
    assert session.post(echo, files={"f": io.BytesIO(BIG)}).json()["length"] > len(BIG)
    sandbox.revoke_tokens()
    assert session.post(echo, json={"a": 1}).json()["length"] == len(json.dumps({"a": 1}))


@pytest.mark.parametrize("kind", ["generator", "closed file"])
def test_a_body_that_cannot_be_rewound_is_not_sent_again(sandbox, connect, echo, kind, tmp_path):
    """The caller gets the 401, and the next call succeeds."""
    session = connect()
    session.get(echo)
    sandbox.revoke_tokens()
    path = tmp_path / "upload"
    path.write_bytes(b"abc")
    with path.open("rb") as file:
        body = (piece for piece in [b"a", b"b"]) if kind == "generator" else _ClosesAtItsEnd(file)
        assert session.post(echo, data=body).status_code == 401
    assert sandbox.answers["api", 401] == 1
    assert session.post(echo, data=b"abc").json()["length"] == 3


class _ClosesAtItsEnd:
    """A file that is closed once it was read to its end."""

    def __init__(self, file):
        self._file = file
        self.tell = file.tell
        self.seek = file.seek

    def __iter__(self):
        return iter(self._file)

    def __len__(self):
        return 3

    def read(self, size=-1):
        piece = self._file.read(size)
        if not piece or size == -1:
            self._file.close()
        return piece


def test_a_streamed_download_is_healed_without_being_read(sandbox, connect):
    """The body is the caller's."""
    session = connect()
    url = f"{sandbox.origin}/sandbox/bytes?n=1000000"
    session.get(f"{sandbox.origin}/sandbox/echo")
    sandbox.revoke_tokens()
    with session.get(url, stream=True) as answer:
        assert answer.status_code == 200
        assert not answer._content_consumed
        assert sum(len(piece) for piece in answer.iter_content(10_000)) == 1_000_000


def test_a_streamed_400_is_not_read(sandbox, connect, account):
    """It goes to the caller as it came; the next call that is no stream logs in again."""
    session = connect()
    session.get(account)
    sandbox.end_sessions()
    with session.get(account, stream=True) as answer:
        assert answer.status_code == 400
        assert not answer._content_consumed
        assert b"SessionToken" in answer.raw.read()
    assert calls(sandbox)["login"] == 1
    assert session.get(account).status_code == 200


# requests as usual


def test_a_users_hook_sees_the_healed_answer(sandbox, connect, echo):
    """Once, with the status that the caller gets, and the elapsed time of what was sent."""
    session, seen = connect(), []
    session.get(echo)
    sandbox.revoke_tokens()
    hooks = {"response": lambda answer, **_: seen.append(answer.status_code)}
    answer = session.get(echo, hooks=hooks)
    assert seen == [200]
    assert answer.elapsed.total_seconds() > 0


@pytest.mark.parametrize("status", [204, 304, 400, 403, 404, 409, 429, 500, 503])
def test_every_other_answer_goes_to_the_caller_as_it_came(sandbox, connect, status):
    """It costs no call of ours, whatever went wrong there."""
    session = connect()
    assert session.get(f"{sandbox.origin}/sandbox/status/{status}").status_code == status
    assert calls(sandbox) == {"token": 1, "login": 1}
    assert sandbox.calls["api"] == 1


def test_cookies_redirects_and_history_are_those_of_a_plain_session(sandbox, connect, echo):
    """A healed call looks like one that was right from the start."""
    session = connect()
    session.get(echo)
    sandbox.fail_next("api", status=200, headers={"Set-Cookie": "route=1; Path=/"})
    session.get(echo)
    sandbox.revoke_tokens()
    answer = session.get(f"{sandbox.origin}/sandbox/redirect", params={"to": echo})
    assert answer.status_code == 200
    assert [one.status_code for one in answer.history] == [302]
    assert session.cookies.get_dict() == {"route": "1"}


def test_a_redirect_that_is_not_followed_is_given_back(sandbox, connect, echo):
    """`allow_redirects=False` and `Response.next` work as ever."""
    answer = connect().get(f"{sandbox.origin}/sandbox/redirect", params={"to": echo}, allow_redirects=False)
    assert (answer.status_code, answer.next.url) == (302, echo)


@pytest.mark.parametrize("status", [302, 307])
def test_a_redirect_to_another_covered_origin_arrives(sandbox, connect, status):
    """The next origin gets the tokens under its own names."""
    session = connect()
    to = f"{sandbox.edge_origin}/api/mec/eds/serviceendpoints"
    answer = session.get(f"{sandbox.origin}/sandbox/redirect", params={"to": to, "status": status})
    assert answer.status_code == 200
    assert calls(sandbox) == {"token": 1, "login": 1}


def test_a_redirect_does_not_hide_a_dead_token(sandbox, connect, echo):
    """The bearer that the redirect lost is put back, found to be dead, and replaced: no caller sees a 401."""
    session = connect()
    session.get(echo)
    sandbox.revoke_tokens()
    to = f"{sandbox.edge_origin}/sandbox/echo"
    sandbox.fail_next("api", status=302, headers={"Location": to})
    assert session.get(echo).status_code == 200
    assert calls(sandbox)["token"] == 2


def test_imp_gets_the_session_under_its_own_name(sandbox, connect):
    """`SessionToken` there, `VZ-M2M-Token` elsewhere."""
    url = f"{sandbox.imp_origin}/api/v2/clients/registration"
    answer = connect().post(url, json={})
    assert answer.status_code == 200
    assert "SessionToken" in answer.request.headers
    assert "VZ-M2M-Token" not in answer.request.headers


def test_a_prepared_request_can_be_sent_again_and_again(sandbox, connect, echo):
    """By hand, on the same Session, before and after a revocation."""
    session = connect()
    prepared = session.prepare_request(requests.Request("POST", echo, data=b"abc"))
    for _ in range(2):
        assert session.send(prepared).json()["length"] == 3
        sandbox.revoke_tokens()
    assert session.send(prepared).status_code == 200


def test_stale_headers_of_a_script_are_replaced(sandbox, connect, echo):
    """An Authorization that a script still sets gives way, as it does to any auth of requests."""
    headers = {"Authorization": "Bearer stale"}
    assert connect().get(echo, headers=headers).status_code == 200
    assert sandbox.answers["api", 401] == 0


def test_a_session_header_of_the_caller_is_left_alone(sandbox, connect, account, auth):
    """It is sent as it is, and its refusal is the caller's to see."""
    session = connect()
    answer = session.get(account, headers={"VZ-M2M-Token": "the caller's"})
    assert (answer.status_code, answer.request.headers["VZ-M2M-Token"]) == (400, "the caller's")
    assert calls(sandbox)["login"] == 0


def test_without_a_username_no_session_header_is_sent(sandbox, connect, echo):
    """Nothing changes for users of the bearer alone."""
    answer = connect(username=None, password=None).get(echo)
    assert "vz-m2m-token" not in answer.json()["headers"]


def test_a_preset_session_token_is_used(sandbox, connect, account, auth):
    """And replaced when it dies, if there are credentials."""
    first = auth()
    preset = first.get_session_token()
    session = connect(session_token=preset.session_token)
    assert session.get(account).status_code == 200
    assert calls(sandbox)["login"] == 1
    sandbox.end_sessions()
    assert session.get(account).status_code == 200
    assert calls(sandbox)["login"] == 2


def test_a_preset_session_token_without_credentials_dies_with_its_400(sandbox, connect, account, auth):
    """There is nobody to log in."""
    preset = auth().get_session_token()
    session = connect(username=None, password=None, session_token=preset)
    assert session.get(account).status_code == 200
    sandbox.end_sessions()
    assert session.get(account).status_code == 400
    assert calls(sandbox)["login"] == 1


def test_a_preset_token_saves_the_token_call(sandbox, connect, echo, auth):
    """Also one of a requests-oauthlib dict."""
    token = auth().get_token()
    session = connect(token={**token.to_dict(), "expires_in": 1})
    assert session.get(echo).status_code == 200
    assert calls(sandbox)["token"] == 1


def test_two_clients_on_one_session_never_share(sandbox, connect, echo, auth, account):
    """An `auth=` of one call wins over what the Session carries."""
    session, other = connect(), auth(token=OAuthToken("somebody-else"), username=None, password=None)
    mine = session.get(echo).request.headers["Authorization"]
    sandbox.fail_next("token", status=503, times=3)
    with pytest.raises(TokenRequestError):
        session.get(echo, auth=other)
    assert session.get(echo).request.headers["Authorization"] == mine


def test_both_faces_on_one_session_do_no_harm(sandbox, connect, account, auth):
    """One stamp and one replay."""
    session = connect()
    inner = session.auth or session.get_adapter(account).auth
    session.auth = inner
    mount(session, inner)
    session.get(account)
    sandbox.revoke_tokens()
    sandbox.end_sessions()
    assert session.get(account).status_code == 200
    assert calls(sandbox) == {"token": 2, "login": 2}
    assert sandbox.calls["api"] == 1 + 3


# Nobody else hears of a token


def test_another_host_gets_nothing_and_causes_nothing(sandbox, connect):
    """A Session with this auth that visits it: no token, no token call."""
    session = connect()
    with HostileServer() as elsewhere:
        elsewhere.script("/x", json_answer(401, {}))
        assert session.get(f"{elsewhere.origin}/x", verify=elsewhere.ca_file).status_code == 401
        assert elsewhere.count() == 1
        _assert_no_token(elsewhere)
    assert calls(sandbox) == {"token": 0, "login": 0}


def test_https_to_http_carries_no_token(sandbox, connect):
    """A redirect to plain http, on the very same host."""
    session = connect()
    with HostileServer(tls=False) as elsewhere:
        elsewhere.script("/x", json_answer(200, {}))
        session.get(f"{sandbox.origin}/sandbox/redirect", params={"to": f"{elsewhere.origin}/x"})
        assert elsewhere.count() == 1
        _assert_no_token(elsewhere)


@pytest.mark.parametrize("url", ["{userinfo}", "{name}"])
def test_look_alikes_are_not_covered(sandbox, connect, url):
    """Userinfo in front of the host, or another name of the same machine: no token is sent."""
    port = sandbox.origin.rsplit(":", 1)[1]
    host = sandbox.origin.split("//")[1].split(":")[0]
    other = "localhost" if host == "127.0.0.1" else "127.0.0.1"
    url = url.format(userinfo=f"https://user:pw@{host}:{port}", name=f"https://{other}:{port}")
    session = connect()
    assert session.get(f"{url}/sandbox/echo").status_code == 401
    assert calls(sandbox) == {"token": 0, "login": 0}


# The way that token calls take


def _assert_no_token(server):
    """No request that `server` got carried a token in any header."""
    for request in server.requests:
        names = {name.lower() for name in request.headers}
        assert not names & {"authorization", "vz-m2m-token", "sessiontoken"}, request


def test_the_environment_may_be_any_loopback_origin(attach):
    """A ThingSpace of one's own, by plain http on this machine."""
    with HostileServer(tls=False) as server:
        environment = Environment.at(server.origin)
        server.script("/api/ts/v1/oauth2/token", json_answer(200, {"access_token": "abc", "expires_in": 9}))
        server.script("/api/x", redirect(302, "/api/y"))
        server.script("/api/y", json_answer(200, {}))
        session = attach(
            requests.Session(), ThingspaceAuth("id", "the-client-secret", environment=environment)
        )
        assert session.get(f"{server.origin}/api/x").status_code == 200
        session.close()
