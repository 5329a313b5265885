"""Sessions of all kinds, and what becomes of a request of each."""

import json
import os

import requests
from by_hand import account, base
from requests.adapters import BaseAdapter, HTTPAdapter

from requests_thingspace import ThingspaceAuth, mount

other = os.environ["OTHER_ORIGIN"]
stale = {"Authorization": "Bearer stale", "VZ-M2M-Token": "stale"}
sent = []


class Recording(HTTPAdapter):
    def send(self, request, **settings):
        sent.append(request.url)
        return super().send(request, **settings)


class Foreign(BaseAdapter):
    inner = HTTPAdapter()

    def send(self, *arguments, **settings):
        return self.inner.send(*arguments, **settings)

    def close(self):
        self.inner.close()


class Own(requests.Session):
    def get_adapter(self, url):
        return super().get_adapter(url)


def session_with(auth=None, adapter=None):
    session = requests.Session()
    session.auth = auth
    session.mount(base, adapter or HTTPAdapter())
    return session


sessions = {
    "made at import": requests.Session(),
    "a subclass": Own(),
    "an adapter of its own": session_with(adapter=Recording(max_retries=2)),
    "a foreign adapter": session_with(adapter=Foreign()),
    "an auth of its own": session_with(("someone", "something")),
    "a ThingspaceAuth": session_with(ThingspaceAuth.from_env()),
    "a ThingspaceAdapter": mount(requests.Session(), ThingspaceAuth.from_env()),
}
seen = {"requests.get": requests.get(account).status_code}
for kind, session in sessions.items():
    with session:
        seen[kind] = [session.get(account, headers=h).status_code for h in ({}, stale)]
seen["sent"] = sent == [account] * 2
seen["another origin"] = requests.get(other + "/sandbox/echo").json()["fault"]["code"]
away = requests.get(base + "/sandbox/redirect", params={"to": other + "/sandbox/echo"})
seen["redirected there"] = away.json()["fault"]["code"]
print(json.dumps(seen))
