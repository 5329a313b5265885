"""A script that uses this library itself, by an auth and by an adapter."""

# ruff: noqa: T201 - a job tells by print what it did

import requests

from requests_thingspace import ThingspaceAuth, mount

url = "https://thingspace.verizon.com/api/m2m/v1/accounts/4711"


def new_auth():
    return ThingspaceAuth("own-key", "own-secret", username="own-user", password="own-password")


def use(session, auth):
    first = session.get(url).status_code
    auth.revoke()  # by a call of its own, after which the auth gets another token by itself
    return first, session.get(url).status_code


by_auth, by_adapter = requests.Session(), requests.Session()
by_auth.auth = new_auth()
adapted = new_auth()
mount(by_adapter, adapted)
print(*use(by_auth, by_auth.auth), *use(by_adapter, adapted))
