"""A job with tokens of ours, and with those of another key or user."""

# ruff: noqa: T201 - a job tells by print what it did

import json
import os
import sys

import requests

base = os.environ["THINGSPACE_BASE_URL"]
ours = {
    "key": (os.environ["OWN_KEY"], os.environ["OWN_SECRET"]),
    "user": (os.environ["OWN_USER"], os.environ["OWN_PASSWORD"]),
}
another = {**ours, sys.argv[1]: ("another", "one")}
form = {"grant_type": "client_credentials"}


def headers_of(owner):
    token = requests.post(base + "/api/ts/v1/oauth2/token", data=form, auth=owner["key"]).json()
    headers = {"Authorization": "Bearer " + token["access_token"]}
    username, password = owner["user"]
    user = {"username": username, "password": password}
    login = requests.post(base + "/api/m2m/v1/session/login", json=user, headers=headers)
    return {**headers, "VZ-M2M-Token": login.json()["sessionToken"]}


def call(headers):
    return requests.get(base + "/api/m2m/v1/accounts/TestAccount-1", headers=headers).status_code


all_headers = {"ours": headers_of(ours), "another's": headers_of(another)}
seen = {name: [call(headers)] for name, headers in all_headers.items()}
doomed = all_headers["another's"]
if sys.argv[1] == "key":
    body = {**form, "token": doomed["Authorization"].partition(" ")[2]}
    requests.post(base + "/api/ts/v1/oauth2/revoke", data=body, auth=another["key"])
else:
    requests.post(base + "/api/m2m/v1/session/logout", headers=doomed)
for name, headers in all_headers.items():
    seen[name].append(call(headers))
print(json.dumps(seen))
