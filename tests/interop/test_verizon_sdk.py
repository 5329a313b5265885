"""Verizon's Python SDK on a Session with this auth, and what was written for the SDK in ours."""

import time

import pytest
from verizon.configuration import Configuration, Server
from verizon.http.auth.thingspace_oauth import ThingspaceOauthCredentials
from verizon.http.auth.vz_m2m_token import VZM2mTokenCredentials
from verizon.models.log_in_request import LogInRequest
from verizon.models.oauth_token import OauthToken
from verizon.verizon_client import VerizonClient


@pytest.fixture
def sdk(sandbox):
    """A function that makes the SDK's client, which sends to the sandbox by a given Session."""

    class AtTheSandbox(Configuration):
        def get_base_uri(self, server=Server.THINGSPACE):
            return super().get_base_uri(server).replace("https://thingspace.verizon.com", sandbox.origin)

    def sdk(session, session_token="placeholder", oauth_token_provider=None, **settings):
        oauth = ThingspaceOauthCredentials(
            oauth_client_id=sandbox.client_id,
            oauth_client_secret=sandbox.client_secret,
            oauth_token_provider=oauth_token_provider,
        )
        configuration = AtTheSandbox(
            http_client_instance=session,
            thingspace_oauth_credentials=oauth,
            vz_m2m_token_credentials=VZM2mTokenCredentials(vz_m2m_token=session_token),
            **settings,
        )
        return VerizonClient(config=configuration)

    return sdk


def log_in(client, sandbox):
    request = LogInRequest(username=sandbox.username, password=sandbox.password)
    return client.session_management.start_connectivity_management_session(body=request).body.session_token


def test_the_sdk_keeps_its_own_token_call_and_its_calls_are_replayed(sandbox, connect, sdk):
    """Its Basic header arrives untouched, and so does its login; alone it has no answer to a revocation."""
    session = connect()
    session_token = log_in(sdk(session), sandbox)
    assert sandbox.answers == {("token", 200): 1, ("login", 200): 1}
    client = sdk(session, session_token)
    account = client.accounts.get_account_information(sandbox.account)
    assert account.body.account_name == sandbox.account
    assert sandbox.answers == {("token", 200): 3, ("login", 200): 1, ("api", 200): 1}
    sandbox.revoke_tokens()
    assert client.accounts.get_account_information(sandbox.account).status_code == 200
    assert sandbox.answers["api", 401] == 1


@pytest.mark.parametrize("statuses", [None, [401, 503]])
def test_the_sdk_may_change_the_sessions_retries(sandbox, connect, sdk, statuses):
    """`override_http_client_configuration=True` writes into the adapters of the Session, ours included."""
    session = connect()
    verify = session.verify
    settings = {"max_retries": 2, "retry_statuses": statuses, "backoff_factor": 0}
    client = sdk(session, log_in(sdk(session), sandbox), override_http_client_configuration=True, **settings)
    session.verify = verify  # the SDK sets that too
    client.accounts.get_account_information(sandbox.account)
    sandbox.revoke_tokens()
    assert client.accounts.get_account_information(sandbox.account).status_code == 200


@pytest.fixture
def provider():
    """A token provider as one writes it for the SDK, with its store and the number of its fetches."""

    def provider(last_oauth_token, auth_manager):
        if provider.stored is None or provider.stored.expiry < time.time():
            fetched = auth_manager.fetch_token()
            provider.stored = OauthToken(fetched.access_token, fetched.token_type, expiry=fetched.expiry)
            provider.fetches += 1
        return provider.stored

    provider.stored, provider.fetches = None, 0
    return provider


def test_a_provider_that_was_written_for_the_sdk(sandbox, connect, sdk, account, provider):
    """It fetches once for this library, another process and the SDK; a revoked token is not believed."""
    session = connect(token_provider=provider)
    session_token = session.get(account).request.headers["VZ-M2M-Token"]
    assert connect(token_provider=provider).get(account).status_code == 200
    client = sdk(session, session_token, oauth_token_provider=provider)
    assert client.accounts.get_account_information(sandbox.account).status_code == 200
    assert (provider.fetches, sandbox.calls["token"]) == (1, 1)
    sandbox.revoke_tokens()
    assert session.get(account).status_code == 200
    assert (provider.fetches, sandbox.calls["token"]) == (1, 2)
