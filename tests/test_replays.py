"""Which tokens a request goes out with, and when it is sent again."""

import gzip
import itertools
from contextlib import suppress

import pytest
import requests
from requests.adapters import HTTPAdapter

from requests_thingspace import ThingspaceAdapter

from .users import environment_of_user, python


def test_a_bearer_that_the_login_replaced_does_not_go_out(sandbox, connect, account, auth, spent):
    """The login found it dead; the request is stamped with the one that came in its place."""
    session = connect(token=auth().get_token())
    sandbox.revoke_tokens()
    assert session.get(account).status_code == 200
    assert (sandbox.answers["login", 401], sandbox.answers["api", 401]) == (1, 0)
    assert (spent(), sandbox.calls["api"]) == ((2, 2), 1)


UNREADABLE = {
    "gzip that is none": (b"no gzip at all", {"Content-Encoding": "gzip"}),
    "gzip cut off": (gzip.compress(b"x" * 5000)[:20], {"Content-Encoding": "gzip"}),
    "deflate that is none": (b"\x00\x01\x02", {"Content-Encoding": "deflate"}),
    "shorter than promised": (b"{}", {"Content-Length": "1000"}),
    "charset that is none": (b"\xff\xfe{", {"Content-Type": "application/json; charset=x"}),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_a_refusal_that_cannot_be_read(sandbox, warm, account, spent, name):
    """A 401 is one all the same; any other costs no login and is what a plain Session makes of it."""
    session, _ = warm()
    body, headers = UNREADABLE[name]
    for fetched, stream in enumerate((False, True), 2):
        sandbox.revoke_tokens()
        sandbox.advance(61)
        sandbox.fail_next("api", status=401, body=body, headers=headers)
        with session.get(account, stream=stream) as found:
            assert found.status_code == 200
        assert (spent(), sandbox.calls["api"]) == ((fetched, 1), 2 * fetched - 1)
    for status in (400, 403):
        sandbox.fail_next("api", status=status, body=body, headers=headers)
        with suppress(requests.RequestException):
            assert session.get(account).status_code == status
        assert session.get(account).status_code == 200
    assert spent() == (3, 1)


NUMBERS = itertools.count()

BOTH = ("Authorization", "VZ-M2M-Token")
MEDDLERS = {
    "signs": lambda headers: {"Authorization": "Signature of-another-kind"},
    "puts its bearer": lambda headers: {"Authorization": f"Bearer other-{next(NUMBERS)}"},
    "puts its session": lambda headers: {"VZ-M2M-Token": f"other-{next(NUMBERS)}"},
    "drops both": lambda headers: dict.fromkeys(BOTH),
    "garbles both": lambda headers: {name: f"{headers.get(name)}x" for name in BOTH},
}


def meddling(base, change, *, copies):
    """A class of adapters that change each request, or a copy of it as signers do."""

    def changed(request):
        for name, value in change(request.headers).items():
            request.headers.pop(name, None)
            if value is not None:
                request.headers[name] = value
        return request

    class Meddling(base):
        """Below `base`, or above it where it copies; `left` ends a test whose request is sent for ever."""

        left = 40

        def send(self, request, *rest, **settings):
            return super().send(changed(request.copy()) if copies else request, *rest, **settings)

        def add_headers(self, request, **_):
            self.left -= 1
            assert self.left, "one request was sent again and again"
            if not copies:
                changed(request)

    return Meddling


@pytest.mark.parametrize("copies", [False, True])
@pytest.mark.parametrize("change", MEDDLERS)
def test_one_call_is_handed_down_four_times_at_most(sandbox, auth, plain, account, face, change, copies):
    """Whatever an adapter does to it, and the caller gets an answer."""
    if face == "adapter":
        adapter = meddling(ThingspaceAdapter, MEDDLERS[change], copies=copies)(auth())
    else:
        plain.auth, adapter = auth(), meddling(HTTPAdapter, MEDDLERS[change], copies=copies)()
    plain.mount(sandbox.origin, adapter)
    for end in (lambda: None, sandbox.revoke_tokens, sandbox.end_sessions):
        end()
        before = sandbox.calls["api"]
        assert plain.get(account).status_code in (200, 400, 401)
        assert sandbox.calls["api"] - before <= 4
    assert sandbox.calls["login"] <= 4


def test_a_request_with_hooks_of_any_kind_is_stamped_and_replayed(sandbox, connect, account):
    """Somebody took them away, or set one that raises: it sees the answer to the replay; stamped twice."""
    session = connect()
    for hooks in ({}, {"response": []}, {"response": [lambda response, **_: response.raise_for_status()]}):
        request = requests.Request("GET", account).prepare()
        request.hooks = hooks
        for _ in range(2):
            if session.auth is not None:
                request.prepare_auth(session.auth)
        sandbox.revoke_tokens()
        sandbox.end_sessions()
        assert session.send(request).status_code == 200


def test_a_request_that_is_stamped_again_elsewhere_has_one_session_header(auth, sandbox):
    """Its name depends on the origin."""
    mine, request = auth(), requests.Request("GET", f"{sandbox.imp_origin}/api").prepare()
    assert "SessionToken" in mine(request).headers
    request.url = f"{sandbox.origin}/api"
    assert {"SessionToken", "VZ-M2M-Token"} & set(mine(request).headers) == {"VZ-M2M-Token"}
    plain, without = requests.Request("GET", request.url).prepare(), auth(username=None, password=None)
    assert len(without(without(plain)).hooks["response"]) == 1


def test_thingspace_run_keeps_the_session_of_a_scripts_own_auth(sandbox, tmp_path, account):
    """The header that a ThingspaceAuth of the script has put on goes out, at the first send."""
    script = tmp_path / "script.py"
    script.write_text(
        "import sys, requests\n"
        "from requests_thingspace import ThingspaceAuth as Auth, mount\n"
        "print(requests.get(sys.argv[1], auth=Auth.from_env()).status_code)\n"
        "with mount(requests.Session(), Auth.from_env()) as session:\n"
        "    print(session.get(sys.argv[1]).status_code)\n"
    )
    sandbox.auth().get_session_token()
    command = ("-m", "requests_thingspace", "run", script, account)
    outcome = python(*command, env=environment_of_user(sandbox, tmp_path))
    assert (outcome.returncode, outcome.stdout) == (0, "200\n200\n"), outcome.stderr
    assert sandbox.answers == {("token", 200): 3, ("login", 200): 3, ("api", 200): 2}
