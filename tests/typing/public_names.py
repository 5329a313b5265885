"""Everything that is public, used as its types promise: checked by mypy and pyright, never run."""

from __future__ import annotations

import os
from pathlib import Path

import requests
from typing_extensions import assert_type

from requests_thingspace import (
    PRODUCTION,
    STAGING,
    Environment,
    Event,
    FileTokenCache,
    LoginRefusedError,
    OAuthToken,
    SessionToken,
    ThingspaceAdapter,
    ThingspaceAuth,
    ThingspaceError,
    TokenManager,
    mount,
)


def provider(last_token: OAuthToken | None, manager: TokenManager[OAuthToken]) -> OAuthToken:
    """A provider as the pages show it."""
    token = last_token
    if token is not None and manager.is_usable(token) and not token.is_expired(manager.clock_skew):
        return token
    return manager.fetch_token()


def changed(token: OAuthToken) -> None:
    assert_type(token.access_token, str)
    assert_type(token.token_type, str)
    assert_type(token.expires_at, float | None)


def listener(event: Event) -> None:
    assert_type(event.name, str)
    assert_type(event.status, int | None)


def secret() -> str:
    return os.environ["SECRET"]


auth = ThingspaceAuth("id", "secret", username="user", password="password")
assert_type(auth, ThingspaceAuth)
ThingspaceAuth("id", Path("secret"), username="user", password=secret)
ThingspaceAuth("id", secret, scopes=["read"], clock_skew=120, environment=STAGING, timeout=10)
ThingspaceAuth("id", "secret", token_provider=provider, on_token_update=changed, on_event=listener)
ThingspaceAuth("id", "secret", cache=FileTokenCache(), session=requests.Session())
ThingspaceAuth("id", "secret", token={"access_token": "text"}, session_token="text")
assert_type(ThingspaceAuth.from_env(clock_skew=1), ThingspaceAuth)
assert_type(ThingspaceAuth.from_profile("north"), ThingspaceAuth)
assert_type(ThingspaceAuth.from_credentials({"oauthClientId": "id"}), ThingspaceAuth)
ThingspaceAuth("id")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
ThingspaceAuth("id", 5)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]

session = requests.Session()
session.auth = auth
assert_type(mount(session, auth, pool_maxsize=32), requests.Session)
session.mount("https://thingspace.verizon.com/", ThingspaceAdapter(auth))
assert_type(auth.get_token(), OAuthToken)
assert_type(auth.get_session_token(), SessionToken)
assert_type(auth.headers("https://thingspace.verizon.com/"), dict[str, str])
assert_type(auth.refused({"Authorization": "Bearer x"}, 401, b""), bool)
assert_type(auth.token, OAuthToken | None)
assert_type(auth.session_token, SessionToken | None)
assert_type(auth.client_id, str)
assert_type(auth.clock_skew, float)
assert_type(auth.environment, Environment)
auth.clock_skew = 120
auth.token = None
auth.reset(username="user", password="password")
assert_type(PRODUCTION.covers("https://thingspace.verizon.com/"), bool)
assert_type(PRODUCTION.session_header_for("https://thingspace.verizon.com/"), str | None)

try:
    auth.get_token()
except ThingspaceError as error:
    assert_type(error.status, int | None)
    assert_type(error.code, str | None)
    assert_type(error.retryable, bool)
    assert_type(error.retry_after, float | None)
    if isinstance(error, LoginRefusedError):
        raise
