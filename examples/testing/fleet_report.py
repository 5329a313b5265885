"""A script to be tested: it takes the Session and the place from outside, and knows nothing of tokens."""

import requests

from requests_thingspace import ThingspaceAuth


def connected_devices(session: requests.Session, origin: str, account: str) -> int:
    """How many devices of `account` are connected."""
    query = {"accountName": account}
    answer = session.post(f"{origin}/api/m2m/v1/devices/actions/list", json=query, timeout=60)
    answer.raise_for_status()
    return sum(device["connected"] for device in answer.json()["devices"])


if __name__ == "__main__":
    with requests.Session() as session:
        session.auth = ThingspaceAuth.from_env()
        print(connected_devices(session, session.auth.environment.origins[0], "0000123456-00001"))
