"""The answers to a script's own calls, without a process of its own."""

from __future__ import annotations

import json
import pickle
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from requests_thingspace import OAuthToken, ThingspaceAuth
from requests_thingspace.cli._own_calls import Call, OwnCalls

HOST = "https://thingspace.verizon.com"
GRANT = {"grant_type": "client_credentials"}
TOKEN = "/ts/v1/oauth2/token", {"data": GRANT, "auth": ("key", "the-client-secret")}
ANOTHERS = "/ts/v1/oauth2/token", {"data": GRANT, "auth": ("other", "one")}
LOGIN = "/m2m/v1/session/login", {"json": {"username": "u", "password": "the-password"}}


def new_auth(**arguments):
    """An auth that holds a token."""
    settings = {"client_secret": "the-client-secret", "token": {"access_token": "ours"}, **arguments}
    return ThingspaceAuth("key", settings.pop("client_secret"), **settings)


def post(path, arguments):
    """A request of the script's."""
    return requests.Request("POST", f"{HOST}/api{path}", **arguments).prepare()


def revoke(token):
    """The script's revocation of a token."""
    return post("/ts/v1/oauth2/revoke", {**TOKEN[1], "data": {**GRANT, "token": token}})


def answered(status, document):
    """A function that sends, and what is sent by it."""
    sent = []

    def send():
        sent.append(1)
        response = requests.Response()
        response.status_code = status
        response._content = document if isinstance(document, bytes) else json.dumps(document).encode()
        return response

    return send, sent


def token_of(calls):
    """The token that a script gets, and how often something was sent for it."""
    send, sent = answered(200, {"access_token": "its-own"})
    return calls.answer(Call(post(*TOKEN), send, lambda _: None)).json()["access_token"], len(sent)


@pytest.mark.parametrize("kind", ["text", "file", "function"])
def test_a_secret_is_compared_wherever_it_comes_from(tmp_path, kind):
    """Files and functions are asked each time."""
    file = tmp_path / "secret"
    file.write_text("the-client-secret\n")
    secret = {"text": "the-client-secret", "file": file, "function": file.read_text().strip().__str__}[kind]
    assert token_of(OwnCalls(new_auth(client_secret=secret))) == ("ours", 0)


def test_a_secret_that_is_not_available_equals_nothing(tmp_path):
    """The script's own call is sent."""
    assert token_of(OwnCalls(new_auth(client_secret=tmp_path / "none"))) == ("its-own", 1)


@pytest.mark.parametrize(("life", "told"), [(None, 3600), (100.5, 100), (-5, 1)])
def test_a_script_is_told_what_is_left_of_the_life(life, told):
    """Seconds as ThingSpace says them: a whole number that is not zero."""
    expires_at = None if life is None else time.time() + life
    auth = new_auth(token=OAuthToken("ours", expires_at=expires_at, scope=("read",)))
    send, _ = answered(200, {})
    answer = OwnCalls(auth).answer(Call(post(*TOKEN), send, lambda _: None))
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
        send, _ = answered(200, {"access_token": f"token-{number}"})
        calls.answer(Call(post(*ANOTHERS), send, None))
    assert not calls.is_anothers("token-0")
    assert calls.is_anothers("token-1001")
    calls = pickle.loads(pickle.dumps(calls))
    assert calls.is_anothers(b"token-1001")
    told = capsys.readouterr().err
    assert told.startswith("thingspace: the script has another key")
    assert told.count("\n") == 1


@pytest.mark.parametrize("body", [b"{", b"[]", b"null", b"[" * 100_000])
def test_an_answer_for_another_key_that_is_not_one_is_handed_on(body):
    """Whatever it is."""
    send, sent = answered(200, body)
    assert OwnCalls(new_auth()).answer(Call(post(*ANOTHERS), send, None)).content == body
    assert sent


REFUSAL = {"errorCode": "X.REQUEST_FAILED.LoginFailed", "errorMessage": "no"}


