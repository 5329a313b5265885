"""The endpoints as one client sees them, with a secret and a password that do not change."""

from __future__ import annotations

from requests_thingspace import Clock, OAuthToken, TokenManager
from requests_thingspace._endpoints.m2m import M2MEndpoints
from requests_thingspace._endpoints.oauth import OAuthEndpoints
from requests_thingspace._events import Events
from requests_thingspace._values import Secret


class Client:
    """The OAuth endpoints, for one secret."""

    def __init__(self, client_id, client_secret, environment, **more):
        self.endpoints = OAuthEndpoints(client_id, environment, **more)
        self.secret = Secret(client_secret)

    def fetch(self, transport):
        """Ask the token endpoint."""
        return self.endpoints.fetch(self.secret, transport)

    def revoke(self, access_token, transport):
        """Ask the revoke endpoint."""
        return self.endpoints.revoke(self.secret, OAuthToken(access_token), transport)


def manager_of(fetch, token=None, clock=None):
    """The manager of an OAuth token that `fetch` gives."""
    clock = clock or Clock()
    events = Events(None, clock.wall)
    return TokenManager(
        OAuthToken, fetch, identity=("one",), fingerprint=str, events=events, token=token, clock=clock
    )


def login_of(username, password, environment, bearers, *, timeout=5.0, clock=None, key="key"):
    """The M2M endpoints, for one password."""
    clock = clock or Clock()
    return M2MEndpoints(
        username,
        lambda: Secret(password),
        environment,
        bearers,
        key=lambda: Secret(key),
        events=Events(None, clock.wall),
        clock=clock,
        timeout=timeout,
    )
