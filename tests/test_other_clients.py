"""Headers for other HTTP clients, by the examples that the docs show, with the real packages."""

import asyncio
import importlib.util
import logging
import ssl
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path

import aiohttp
import httpx
import pytest
import requests

from requests_thingspace import PRODUCTION, ThingspaceAuth

EXAMPLES = Path(__file__).parent.parent / "examples" / "other_clients"
TASKS = 40


@cache
def example(name):
    spec = importlib.util.spec_from_file_location(f"example_{name}", EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def kill_both(sandbox):
    """Let more than a minute pass, in which tokens are above suspicion; then end both."""
    sandbox.advance(120)
    sandbox.revoke_tokens()
    sandbox.end_sessions()


@asynccontextmanager
async def httpx_caller(auth, context):
    limits = httpx.Limits(max_connections=40)
    settings = {"verify": context, "trust_env": False, "timeout": 60, "limits": limits}
    async with httpx.AsyncClient(auth=example("with_httpx").ThingspaceForHttpx(auth), **settings) as client:

        async def call(url):
            return (await client.get(url)).status_code

        yield call


@asynccontextmanager
async def aiohttp_caller(auth, context):
    connector = aiohttp.TCPConnector(ssl=context, limit=40)
    async with aiohttp.ClientSession(connector=connector) as client:

        async def call(url):
            status, _ = await example("with_aiohttp").call(auth, client, "GET", url)
            return status

        yield call


@pytest.fixture
def context(sandbox):
    return ssl.create_default_context(cafile=sandbox.ca_file)


@pytest.mark.parametrize("caller", [httpx_caller, aiohttp_caller], ids=["httpx", "aiohttp"])
def test_many_tasks_outlive_both_tokens(sandbox, auth, account, caller, context, spent):
    """Half of the calls come before both tokens die: all are answered, for one renewal and one login."""
    waited = []
    ours = auth(on_event=lambda event: waited.append((event.name, threading.get_ident())))

    async def main():
        async with caller(ours, context) as call:
            statuses = list(await asyncio.gather(*(call(account) for _ in range(TASKS // 2))))
            await asyncio.to_thread(kill_both, sandbox)
            for endpoint in ("token", "login"):
                sandbox.slow(endpoint, 0.3)
            return statuses + await asyncio.gather(*(call(account) for _ in range(TASKS // 2)))

    assert asyncio.run(main()) == [200] * TASKS
    assert spent() == (2, 2)
    # neither who fetches nor who waits for it is the event loop, which goes on in the meantime
    slow = {"token_fetched", "session_started", "renewal_awaited"}
    assert slow <= {name for name, _ in waited}
    assert threading.get_ident() not in {thread for name, thread in waited if name in slow}


def test_httpx_without_async_recovers(sandbox, auth, account, context, spent):
    """The same flow, from a thread."""
    flow = example("with_httpx").ThingspaceForHttpx(auth())
    with httpx.Client(auth=flow, verify=context, trust_env=False) as client:
        assert client.get(account).status_code == 200
        kill_both(sandbox)
        assert client.get(account).status_code == 200
    assert spent() == (2, 2)


def test_a_helper_by_hand_recovers(sandbox, auth, account, monkeypatch):
    """What used to be advised, get_token() and get_session_token() for each call, does not."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", sandbox.ca_file)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    ours, call = auth(), example("by_hand").call
    assert call(ours, "GET", account).status_code == 200
    kill_both(sandbox)
    assert call(ours, "GET", account).status_code == 200
    assert call(ours, "GET", f"{sandbox.origin}/sandbox/status/404").status_code == 404
    assert sandbox.answers["api", 401] == sandbox.answers["api", 400] == 1


def test_headers_are_those_of_the_url(sandbox, auth, account):
    """Both tokens, the session's by the name that the host has for it; none where it is not ours."""
    ours = auth()
    headers = ours.headers(account)
    expected = {
        "Authorization": ours.get_token().authorization,
        "VZ-M2M-Token": ours.get_session_token().value,
    }
    assert headers == expected
    assert {type(value) for value in headers.values()} == {str}
    assert "SessionToken" in ours.headers(f"{sandbox.imp_origin}/api/v2/clients/registration")
    token_url, login_url = sandbox.environment.token_url, sandbox.environment.login_url
    for other in ("https://example.com/", token_url, login_url, "https://[::1", "", "not a URL"):
        assert ours.headers(other) == {}
    assert list(auth(username=None, password=None).headers(account)) == ["Authorization"]


def test_what_is_worth_another_try(sandbox, auth, account, spent):
    """A refused token, for fifty refusals one renewal; not what speaks of no token, nor a new one again."""
    ours = auth()
    headers = ours.headers(account)
    other_code = b'{"errorCode": "UnifiedWebService.REQUEST_FAILED.AccountName"}'
    for status, body in ((200, b"{}"), (404, b"{}"), (503, b""), (400, other_code), (403, b"<html>")):
        assert ours.refused(headers, status, body) is False
    assert ours.refused({}, 401, b"") is False  # what a URL that is not covered gets
    assert spent() == (1, 1)
    kill_both(sandbox)
    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(lambda _: ours.refused(headers, 401, b""), range(50)))
    assert sandbox.calls["token"] == 2
    assert ours.refused(ours.headers(account), 401, b"") is False  # ThingSpace insists on the new one
    assert sandbox.calls["token"] == 2


LOOK_ALIKES = ["https://staging.thingspace.verizon.com/api/m2m/v1/accounts/1", "https://www.verizon.com/"]
LOOK_ALIKES += [f"https://gateway.example.com/api/{path}" for path in ("m2m/v1/x", "ts/v1/oauth2/token")]


@pytest.mark.parametrize("url", [*LOOK_ALIKES, "https://example.org/x"])
def test_a_host_that_is_not_covered_is_told_of_once(caplog, url):
    """With what is covered; a warning where it looks like ThingSpace: a Session may well call others."""
    caplog.set_level(logging.DEBUG)
    heard = []
    token = {"access_token": "abc"}
    auth = ThingspaceAuth("client-id", "the-client-secret", token=token, on_event=heard.append)
    for each in (url, url, PRODUCTION.token_url, PRODUCTION.login_url):
        assert "Authorization" not in requests.Request("GET", each, auth=auth).prepare().headers
    auth.headers("https://thingspace.verizon.com/")
    assert [event.name for event in heard] == ["host_not_covered"]
    (record,) = [record for record in caplog.records if record.name == "requests_thingspace"]
    assert record.levelname == ("WARNING" if url in LOOK_ALIKES else "DEBUG")
    for host in (url.split("/")[2], "thingspace.verizon.com"):
        assert host in record.getMessage()
