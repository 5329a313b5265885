"""The way that calls take: proxies, SOCKS, client certificates, no verification. Token calls take it too."""

import socket
import warnings
from urllib.parse import urlsplit

import pytest
import requests
from urllib3.exceptions import InsecureRequestWarning

from requests_thingspace import Environment, mount

from ..hostile import ForwardProxy
from .servers import MutualTls, SocksProxy


@pytest.fixture
def proxy(sandbox, log_without_secrets):
    """A proxy with a password, and behind it `origin`: the sandbox where nobody else answers."""
    log_without_secrets.add("the-password-of-the-proxy")
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        place = f"localhost:{silent.getsockname()[1]}"
        routes = {place: urlsplit(sandbox.origin).port}
        with ForwardProxy("user", "the-password-of-the-proxy", routes=routes) as proxy:
            proxy.origin = f"https://{place}"
            yield proxy
            assert "Bearer" not in f"{proxy.requests}"


@pytest.fixture
def behind(proxy, auth):
    """A function that makes an auth for what is behind the proxy."""
    return lambda **given: auth(session=None, environment=Environment.at(proxy.origin), **given)


@pytest.fixture(params=["auth with session=", "adapter"])
def share_the_way(request, auth):
    """A function that gives a Session an auth whose first token call already takes the Session's way."""

    def share_the_way(session, **arguments):
        if request.param == "adapter":
            return mount(session, auth(session=None, **arguments))
        session.auth = auth(session=session, **arguments)
        return session

    return share_the_way


def test_the_first_token_call_takes_the_proxy(sandbox, plain, account, behind, proxy):
    """The adapter is told of it, of a single call's or of the Session's, and needs no session=."""
    url = account.replace(sandbox.origin, proxy.origin)
    with pytest.raises(requests.ConnectionError):  # there is no other way
        mount(plain, behind()).get(url)
    assert mount(plain, behind()).get(url, proxies=proxy.proxies).status_code == 200
    plain.proxies = proxy.proxies
    assert mount(plain, behind()).get(url).status_code == 200


def test_the_token_call_after_a_401_takes_the_proxy(sandbox, plain, account, behind, auth, proxy, spent):
    """The auth sees the proxy in the hook that judges the answer."""
    known = auth()
    plain.auth = behind(token=known.get_token(), session_token=known.get_session_token())
    plain.proxies = proxy.proxies
    sandbox.revoke_tokens()
    sandbox.end_sessions()
    assert plain.get(account.replace(sandbox.origin, proxy.origin)).status_code == 200
    assert spent() == (2, 2)


def test_a_wrong_proxy_password_is_an_error_of_requests(sandbox, plain, share_the_way, account):
    """ProxyError for the token call, as for any call; ThingSpace hears nothing."""
    with ForwardProxy("user", "right") as proxy:
        plain.proxies = {"https": proxy.url.replace("right", "the-password-but-wrong")}
        with pytest.raises(requests.exceptions.ProxyError, match="407") as caught:
            share_the_way(plain).get(account)
    assert "the-password" not in f"{caught.value!r} {caught.value.__dict__}"
    assert sandbox.calls["token"] == 0


def test_socks(sandbox, plain, share_the_way, account):
    """A real SOCKS5 proxy carries the token call, the login and the API call."""
    with SocksProxy() as proxy:
        plain.proxies = {"https": proxy.url}
        assert share_the_way(plain).get(account).status_code == 200
        plain.close()
        assert set(proxy.destinations) == {sandbox.origin.removeprefix("https://")}
    plain.proxies = {"https": proxy.url}  # closed by now: whatever does not take it would still get through
    with pytest.raises(requests.ConnectionError):
        share_the_way(plain).get(account)
    assert sandbox.calls["token"] == 1


def test_a_client_certificate_is_presented(share_the_way, plain, tmp_path):
    """To the token endpoint as well as to the API; without it the token call is turned away."""
    with MutualTls(tmp_path) as server:
        plain.verify = server.ca_file
        arguments = {"environment": Environment.at(server.origin), "username": None, "password": None}
        with pytest.raises(requests.ConnectionError):
            share_the_way(plain, **arguments).get(f"{server.origin}/api/x")
        assert server.callers == []
        plain.cert = server.certificate
        assert share_the_way(plain, **arguments).get(f"{server.origin}/api/x").status_code == 200
        plain.close()
    paths = ["/api/ts/v1/oauth2/token", "/api/x"]
    assert server.callers == [(path, "client@example.com") for path in paths]


def test_verify_false_counts_for_the_token_call(sandbox, plain, share_the_way, account):
    """With urllib3's warning for each of the three calls, and never by itself."""
    plain.verify = True
    share_the_way(plain)
    with pytest.raises(requests.exceptions.SSLError):
        plain.get(account)
    sandbox.advance(3)  # the cool-down of a failed renewal is over
    plain.verify = False
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert plain.get(account).status_code == 200
    assert [one.category for one in caught] == [InsecureRequestWarning] * 3
    assert sandbox.calls["token"] == 1
