"""The endpoints as one client sees them, with a secret and a password that do not change."""

from requests_thingspace import PRODUCTION, Clock, OAuthToken, TokenManager, TokenRequestError
from requests_thingspace._endpoints.m2m import M2MEndpoints
from requests_thingspace._endpoints.oauth import OAuthEndpoints
from requests_thingspace._settings import Settings, Source
from requests_thingspace._values import Secret

DEFAULTS = dict.fromkeys(Settings._fields) | {"client_id": "id", "scopes": (), "clock_skew": 60.0}
DEFAULTS |= {"environment": PRODUCTION, "timeout": 5.0, "clock": Clock()}
"""What a client is given that says nothing else."""


class Client:
    """The OAuth endpoints, for one secret."""

    def __init__(self, client_id, client_secret, environment, **more):
        settings = Settings(**{**DEFAULTS, "client_id": client_id, "environment": environment, **more})
        self.endpoints = OAuthEndpoints(settings)
        self.secret = Secret(client_secret)

    def fetch(self, transport):
        return self.endpoints.fetch(self.secret, transport)

    def revoke(self, access_token, transport):
        return self.endpoints.revoke(self.secret, OAuthToken(access_token), transport)


class Manager(TokenManager):
    """The manager of an OAuth token that a function fetches."""

    token_class, credential, _kind, _refusal = OAuthToken, "bearer", "token", TokenRequestError
    _fetch = fingerprint = None

    def __init__(self, fetch, token=None):
        super().__init__(Settings(**DEFAULTS), None, token, "one")
        self._fetch = fetch


def login_of(username, password, environment, bearers, *, key="key", **more):
    given = {**DEFAULTS, "username": username, "password": Source("password", Secret(password)), **more}
    bearers.secret = Source("client_secret", Secret(key))
    return M2MEndpoints(Settings(**{**given, "environment": environment}), bearers)
