"""Edge discovery as the 5G Edge tutorial has it: the token call goes to 5gedge, and the token is an argument.

python edge_discovery.py UE_IP_ADDRESS [ROUNDS]
"""

import os
import sys

import requests
from requests.adapters import HTTPAdapter, Retry

EDGE = "https://5gedge.verizon.com/api"

http = requests.Session()
http.mount("https://", HTTPAdapter(max_retries=Retry(3, status_forcelist=[502, 503], backoff_factor=0.1)))


class EdgeDiscovery:
    """The discovery service."""

    def authenticate(self, key, secret):
        """The access token."""
        url = EDGE + "/ts/v1/oauth2/token"
        r = http.post(url, data={"grant_type": "client_credentials"}, auth=(key, secret))
        return r.json()["access_token"]

    def service_endpoints(self, access_token, address):
        """Where the service is best reached from `address`."""
        headers = {"Authorization": "Bearer " + access_token, "Content-Type": "application/json"}
        params = {"UEIdentityType": "IPAddress", "UEIdentity": address}
        r = http.get(EDGE + "/mec/eds/serviceendpoints", headers=headers, params=params)
        return r.json()["serviceEndpoints"]


def main(address, rounds=15):
    """Ask again and again."""
    discovery = EdgeDiscovery()
    key = os.environ.get("LEGACY_KEY", "my-key")
    token = discovery.authenticate(key, os.environ.get("LEGACY_SECRET", "my-secret"))
    for _ in range(int(rounds)):
        for endpoint in discovery.service_endpoints(token, address):
            print(endpoint["ern"], endpoint["serviceEndpoint"]["FQDN"])


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    main(*sys.argv[1:])
