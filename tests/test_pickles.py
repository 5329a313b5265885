"""What a Session hands out can be pickled and copied, and holds no secret, provider or cache."""

import copy
import pickle

import pytest
import requests

from requests_thingspace import FileTokenCache, LoginRefusedError, TokenRequestError

from .catalogue import both_cas, error_of
from .hostile import HostileServer, json_answer

PICKLES = [lambda it, n=n: pickle.loads(pickle.dumps(it, n)) for n in (2, pickle.HIGHEST_PROTOCOL)]
ROADS = [copy.copy, copy.deepcopy, *PICKLES]


@pytest.fixture
def given(sandbox, connect, account):
    """A function that makes a response, an error that holds one, or the request of either."""

    def given(kind, **arguments):
        session = connect(**arguments)
        if kind == "prepared":
            return session.prepare_request(requests.Request("GET", account, json={"a": 1}))
        answer = session.get(account)
        error = requests.HTTPError("200", response=answer, request=answer.request)
        return {"response": answer, "request": answer.request, "error": error}[kind]

    return given


@pytest.mark.parametrize("kind", ["response", "request", "error", "prepared"])
def test_a_pickle_holds_no_secret(sandbox, given, kind, tmp_path):
    """Neither secret nor password, replayed or not; no provider and no cache hinders it or is in it."""
    cache = {"cache": FileTokenCache(tmp_path / "tokens.json")}
    for arguments in ({}, {"token_provider": lambda _, manager: manager.fetch_token()}, cache):
        if not arguments:
            sandbox.fail_next("api", status=400, body={"errorCode": "X.SessionToken.Expired"})
        original = given(kind, **arguments)
        assert {type(road(original)) for road in ROADS} == {type(original)}
        pickled = pickle.dumps(original)
        for secret in (sandbox.client_secret, sandbox.password, str(tmp_path)):
            assert secret.encode() not in pickled


@pytest.mark.parametrize("kind", ["prepared", "request"])
def test_a_copied_request_takes_no_session_header_elsewhere(sandbox, given, spent, kind):
    """It keeps its headers and its guard; there is no auth behind it, so that a refusal costs nothing."""
    original, before = given(kind), spent()
    with HostileServer() as elsewhere, requests.Session() as plain:
        elsewhere.script("/x", json_answer(200, {}))
        for road in ROADS:
            sandbox.fail_next("api", status=307, headers={"Location": f"{elsewhere.origin}/x"})
            twin = road(original)
            assert twin.headers == original.headers
            answer = plain.send(twin, verify=both_cas(sandbox, elsewhere))
            assert answer.url == f"{elsewhere.origin}/x"
        for seen in elsewhere.requests:
            assert not {name.lower() for name in seen.headers} & {"authorization", "vz-m2m-token"}
        sandbox.revoke_tokens()
        for road in ROADS[1:]:  # a shallow copy shares its hooks
            assert plain.send(road(original), verify=sandbox.ca_file).status_code == 401
        assert spent() == before


def test_a_copied_request_is_stamped_anew_by_a_session(sandbox, connect, given):
    """A request out of a queue is sent by a Session with this auth, whose tokens it then has."""
    request = pickle.loads(pickle.dumps(given("prepared")))
    sandbox.revoke_tokens()
    sandbox.end_sessions()
    session = connect()
    if session.auth is not None:
        request.prepare_auth(session.auth)
    assert session.send(request).status_code == 200


def test_our_own_errors_travel(auth):
    """With their evidence, and without what was sent."""
    refused = {"client_secret": "the-client-secret-but-wrong"}, {"password": "the-password-but-wrong"}
    for arguments, kind in zip(refused, (TokenRequestError, LoginRefusedError)):
        error = error_of(auth(**arguments).get_session_token)
        for twin in [road(error) for road in ROADS]:
            assert (type(twin), str(twin), twin.code) == (kind, str(error), error.code)
        assert (error.request, error.response.status_code) == (None, error.status)
        assert b"the-" not in pickle.dumps(error)


def test_a_refused_login_stays_refused_in_a_copy(sandbox, bare):
    """A copy does not try the wrong password again, and says the same of it."""
    mine = bare(password="the-password-but-wrong")
    said = str(error_of(mine.get_session_token))
    for twin in [road(mine) for road in ROADS]:
        again = error_of(twin.get_session_token)
        assert (type(again), str(again)) == (LoginRefusedError, said)
    assert sandbox.calls["login"] == 1
    twin.password = sandbox.password
    assert twin.get_session_token()
