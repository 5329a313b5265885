"""The answers to a script's own calls, without a process of its own."""

import json
import pickle
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from requests_thingspace import OAuthToken, ThingspaceAuth
from requests_thingspace.cli._own_calls import Call, OwnCalls

from ..secrets_in import frames, leaks


def post(path, **arguments):
    return requests.Request("POST", f"https://thingspace.verizon.com/api{path}", **arguments).prepare()


GRANT, KEY = {"grant_type": "client_credentials"}, ("key", "the-client-secret")
TOKEN = post("/ts/v1/oauth2/token", data=GRANT, auth=KEY)
ANOTHERS = post("/ts/v1/oauth2/token", data=GRANT, auth=("other", "one"))
LOGIN = post("/m2m/v1/session/login", json={"username": "u", "password": "the-password"})
REFUSAL = {"errorCode": "X.REQUEST_FAILED.LoginFailed", "errorMessage": "no"}


def new_auth(**arguments):
    ours = {"client_id": "key", "client_secret": "the-client-secret", "token": {"access_token": "ours"}}
    return ThingspaceAuth(**{**ours, **arguments})


def ask(calls, request, status=200, document=None, renew=lambda _: None):
    """What becomes of a call that ThingSpace would answer so, and how often it was sent."""
    sent = []

    def send():
        sent.append(1)
        response = requests.Response()
        response.status_code = status
        response._content = document if isinstance(document, bytes) else json.dumps(document).encode()
        return response

    return calls.answer(Call(request, send, renew)), len(sent)


def fail(*_):
    raise requests.ConnectionError


@pytest.mark.parametrize("kind", ["text", "file", "function", "not there"])
def test_a_secret_is_compared_wherever_it_comes_from(tmp_path, kind):
    """Files and functions are asked each time; one that is not available equals nothing."""
    (tmp_path / "file").write_text("the-client-secret\n")
    secret = {"text": "the-client-secret", "function": lambda: "the-client-secret"}.get(kind, tmp_path / kind)
    calls, its_own = OwnCalls(new_auth(client_secret=secret)), {"access_token": "its-own"}
    answer, sent = ask(calls, TOKEN, document=its_own)
    expected = ("its-own", 1) if kind == "not there" else ("ours", 0)
    assert (answer.json()["access_token"], sent) == expected


def test_a_path_may_begin_with_two_slashes():
    """A base URL that ends with one gives such a path; requests sends one slash."""
    doubled = TOKEN.copy()
    doubled.url = doubled.url.replace(".com/", ".com//")
    answer, sent = ask(OwnCalls(new_auth()), doubled)
    assert (answer.json()["access_token"], sent) == ("ours", 0)


@pytest.mark.parametrize(("life", "told"), [(None, 3600), (100.5, 100), (-5, 1)])
def test_a_script_is_told_what_is_left_of_the_life(life, told):
    """Seconds as ThingSpace says them: a whole number that is not zero."""
    expires_at = None if life is None else time.time() + life
    auth = new_auth(token=OAuthToken("ours", expires_at=expires_at, scope=("read",)))
    answer, _ = ask(OwnCalls(auth), TOKEN)
    assert json.loads(b"".join(answer.iter_content(10))) == {
        "access_token": "ours",
        "scope": " read",
        "token_type": "Bearer",
        "expires_in": pytest.approx(told, abs=1),
    }


def test_the_tokens_of_another_key_are_told_of_once_and_known_again(capsys):
    """Only so many are remembered, and none of them is kept as it is."""
    calls = OwnCalls(new_auth())
    for number in range(1002):
        ask(calls, ANOTHERS, document={"access_token": f"token-{number}"})
    assert not calls.is_anothers("token-0")
    assert calls.is_anothers("token-1001")
    assert pickle.loads(pickle.dumps(calls)).is_anothers(b"token-1001")
    told = capsys.readouterr().err
    assert told.startswith("thingspace: the script has another key")
    assert told.count("\n") == 1


@pytest.mark.parametrize("body", [b"{", b"[]", b"null", b"[" * 100_000])
def test_an_answer_for_another_key_that_is_not_one_is_handed_on(body):
    """Whatever it is."""
    answer, sent = ask(OwnCalls(new_auth()), ANOTHERS, document=body)
    assert (answer.content, sent) == (body, 1)


@pytest.mark.parametrize(
    ("status", "document", "logins"),
    [
        (400, REFUSAL, 1),
        (401, REFUSAL, 1),
        (403, {"message": "no"}, 1),
        (401, {"fault": {"code": "900901"}}, 8),
        (400, {"fault": {"code": "900906"}}, 8),
        (503, REFUSAL, 8),
        (400, b"<html>", 8),
        (400, ["no"], 8),
        (200, {"sessionToken": "its-own"}, 8),
    ],
)
def test_only_a_refusal_of_the_platform_is_remembered(status, document, logins):
    """Without a cache too, by all threads and children; the gateway and a failing server are asked again."""
    calls = OwnCalls(new_auth())
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: ask(calls, LOGIN, status, document), range(8)))
    assert {answer.status_code for answer, _ in answers} == {status}
    assert sum(sent for _, sent in answers) == logins
    again = ask(pickle.loads(pickle.dumps(calls)), LOGIN, status, document)
    assert (again[0].status_code, again[1]) == (status, int(logins > 1))


@pytest.mark.parametrize(("document", "held"), [(b"<html>", None), ({"sessionToken": "its-own"}, "its-own")])
def test_the_scripts_session_becomes_ours_where_our_login_fails(document, held):
    """As the token does; an answer that holds none changes nothing."""
    auth = new_auth(username="u", password="the-password")
    ask(OwnCalls(auth), LOGIN, document=document, renew=fail)
    assert (auth.session_token and auth.session_token.session_token) == held


class Broken:
    """A cache that is out of order."""

    clear = __call__ = fail


@pytest.mark.parametrize(
    ("token", "status", "held"), [("ours", 200, None), ("another", 200, "ours"), ("ours", 503, "ours")]
)
def test_a_revocation_forgets_the_token_that_it_is_about(token, status, held):
    """It is sent in any case; a cache that is out of order is told of elsewhere."""
    auth = new_auth(cache=Broken())
    revocation = post("/ts/v1/oauth2/revoke", data={**GRANT, "token": token}, auth=KEY)
    answer, sent = ask(OwnCalls(auth), revocation, status, b"")
    assert (answer.status_code, sent) == (status, 1)
    assert (auth.token and auth.token.access_token) == held


@pytest.mark.parametrize("call", [TOKEN, LOGIN], ids=["token", "login"])
@pytest.mark.parametrize("client_id", ["key", "other"])
def test_no_frame_that_waits_holds_a_secret(call, client_id):
    """Crash reporters send what the frames of a failure hold."""
    auth = new_auth(client_id=client_id, username="u", password="the-password", token=None)
    with pytest.raises(requests.ConnectionError) as raised:
        OwnCalls(auth).answer(Call(call, fail, fail))
    found = list(frames(raised.value))
    assert len(found) >= 2
    assert not [leak for frame in found for leak in leaks(frame, {"the-client-secret", "the-password"})]
