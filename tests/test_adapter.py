"""Face two by itself: what only an adapter can do."""

import copy
import pickle

import pytest
import requests
from requests.adapters import HTTPAdapter
from urllib3.util.retry import Retry

from requests_thingspace import PRODUCTION, ThingspaceAdapter, ThingspaceAuth, mount


def test_an_adapter_wants_an_auth():
    """Not the credentials themselves."""
    with pytest.raises(TypeError, match="auth must be a ThingspaceAuth, not a tuple"):
        ThingspaceAdapter(("id", "secret"))


def test_mount_covers_every_origin_and_nothing_else():
    """The Session is given back, its other adapters stay; the default port may be spelled out."""
    session, auth = requests.Session(), ThingspaceAuth("id", "secret")
    assert mount(session, auth, pool_maxsize=33) is session
    for origin in PRODUCTION.origins:
        for url in (f"{origin}/api", f"{origin}:443/api"):
            adapter = session.get_adapter(url)
            assert isinstance(adapter, ThingspaceAdapter)
            assert adapter._pool_maxsize == 33
    for url in (
        "https://example.com/",
        "https://thingspace.verizon.com.example.com/",
        "http://thingspace.verizon.com/",
    ):
        assert type(session.get_adapter(url)) is HTTPAdapter


def test_the_sessions_request_never_holds_a_token(sandbox, auth):
    """The adapter stamps a copy: what the Session goes on with is clean."""
    session = mount(_session_of(sandbox), auth())
    prepared = session.prepare_request(requests.Request("GET", f"{sandbox.origin}/sandbox/echo"))
    headers = dict(prepared.headers)
    answer = session.send(prepared)
    assert answer.status_code == 200
    assert dict(prepared.headers) == headers
    assert "Authorization" in answer.request.headers


def test_the_token_call_takes_the_settings_of_the_request(sandbox):
    """`verify=` of a single call, without any `session=`."""
    auth = ThingspaceAuth(sandbox.client_id, sandbox.client_secret, environment=sandbox.environment)
    session = mount(requests.Session(), auth)
    session.trust_env = False
    assert session.get(f"{sandbox.origin}/sandbox/echo", verify=sandbox.ca_file).status_code == 200
    session.close()


def test_the_token_call_takes_the_adapters_own_transport(sandbox):
    """A subclass with an SSL context or a proxy manager of its own is used for it too."""
    urls = []

    class Corporate(ThingspaceAdapter):
        def get_connection_with_tls_context(self, request, *arguments, **more):
            urls.append(request.url)
            return super().get_connection_with_tls_context(request, *arguments, **more)

        def get_connection(self, url, *arguments, **more):
            urls.append(url)
            return super().get_connection(url, *arguments, **more)

    auth = ThingspaceAuth(sandbox.client_id, sandbox.client_secret, environment=sandbox.environment)
    session = _session_of(sandbox)
    session.mount(sandbox.origin, Corporate(auth))
    assert session.get(f"{sandbox.origin}/sandbox/echo").status_code == 200
    assert urls == [sandbox.environment.token_url, f"{sandbox.origin}/sandbox/echo"]
    session.close()


@pytest.mark.parametrize("statuses", [[401], [401, 503], {503}])
def test_retries_leave_the_401_to_us(sandbox, auth, statuses):
    """A Retry that has 401 in its list would only send the dead token again."""
    session = mount(
        _session_of(sandbox), auth(), max_retries=Retry(2, status_forcelist=statuses, backoff_factor=0)
    )
    url = f"{sandbox.origin}/sandbox/echo"
    session.get(url)
    sandbox.revoke_tokens()
    assert session.get(url).status_code == 200
    assert sandbox.answers["api", 401] == 1


@pytest.mark.parametrize("twin", [copy.copy, copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))])
@pytest.mark.parametrize("carrier", ["adapter", "session"])
def test_a_copy_of_an_adapter_or_its_session_works(sandbox, twin, carrier):
    """`HTTPAdapter.__attrs__` holds the auth."""
    auth = ThingspaceAuth(
        sandbox.client_id,
        sandbox.client_secret,
        environment=sandbox.environment,
        session=_session_of(sandbox),
    )
    session = mount(_session_of(sandbox), auth, max_retries=1)
    if carrier == "session":
        session = twin(session)
    else:
        session.mount(f"{sandbox.origin}/", twin(session.get_adapter(sandbox.origin + "/")))
    assert session.get_adapter(sandbox.origin + "/").max_retries.total == 1
    assert session.get(f"{sandbox.origin}/sandbox/echo").status_code == 200


def _session_of(sandbox):
    """A Session that trusts the sandbox."""
    session = requests.Session()
    session.verify, session.trust_env = sandbox.ca_file, False
    return session
