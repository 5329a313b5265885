"""A poller as the autoscaling tutorial has it: both tokens are fetched once, before the loop.

python autoscaling.py ACCOUNT [ROUNDS [SECONDS]]
"""

import base64
import json
import os
import sys
import time

import requests

API = "https://thingspace.verizon.com/api"


class Settings:
    """The credentials, and then the tokens."""

    def __init__(self):
        self.key = os.environ.get("LEGACY_KEY", "my-key")
        self.secret = os.environ.get("LEGACY_SECRET", "my-secret")
        self.username = os.environ.get("LEGACY_USERNAME", "my-user")
        self.password = os.environ.get("LEGACY_PASSWORD", "my-password")
        self.bearer = None
        self.session = None

    def headers(self):
        """What each call carries."""
        return {"Authorization": "Bearer " + self.bearer, "VZ-M2M-Token": self.session}


def get_bearer(settings):
    """POST key and secret."""
    basic = base64.b64encode((settings.key + ":" + settings.secret).encode()).decode()
    headers = {"Authorization": "Basic " + basic, "Content-Type": "application/x-www-form-urlencoded"}
    r = requests.post(API + "/ts/v1/oauth2/token", headers=headers, data="grant_type=client_credentials")
    if r.status_code != 200:
        print("cannot get a bearer:", r.text)
        sys.exit(1)
    return r.json()["access_token"]


def get_session(settings):
    """POST user and password."""
    headers = {"Authorization": "Bearer " + settings.bearer, "Content-Type": "application/json"}
    body = json.dumps({"username": settings.username, "password": settings.password})
    r = requests.post(API + "/m2m/v1/session/login", headers=headers, data=body)
    if r.status_code != 200:
        print("cannot log in:", r.text)
        sys.exit(1)
    return r.json()["sessionToken"]


def count_connected(settings, account):
    """POST a query: how many devices are connected, or None on a bad day."""
    body = {"accountName": account, "maxNumberOfDevices": 500}
    r = requests.post(API + "/m2m/v1/devices/actions/list", headers=settings.headers(), json=body)
    if r.status_code >= 500:
        return None
    if r.status_code != 200:
        print(r.status_code, r.text)
        sys.exit(1)
    return sum(device["connected"] for device in r.json()["devices"])


def main(account, rounds=15, seconds=0.0):
    """Poll."""
    settings = Settings()
    settings.bearer = get_bearer(settings)
    settings.session = get_session(settings)
    left = int(rounds)
    while left:
        connected = count_connected(settings, account)
        if connected is not None:
            print("connected:", connected)
            left -= 1
        time.sleep(float(seconds))


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    main(*sys.argv[1:])
