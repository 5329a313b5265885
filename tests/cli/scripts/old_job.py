"""A job as it was written ten years ago: tokens are fetched once, by hand, and never again."""

# ruff: noqa: T201 - a job tells by print what it did

import base64
import os
import sys
import threading

import requests

base = os.environ["THINGSPACE_BASE_URL"]
url = base + "/api/m2m/v1/accounts/TestAccount-1"


def login():
    key = os.environ["THINGSPACE_CLIENT_ID"] + ":" + os.environ["THINGSPACE_CLIENT_SECRET"]
    basic = "Basic " + base64.b64encode(key.encode()).decode()
    form = {"grant_type": "client_credentials"}
    r = requests.post(base + "/api/ts/v1/oauth2/token", data=form, headers={"Authorization": basic})
    bearer = {"Authorization": "Bearer " + r.json()["access_token"]}
    user = {"username": "sandbox-user", "password": os.environ["OLD_PASSWORD"]}
    r = requests.post(base + "/api/m2m/v1/session/login", json=user, headers=bearer)
    return {**bearer, "VZ-M2M-Token": r.json()["sessionToken"]}


headers = login()
seen = []


def call():
    seen.append(requests.get(url, headers=headers).status_code)
    seen.append(requests.get(url, headers=headers).status_code)


for _ in sys.stdin:  # each round begins when someone presses Enter
    seen.clear()
    threads = [threading.Thread(target=call) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(*sorted(set(seen)), flush=True)

r = requests.post(base + "/api/m2m/v1/session/logout", headers=headers)
print("same session" if r.json().get("sessionToken") == headers["VZ-M2M-Token"] else r.status_code)
