"""A script that uses this library itself, by an auth and by an adapter."""

import requests

from requests_thingspace import ThingspaceAuth, mount

url = "https://thingspace.verizon.com/api/m2m/v1/accounts/4711"


def use(attach):
    auth = ThingspaceAuth("own-key", "own-secret", username="own-user", password="own-password")
    session = requests.Session()
    attach(session, auth)
    first = session.get(url).status_code
    auth.revoke()  # by a call of its own, after which the auth gets another token by itself
    return first, session.get(url).status_code


print(*use(lambda session, auth: setattr(session, "auth", auth)), *use(mount))
