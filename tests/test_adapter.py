"""Face two by itself: what only an adapter can do."""

import pytest
import requests
from requests.adapters import HTTPAdapter

from requests_thingspace import PRODUCTION, Environment, ThingspaceAdapter, ThingspaceAuth, mount


def test_an_adapter_wants_an_auth():
    """Not the credentials themselves."""
    with pytest.raises(TypeError, match="auth must be a ThingspaceAuth, not a tuple"):
        ThingspaceAdapter(("id", "secret"))


LOCAL = Environment.at("http://localhost:80")
ELSEWHERE = ["https://example.com", f"{PRODUCTION.origins[0]}.example.com", "http://thingspace.verizon.com"]


@pytest.mark.parametrize(
    ("environment", "origins", "port", "others"),
    [
        (PRODUCTION, PRODUCTION.origins, 443, ELSEWHERE),
        (LOCAL, ["http://localhost"], 80, ["http://localhost:443", "https://localhost"]),
    ],
)
def test_mount_covers_every_origin_and_nothing_else(environment, origins, port, others):
    """The Session is given back, its other adapters stay; the default port may be spelled out."""
    session, auth = requests.Session(), ThingspaceAuth("id", "secret", environment=environment)
    assert mount(session, auth, pool_maxsize=33) is session
    for origin in origins:
        for url in (f"{origin}/api", f"{origin}:{port}/api"):
            adapter = session.get_adapter(url)
            assert (type(adapter), adapter._pool_maxsize) == (ThingspaceAdapter, 33)
    assert {type(session.get_adapter(f"{other}/api")) for other in others} == {HTTPAdapter}


def test_the_sessions_request_never_holds_a_token(plain, auth, echo):
    """The adapter stamps a copy: what the Session goes on with is clean."""
    session = mount(plain, auth())
    prepared = session.prepare_request(requests.Request("GET", echo))
    headers = dict(prepared.headers)
    assert "Authorization" in session.send(prepared).request.headers
    assert dict(prepared.headers) == headers


def test_the_token_call_takes_the_adapters_own_transport(sandbox, plain, bare, echo):
    """A subclass with an SSL context or a proxy manager of its own is used for it too."""
    urls = []

    class Corporate(ThingspaceAdapter):
        def get_connection_with_tls_context(self, request, *arguments, **more):
            urls.append(request.url)
            return super().get_connection_with_tls_context(request, *arguments, **more)

        def get_connection(self, url, *arguments, **more):
            urls.append(url)
            return super().get_connection(url, *arguments, **more)

    plain.mount(sandbox.origin, Corporate(bare(session=None, username=None, password=None)))
    assert plain.get(echo).status_code == 200
    assert urls == [sandbox.environment.token_url, echo]
