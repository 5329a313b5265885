"""What such jobs write again and again: a token, a login, a call, as the environment tells."""

import os

import requests

base = os.environ["THINGSPACE_BASE_URL"]
account = base + "/api/m2m/v1/accounts/TestAccount-1"
key = (os.environ.get("OWN_KEY"), os.environ.get("OWN_SECRET"))
user = (os.environ.get("OWN_USER"), os.environ.get("OWN_PASSWORD"))


def fetch_token(key):
    form = {"grant_type": "client_credentials"}
    return requests.post(base + "/api/ts/v1/oauth2/token", data=form, auth=key).json()


def revoke(token, key):
    form = {"grant_type": "client_credentials", "token": token}
    return requests.post(base + "/api/ts/v1/oauth2/revoke", data=form, auth=key)


def login(user, headers):
    body = {"username": user[0], "password": user[1]}
    return requests.post(base + "/api/m2m/v1/session/login", json=body, headers=headers)


def logout(headers):
    return requests.post(base + "/api/m2m/v1/session/logout", headers=headers)


def headers_of(key, user):
    headers = {"Authorization": "Bearer " + fetch_token(key)["access_token"]}
    return {**headers, "VZ-M2M-Token": login(user, headers).json()["sessionToken"]}


def call(headers):
    return requests.get(account, headers=headers).status_code