@pytest.mark.parametrize(
    ("status", "document", "logins"),
    [
        (400, REFUSAL, 1),
        (401, REFUSAL, 1),
        (403, {"message": "no"}, 1),
        (401, {"fault": {"code": "900901"}}, 3),
        (400, {"fault": {"code": "900906"}}, 3),
        (503, REFUSAL, 3),
        (400, b"<html>", 3),
        (400, ["no"], 3),
        (200, {"sessionToken": "its-own"}, 3),
    ],
)
def test_only_a_refusal_of_the_platform_is_remembered(status, document, logins):
    """Without a cache too, in this process; the gateway and a failing server are asked again."""
    calls, (send, sent) = OwnCalls(new_auth()), answered(status, document)
    answers = [calls.answer(Call(post(*LOGIN), send, None)) for _ in range(3)]
    assert {answer.status_code for answer in answers} == {status}
    assert len(sent) == logins


def test_threads_that_log_in_at_once_are_refused_once():
    """Without a cache, one at a time."""
    calls, (send, sent) = OwnCalls(new_auth()), answered(400, REFUSAL)
    request = post(*LOGIN)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: calls.answer(Call(request, send, None)), range(8)))
    assert {answer.json()["errorCode"] for answer in answers} == {REFUSAL["errorCode"]}
    assert len(sent) == 1
    again = pickle.loads(pickle.dumps(calls))
    assert again.answer(Call(request, send, None)).status_code == 400
    assert len(sent) == 1


def test_the_scripts_session_becomes_ours_where_our_login_fails():
    """As the token does; an answer that holds none changes nothing."""

    def renew(_):
        raise requests.Timeout

    auth = new_auth(username="u", password="the-password")
    for document, held in ((b"<html>", None), ({"sessionToken": "its-own"}, "its-own")):
        send, _ = answered(200, document)
        OwnCalls(auth).answer(Call(post(*LOGIN), send, renew))
        assert (auth.session_token and auth.session_token.session_token) == held


class Broken:
    """A cache that is out of order."""

    def clear(self, key):
        """Fail."""
        raise OSError(key)

    def __call__(self, last_token, manager):
        """Have nothing."""
        return manager.fetch_token()


def test_a_revocation_with_a_broken_cache_forgets_the_token_here():
    """The cache is told of elsewhere."""
    auth = new_auth(cache=Broken())
    send, sent = answered(200, b"")
    assert OwnCalls(auth).answer(Call(revoke("ours"), send, None)).ok
    assert (auth.token, len(sent)) == (None, 1)


@pytest.mark.parametrize(("token", "status"), [("another", 200), ("ours", 503)])
def test_a_revocation_that_does_not_concern_us_changes_nothing(token, status):
    """Of another token, or one that failed."""
    auth = new_auth()
    send, _ = answered(status, b"")
    assert OwnCalls(auth).answer(Call(revoke(token), send, None)).status_code == status
    assert auth.token.access_token == "ours"


@pytest.mark.parametrize("call", [TOKEN, LOGIN], ids=["token", "login"])
@pytest.mark.parametrize("client_id", ["key", "other"])
def test_no_frame_that_waits_holds_a_secret(call, client_id):
    """Crash reporters send what the frames of a failure hold."""

    def fail(*_):
        raise requests.ConnectionError

    auth = new_auth(username="u", password="the-password", token=None)
    auth.client_id = client_id
    with pytest.raises(requests.ConnectionError) as raised:
        OwnCalls(auth).answer(Call(post(*call), fail, fail))
    ours = [one for one in raised.traceback if one.path.parent.parent.name == "requests_thingspace"]
    frames = [one.frame for one in ours if one.path.parent.name == "cli"]
    assert len(frames) >= 2
    told = repr([frame.f_locals for frame in frames])
    assert not any(secret in told for secret in ("the-client-secret", "the-password"))
