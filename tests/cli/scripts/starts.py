"""A job that obtains both tokens at its start, makes one call and logs out, as the environment tells it."""

# ruff: noqa: T201 - a job tells by print what it did

import json
import os
import sys

import requests

base = os.environ["THINGSPACE_BASE_URL"]
key = (os.environ["OWN_KEY"], os.environ["OWN_SECRET"])
user = {"username": os.environ["OWN_USER"], "password": os.environ["OWN_PASSWORD"]}

form = {"grant_type": "client_credentials"}
token = requests.post(base + "/api/ts/v1/oauth2/token", data=form, auth=key)
headers = {"Authorization": "Bearer " + token.json()["access_token"]}
login = requests.post(base + "/api/m2m/v1/session/login", json=user, headers=headers)
if not login.ok:
    print(login.text)
    sys.exit(login.status_code)
headers["VZ-M2M-Token"] = login.json()["sessionToken"]
account = requests.get(base + "/api/m2m/v1/accounts/TestAccount-1", headers=headers)
requests.post(base + "/api/m2m/v1/session/logout", headers=headers).raise_for_status()
print(json.dumps({"token": token.json(), "login": login.json(), "status": account.status_code}))
