"""responses and requests-mock: what stands in for ThingSpace stands in for token calls too."""

import pytest
import requests
import requests_mock
import responses

from requests_thingspace import PRODUCTION, ThingspaceAuth, TokenRequestError

URL = "https://thingspace.verizon.com/api/m2m/v1/accounts/0000123456-00001"
TOKEN = {"access_token": "first-token", "token_type": "Bearer", "expires_in": 3600}
NEW_TOKEN = {**TOKEN, "access_token": "second-token"}


@pytest.fixture
def session(attach):
    """A Session for the real ThingSpace, of which nothing is to be reached."""
    with requests.Session() as session:
        yield attach(session, ThingspaceAuth("client-id", "the-client-secret"))


@pytest.fixture
def mocked():
    """responses in place of all HTTP."""
    with responses.RequestsMock() as mocked:
        yield mocked


def test_responses_gives_token_and_answer(session, mocked):
    """The API call carries the token that the mocked endpoint gave."""
    mocked.post(PRODUCTION.token_url, json=TOKEN)
    bearer = responses.matchers.header_matcher({"Authorization": "Bearer first-token"})
    mocked.get(URL, json={"n": 1}, match=[bearer])
    assert session.get(URL).json() == {"n": 1}


def test_responses_gives_a_401_and_it_is_healed(session, mocked):
    """With the next token, and one replay."""
    mocked.post(PRODUCTION.token_url, json=TOKEN)
    mocked.post(PRODUCTION.token_url, json=NEW_TOKEN)
    mocked.get(URL, status=401)
    bearer = responses.matchers.header_matcher({"Authorization": "Bearer second-token"})
    mocked.get(URL, json={"n": 1}, match=[bearer])
    assert session.get(URL).json() == {"n": 1}


def test_responses_gives_a_401_for_good(session, mocked):
    """It is what the caller gets."""
    mocked.post(PRODUCTION.token_url, json=TOKEN)
    mocked.get(URL, status=401)
    assert session.get(URL).status_code == 401
    mocked.assert_call_count(PRODUCTION.token_url, 2)


def test_responses_knows_no_token_endpoint(session, mocked):
    """A test that forgot to mock it hears so, as requests says it."""
    with pytest.raises(requests.ConnectionError, match="oauth2/token"):
        session.get(URL)


# requests-mock has two forms: a Mocker in place of all Sessions' adapters, and an adapter of its own


@pytest.fixture
def by_the_auth():
    """A Session with the auth: the Mocker takes the place of each adapter, a mounted one of ours too."""
    with requests.Session() as session:
        session.auth = ThingspaceAuth("client-id", "the-client-secret")
        yield session


def test_a_mocker_gives_token_and_answer(by_the_auth):
    """No token call escapes to the real ThingSpace."""
    with requests_mock.Mocker() as mocker:
        mocker.post(PRODUCTION.token_url, json=TOKEN)
        mocker.get(URL, json={"n": 1}, request_headers={"Authorization": "Bearer first-token"})
        assert by_the_auth.get(URL).json() == {"n": 1}
        assert mocker.call_count == 2


def test_a_mocker_gives_a_401_and_it_is_healed(by_the_auth):
    """With the next token, and one replay."""
    with requests_mock.Mocker() as mocker:
        mocker.post(PRODUCTION.token_url, [{"json": TOKEN}, {"json": NEW_TOKEN}])
        mocker.get(URL, [{"status_code": 401}, {"json": {"n": 1}}])
        answer = by_the_auth.get(URL)
        assert answer.json() == {"n": 1}
        assert answer.request.headers["Authorization"] == "Bearer second-token"
        assert mocker.call_count == 4


def test_a_mocker_that_knows_no_token_endpoint(by_the_auth):
    """A test that forgot to mock it hears so, in an error of requests."""
    with requests_mock.Mocker() as mocker, pytest.raises(requests.RequestException):
        by_the_auth.get(URL)
    assert mocker.call_count == 1


def test_a_mocker_and_a_preset_token(attach):
    """The shortest way: no token call at all; under the adapter the Mocker sees a request without a token."""
    with requests.Session() as session, requests_mock.Mocker() as mocker:
        attach(session, ThingspaceAuth("client-id", "the-client-secret", token=TOKEN))
        mocker.get(URL, json={"n": 1})
        assert session.get(URL).json() == {"n": 1}
        assert mocker.call_count == 1


def test_a_mock_adapter_that_is_mounted(sandbox):
    """It is the Session's own way, so that token calls take it where the auth is told of the Session."""
    with requests.Session() as session:
        adapter = requests_mock.Adapter()
        session.mount("https://", adapter)
        session.auth = ThingspaceAuth("client-id", "the-client-secret", session=session)
        adapter.register_uri("POST", PRODUCTION.token_url, [{"json": TOKEN}, {"json": NEW_TOKEN}])
        adapter.register_uri("GET", URL, [{"status_code": 401}, {"json": {"n": 1}}])
        assert session.get(URL).json() == {"n": 1}
        assert adapter.call_count == 4


def test_a_mocked_error_of_the_token_endpoint(by_the_auth):
    """It is judged like a real one."""
    with requests_mock.Mocker() as mocker:
        mocker.post(PRODUCTION.token_url, status_code=401, json={"error": "invalid_client"})
        with pytest.raises(TokenRequestError, match="invalid_client"):
            by_the_auth.get(URL)
