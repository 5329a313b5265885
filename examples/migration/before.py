"""Print the state of each device of an account, once a minute."""

import base64
import os
import sys
import time

import requests

API = "https://thingspace.verizon.com/api"


def get_token(key, secret):
    basic = base64.b64encode(f"{key}:{secret}".encode()).decode()
    response = requests.post(
        f"{API}/ts/v1/oauth2/token",
        headers={"Authorization": f"Basic {basic}"},
        data={"grant_type": "client_credentials"},
    )
    response.raise_for_status()
    return response.json()["access_token"]


def get_session(token, username, password):
    response = requests.post(
        f"{API}/m2m/v1/session/login",
        headers={"Authorization": f"Bearer {token}"},
        json={"username": username, "password": password},
    )
    response.raise_for_status()
    return response.json()["sessionToken"]


def main(account, rounds):
    token = get_token(os.environ["THINGSPACE_CLIENT_ID"], os.environ["THINGSPACE_CLIENT_SECRET"])
    session = get_session(token, os.environ["THINGSPACE_USERNAME"], os.environ["THINGSPACE_PASSWORD"])
    headers = {"Authorization": f"Bearer {token}", "VZ-M2M-Token": session}
    for _ in range(rounds):
        response = requests.post(
            f"{API}/m2m/v1/devices/actions/list", headers=headers, json={"accountName": account}
        )
        response.raise_for_status()
        print(sum(device["connected"] for device in response.json()["devices"]), "connected")
        time.sleep(float(os.environ.get("PAUSE", "60")))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
