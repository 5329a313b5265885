"""responses and requests-mock: what stands in for ThingSpace stands in for token calls too."""

import contextlib

import pytest
import requests
import requests_mock
import responses

from requests_thingspace import PRODUCTION, ThingspaceAuth

URL = "https://thingspace.verizon.com/api/m2m/v1/accounts/0000123456-00001"
TOKEN = {"access_token": "first-token", "token_type": "Bearer", "expires_in": 3600}
NEW_TOKEN = {**TOKEN, "access_token": "second-token"}
FIRST, SECOND = {"Authorization": "Bearer first-token"}, {"Authorization": "Bearer second-token"}


@pytest.fixture
def session(attach):
    """A Session for the real ThingSpace, of which nothing is to be reached."""
    with requests.Session() as session:
        yield attach(session, ThingspaceAuth("client-id", "the-client-secret"))


def test_responses_gives_a_401_and_it_is_replayed(session):
    """The API call carries the token that the mocked endpoint gave, and its one replay the next token."""
    with responses.RequestsMock() as mocked:
        mocked.post(PRODUCTION.token_url, json=TOKEN)
        mocked.post(PRODUCTION.token_url, json=NEW_TOKEN)
        mocked.get(URL, status=401, match=[responses.matchers.header_matcher(FIRST)])
        mocked.get(URL, json={"n": 1}, match=[responses.matchers.header_matcher(SECOND)])
        assert session.get(URL).json() == {"n": 1}


def test_responses_knows_no_token_endpoint(session):
    """A test that forgot to mock it hears so, as requests says it."""
    with responses.RequestsMock(), pytest.raises(requests.ConnectionError, match="oauth2/token"):
        session.get(URL)


@pytest.fixture(params=["Mocker", "Adapter"])
def mocker(request):
    """Either form of requests-mock, with a Session that has the auth; a Mocker replaces each adapter."""
    with requests.Session() as session, contextlib.ExitStack() as at_the_end:
        if request.param == "Mocker":
            mocker, where = at_the_end.enter_context(requests_mock.Mocker()), None
        else:
            mocker, where = requests_mock.Adapter(), session  # the auth is told of the Session's own way
            session.mount("https://", mocker)
        session.auth = ThingspaceAuth("client-id", "the-client-secret", session=where)
        mocker.session = session
        yield mocker


def test_a_mocker_gives_a_401_and_it_is_replayed(mocker):
    """With the next token, and one replay; no token call escapes to the real ThingSpace."""
    mocker.register_uri("POST", PRODUCTION.token_url, [{"json": TOKEN}, {"json": NEW_TOKEN}])
    mocker.register_uri("GET", URL, json={"n": 1}, request_headers=SECOND)
    mocker.register_uri("GET", URL, status_code=401, request_headers=FIRST)
    assert mocker.session.get(URL).json() == {"n": 1}
    assert mocker.call_count == 4


def test_a_mocker_that_knows_no_token_endpoint(mocker):
    """A test that forgot to mock it hears so, in an error of requests."""
    with pytest.raises(requests.RequestException):
        mocker.session.get(URL)
    assert mocker.call_count == 1


def test_a_mocker_and_a_preset_token(attach):
    """The shortest way: no token call at all; under the adapter the Mocker sees a request without a token."""
    with requests.Session() as session, requests_mock.Mocker() as mocker:
        attach(session, ThingspaceAuth("client-id", "the-client-secret", token=TOKEN))
        mocker.get(URL, json={"n": 1})
        assert session.get(URL).json() == {"n": 1}
        assert mocker.call_count == 1
