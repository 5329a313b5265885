"""Face two by itself: what only an adapter can do."""

import pytest
import requests
from requests.adapters import HTTPAdapter

from requests_thingspace import PRODUCTION, Environment, ThingspaceAdapter, ThingspaceAuth, mount


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


def test_mount_covers_the_default_port_of_plain_http():
    """A loopback environment without TLS may be spelled with its port too."""
    auth = ThingspaceAuth("id", "secret", environment=Environment.at("http://localhost:80"))
    session = mount(requests.Session(), auth)
    for url in ("http://localhost/api", "http://localhost:80/api"):
        assert isinstance(session.get_adapter(url), ThingspaceAdapter)
    assert not isinstance(session.get_adapter("http://localhost:443/api"), ThingspaceAdapter)


def test_the_sessions_request_never_holds_a_token(sandbox, plain, auth):
    """The adapter stamps a copy: what the Session goes on with is clean."""
    session = mount(plain, auth())
    prepared = session.prepare_request(requests.Request("GET", f"{sandbox.origin}/sandbox/echo"))
    headers = dict(prepared.headers)
    answer = session.send(prepared)
    assert answer.status_code == 200
    assert dict(prepared.headers) == headers
    assert "Authorization" in answer.request.headers


def test_the_token_call_takes_the_adapters_own_transport(sandbox, plain):
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
    plain.mount(sandbox.origin, Corporate(auth))
    assert plain.get(f"{sandbox.origin}/sandbox/echo").status_code == 200
    assert urls == [sandbox.environment.token_url, f"{sandbox.origin}/sandbox/echo"]
