"""Sessions of all kinds, and what becomes of a request of each."""

# ruff: noqa: T201 - a job tells by print what it did

import json
import os

import requests
from requests.adapters import BaseAdapter, HTTPAdapter

from requests_thingspace import ThingspaceAuth, mount

base, other = os.environ["THINGSPACE_BASE_URL"], os.environ["OTHER_ORIGIN"]
account = "/api/m2m/v1/accounts/TestAccount-1"
stale = {"Authorization": "Bearer stale", "VZ-M2M-Token": "stale"}
sent = []


class Recording(HTTPAdapter):
    """An adapter with habits of its own."""

    def send(self, request, **settings):
        sent.append(request.url)
        return super().send(request, **settings)


class Foreign(BaseAdapter):
    """An adapter that is none of requests'."""

    def __init__(self):
        super().__init__()
        self.inner = HTTPAdapter()

    def send(self, *arguments, **settings):
        return self.inner.send(*arguments, **settings)

    def close(self):
        self.inner.close()


class Own(requests.Session):
    """A subclass that chooses adapters by itself."""

    def get_adapter(self, url):
        return super().get_adapter(url)


def mounted(session, adapter):
    session.mount(base, adapter)
    return session


def own_auth():
    session = requests.Session()
    session.auth = ThingspaceAuth.from_env()
    return session


basic = requests.Session()
basic.auth = ("someone", "something")
sessions = {
    "made at import": requests.Session(),
    "a subclass": Own(),
    "an adapter of its own": mounted(requests.Session(), Recording(max_retries=2)),
    "a foreign adapter": mounted(requests.Session(), Foreign()),
    "an auth of its own": basic,
    "a ThingspaceAuth": own_auth(),
    "a ThingspaceAdapter": mount(requests.Session(), ThingspaceAuth.from_env()),
}

if __name__ == "__main__":
    seen = {"requests.get": requests.get(base + account).status_code}
    for kind, session in sessions.items():
        with session:
            seen[kind] = [session.get(base + account, headers=h).status_code for h in ({}, stale)]
    seen["sent"] = sent == [base + account] * 2
    seen["another origin"] = requests.get(other + "/sandbox/echo").json()["fault"]["code"]
    away = requests.get(base + "/sandbox/redirect", params={"to": other + "/sandbox/echo"})
    seen["redirected there"] = away.json()["fault"]["code"]
    print(json.dumps(seen))
