"""Print the state of each device of an account, once a minute."""

import os
import sys
import time

import requests

from requests_thingspace import ThingspaceAuth

API = "https://thingspace.verizon.com/api"


def main(account, rounds):
    session = requests.Session()
    session.auth = ThingspaceAuth.from_env()
    for _ in range(rounds):
        response = session.post(f"{API}/m2m/v1/devices/actions/list", json={"accountName": account})
        response.raise_for_status()
        print(sum(device["connected"] for device in response.json()["devices"]), "connected")
        time.sleep(float(os.environ.get("PAUSE", "60")))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
