"""Registrations as the ETX examples have them: a ready-made base64 key, a token pair, and no renewal.

    python registration.py VENDOR [ROUNDS]

``config.json`` in the working folder holds "key" (base64 of "key:secret"), "username" and "password".
"""

import json
import sys
import time
from collections import namedtuple
from pathlib import Path

import requests

THINGSPACE = "https://thingspace.verizon.com/api"
IMP = "https://imp.thingspace.verizon.com/api"

TokenPair = namedtuple("TokenPair", "access_token session_token")


def get_tokens(config):
    """Both tokens."""
    r = requests.post(
        THINGSPACE + "/ts/v1/oauth2/token",
        headers={"Authorization": "Basic " + config["key"]},
        data={"grant_type": "client_credentials"},
    )
    r.raise_for_status()
    access_token = r.json()["access_token"]
    r = requests.post(
        THINGSPACE + "/m2m/v1/session/login",
        headers={"Authorization": f"Bearer {access_token}"},
        json={"username": config["username"], "password": config["password"]},
    )
    r.raise_for_status()
    return TokenPair(access_token, r.json()["sessionToken"])


def register(tokens, vendor, number):
    """Register one client; a gateway that is out of order is asked three times."""
    headers = {"Authorization": f"Bearer {tokens.access_token}", "SessionToken": tokens.session_token}
    body = {"ClientType": "Vehicle", "ClientSubtype": "PassengerCar", "VendorID": f"{vendor}-{number}"}
    for attempt in range(3):
        r = requests.post(IMP + "/v2/clients/registration", headers=headers, json=body)
        if r.status_code != 503:
            break
        time.sleep(0.1 * attempt)
    r.raise_for_status()
    return r.json()["DeviceID"]


def main(vendor, rounds=15):
    """Register a number of clients."""
    tokens = get_tokens(json.loads(Path("config.json").read_text()))
    for number in range(int(rounds)):
        print(register(tokens, vendor, number))


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    main(*sys.argv[1:])
