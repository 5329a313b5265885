"""The sample app on Verizon's Python SDK: a new client is built to put in the session token.

pip install sdksio-verizon-apis-sdk
python sample_app.py ACCOUNT [ROUNDS]
"""

import os
import sys

from verizon.http.auth.thingspace_oauth import ThingspaceOauthCredentials
from verizon.http.auth.vz_m2m_token import VZM2mTokenCredentials
from verizon.models.log_in_request import LogInRequest
from verizon.verizon_client import VerizonClient


def new_client(session_token):
    """A client; before the login the session token is anything."""
    return VerizonClient(
        thingspace_oauth_credentials=ThingspaceOauthCredentials(
            oauth_client_id=os.environ.get("LEGACY_KEY", "my-key"),
            oauth_client_secret=os.environ.get("LEGACY_SECRET", "my-secret"),
            oauth_token_provider=lambda _, auth_manager: auth_manager.fetch_token(),
        ),
        vz_m2m_token_credentials=VZM2mTokenCredentials(vz_m2m_token=session_token),
        max_retries=3,
        backoff_factor=0.1,
    )


def main(account, rounds=15):
    """Show the account again and again."""
    user = LogInRequest(
        username=os.environ.get("LEGACY_USERNAME", "my-user"),
        password=os.environ.get("LEGACY_PASSWORD", "my-password"),
    )
    client = new_client("not yet")
    login = client.session_management.start_connectivity_management_session(body=user)
    client = new_client(login.body.session_token)
    for _ in range(int(rounds)):
        answer = client.accounts.get_account_information(account)
        print(answer.status_code, answer.body.organization_name)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    main(*sys.argv[1:])
