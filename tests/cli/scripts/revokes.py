"""A job that revokes its token at the end, and then goes on all the same."""

# ruff: noqa: T201 - a job tells by print what it did

import os

import requests

base = os.environ["THINGSPACE_BASE_URL"]
key = (os.environ["OWN_KEY"], os.environ["OWN_SECRET"])
form = {"grant_type": "client_credentials"}


def get_token():
    return requests.post(base + "/api/ts/v1/oauth2/token", data=form, auth=key).json()["access_token"]


def call(token):
    headers = {"Authorization": "Bearer " + token}
    return requests.get(base + "/api/m2m/v1/accounts/TestAccount-1", headers=headers).status_code


token = get_token()
first = call(token)
ended = requests.post(base + "/api/ts/v1/oauth2/revoke", data={**form, "token": token}, auth=key)
print(first, ended.status_code, call(get_token()))
