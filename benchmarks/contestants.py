"""Who is compared: each library used as its documentation says, with its own defaults where it has any.

The limit is a Session whose AuthBase sets a ready-made header and that does not look up netrc or proxies
(``trust_env=False``); so no contestant looks them up for its API calls.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase

from .server import STATIC_TOKEN, TOKEN_PATH, Server

CLIENT = ("the-client-id", "the-client-secret")
POOL = 256  # connections; the default of 10 makes many threads open new ones all the time

# Two peers insist on https, which is not what is measured here.
os.environ.update(OAUTHLIB_INSECURE_TRANSPORT="1", AUTHLIB_INSECURE_TRANSPORT="1")
os.environ.update(NO_PROXY="127.0.0.1", no_proxy="127.0.0.1")  # some token calls do look it up


class Pooled(HTTPAdapter):
    """An adapter that keeps a connection for each thread."""

    def __init__(self, pool_maxsize: int = POOL, **arguments: Any) -> None:
        super().__init__(pool_maxsize=pool_maxsize, **arguments)


class Null(Pooled):
    """An adapter that answers API calls at once, without a network."""

    def send(self, request: requests.PreparedRequest, *_: Any, **settings: Any) -> requests.Response:
        """Send token calls only."""
        if request.url.endswith(TOKEN_PATH):
            return super().send(request, **settings)
        response = requests.Response()
        response.status_code, response.url, response.request = 200, request.url, request
        response.connection, response._content, response._content_consumed = self, b'{"name": "a plan"}', True
        return response


@dataclass(frozen=True)
class Connection:
    """A client of one contestant, ready to call.

    Attributes:
        call: makes one API call and gives its status.
        step: what the contestant does to a prepared request before it is sent.
    """

    call: Callable[[], int]
    step: Callable[[requests.PreparedRequest], object]


@dataclass(frozen=True)
class Contestant:
    """One way to authenticate.

    Attributes:
        name: what the tables call it.
        distribution: what pip calls it.
        module: what a script that uses it imports, beside requests.
        connect: ``(server, leeway, adapter)`` to a connection; `leeway` is seconds before the expiry from
            which on a token is renewed.
    """

    name: str
    distribution: str
    module: str
    connect: Callable[[Server, float, type[Pooled]], Connection]

    @property
    def is_here(self) -> bool:
        """Whether it can be imported."""
        return find_spec(self.module.partition(".")[0]) is not None

    @property
    def version(self) -> str:
        """The version of what is installed."""
        try:
            return version(self.distribution)
        except PackageNotFoundError:
            return "this checkout"


class StaticHeader(AuthBase):
    """The limit: one header, made beforehand."""

    def __init__(self, token: str) -> None:
        self.value = f"Bearer {token}"

    def __call__(self, r: requests.PreparedRequest) -> requests.PreparedRequest:
        """Set the header."""
        r.headers["Authorization"] = self.value
        return r


def _plain(session: requests.Session, adapter: type[Pooled]) -> requests.Session:
    """`session` as every contestant has it."""
    session.trust_env = False
    session.mount("http://", adapter())
    return session


def _by_auth(server: Server, adapter: type[Pooled], auth: AuthBase) -> Connection:
    """A Session with an AuthBase."""
    session = _plain(requests.Session(), adapter)
    session.auth = auth
    return Connection(lambda: session.get(server.api_url).status_code, auth)


def static(server: Server, leeway: float, adapter: type[Pooled]) -> Connection:  # noqa: ARG001
    """The limit."""
    return _by_auth(server, adapter, StaticHeader(STATIC_TOKEN))


def thingspace_auth(server: Server, leeway: float, adapter: type[Pooled]) -> Connection:
    """Ours, face one."""
    from requests_thingspace import Environment, ThingspaceAuth

    auth = ThingspaceAuth(*CLIENT, environment=Environment.at(server.origin), clock_skew=leeway)
    return _by_auth(server, adapter, auth)


def thingspace_adapter(server: Server, leeway: float, adapter: type[Pooled]) -> Connection:
    """Ours, face two."""
    from requests_thingspace import Environment, ThingspaceAdapter, ThingspaceAuth

    auth = ThingspaceAuth(*CLIENT, environment=Environment.at(server.origin), clock_skew=leeway)
    session = _plain(requests.Session(), adapter)
    session.mount(f"{server.origin}/", type("_Mounted", (ThingspaceAdapter, adapter), {})(auth))
    stamping = type("_Stamping", (ThingspaceAdapter, _Silent), {})(auth)
    return Connection(lambda: session.get(server.api_url).status_code, stamping.send)


class _Silent(Pooled):
    """An adapter that gives one and the same answer, so that only what is done before it counts."""

    _answer = requests.Response()
    _answer.status_code = 200

    def send(self, request: requests.PreparedRequest, *_: Any, **settings: Any) -> requests.Response:
        """Send token calls only."""
        return super().send(request, **settings) if request.url.endswith(TOKEN_PATH) else self._answer


def requests_oauthlib(server: Server, leeway: float, adapter: type[Pooled]) -> Connection:  # noqa: ARG001
    """requests-oauthlib with the recipe of its issue 260."""
    from oauthlib.oauth2 import BackendApplicationClient, TokenExpiredError
    from requests_oauthlib import OAuth2Session

    class Recipe(OAuth2Session):
        def request(self, *asked: Any, **settings: Any) -> requests.Response:
            try:
                return super().request(*asked, **settings)
            except TokenExpiredError:
                fetch()
                return super().request(*asked, **settings)

    client = BackendApplicationClient(CLIENT[0])
    session = _plain(Recipe(client=client), adapter)

    def fetch() -> None:
        session.token = session.fetch_token(server.token_url, client_secret=CLIENT[1])

    def call() -> int:
        if not session.authorized:
            fetch()
        return session.get(server.api_url).status_code

    return Connection(call, lambda r: client.add_token(r.url, r.method, r.body, r.headers))


def authlib(server: Server, leeway: float, adapter: type[Pooled]) -> Connection:
    """Authlib."""
    from authlib.integrations.requests_client import OAuth2Session

    grant = "client_credentials"
    client = OAuth2Session(*CLIENT, token_endpoint=server.token_url, grant_type=grant, leeway=int(leeway))
    session = _plain(client, adapter)

    def call() -> int:
        if not session.token:
            session.fetch_token()
        return session.get(server.api_url).status_code

    return Connection(call, session.token_auth)


def requests_oauth2client(server: Server, leeway: float, adapter: type[Pooled]) -> Connection:
    """requests_oauth2client."""
    from requests_oauth2client import OAuth2Client, OAuth2ClientCredentialsAuth

    client = OAuth2Client(server.token_url, auth=CLIENT, testing=True)  # testing: allows http
    return _by_auth(server, adapter, OAuth2ClientCredentialsAuth(client, leeway=int(leeway)))


def requests_auth(server: Server, leeway: float, adapter: type[Pooled]) -> Connection:
    """requests_auth."""
    from requests_auth import OAuth2, OAuth2ClientCredentials

    OAuth2.token_cache.clear()  # it is one for the whole process
    early = leeway or 1e-9  # zero would mean its default
    return _by_auth(server, adapter, OAuth2ClientCredentials(server.token_url, *CLIENT, early_expiry=early))


def google_auth(server: Server, leeway: float, adapter: type[Pooled]) -> Connection:
    """google-auth, whose Credentials one completes with the token call."""
    from google.auth import _helpers, credentials
    from google.auth.transport.requests import AuthorizedSession

    basic = base64.b64encode(":".join(CLIENT).encode()).decode()
    headers = {"Authorization": f"Basic {basic}", "Content-Type": "application/x-www-form-urlencoded"}
    # it renews 225 s before the expiry, which cannot be set
    offset = _helpers.REFRESH_THRESHOLD - timedelta(seconds=leeway)

    class ClientCredentials(credentials.Credentials):
        def refresh(self, request: Any) -> None:
            body = b"grant_type=client_credentials"
            answer = json.loads(request(server.token_url, "POST", body, headers).data)
            now = datetime.now(timezone.utc).replace(tzinfo=None)
            self.expiry = now + timedelta(seconds=answer["expires_in"]) + offset
            self.token = answer["access_token"]

    client = ClientCredentials()
    session = _plain(AuthorizedSession(client), adapter)
    return Connection(
        lambda: session.get(server.api_url).status_code,
        lambda r: client.before_request(None, r.method, r.url, r.headers),
    )


def verizon_sdk(server: Server, leeway: float, adapter: type[Pooled]) -> Connection:
    """Verizon's own SDK, whose calls read and write models too."""
    from verizon.configuration import Configuration
    from verizon.http.auth.thingspace_oauth import ThingspaceOauthCredentials
    from verizon.http.auth.vz_m2m_token import VZM2mTokenCredentials
    from verizon.verizon_client import VerizonClient

    class Local(Configuration):
        def get_base_uri(self, *which: Any) -> str:
            return super().get_base_uri(*which).replace("https://thingspace.verizon.com", server.origin)

    client = VerizonClient(
        config=Local(
            http_client_instance=_plain(requests.Session(), adapter),
            thingspace_oauth_credentials=ThingspaceOauthCredentials(*CLIENT, oauth_clock_skew=int(leeway)),
            vz_m2m_token_credentials=VZM2mTokenCredentials("a-session-token"),
        )
    )
    manager = client.auth_managers["thingspace_oauth"]
    call = client.service_plans.list_account_service_plans

    def step(request: requests.PreparedRequest) -> None:
        manager.is_valid()
        manager.apply(_Headers(request))

    return Connection(lambda: call("0123456789-00001").status_code, step)


class _Headers:
    """A prepared request, as Verizon's SDK writes to its own."""

    def __init__(self, request: requests.PreparedRequest) -> None:
        self.add_header = request.headers.__setitem__


LIMIT = Contestant("static header", "requests", "requests", static)
OURS = (
    Contestant("ThingspaceAuth", "requests-thingspace", "requests_thingspace", thingspace_auth),
    Contestant("ThingspaceAdapter", "requests-thingspace", "requests_thingspace", thingspace_adapter),
)
PEERS = (
    Contestant("requests-oauthlib", "requests-oauthlib", "requests_oauthlib", requests_oauthlib),
    Contestant("Authlib", "Authlib", "authlib.integrations.requests_client", authlib),
    Contestant(
        "requests_oauth2client", "requests_oauth2client", "requests_oauth2client", requests_oauth2client
    ),
    Contestant("requests_auth", "requests_auth", "requests_auth", requests_auth),
    Contestant("google-auth", "google-auth", "google.auth.transport.requests", google_auth),
    Contestant("Verizon's SDK", "sdksio-verizon-apis-sdk", "verizon.verizon_client", verizon_sdk),
)
