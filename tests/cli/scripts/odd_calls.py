"""Token and login calls that are not quite what they should be, each with what came of it."""

import io
import json

import requests
from by_hand import base, fetch_token, key, user

token_url, login_url = base + "/api/ts/v1/oauth2/token", base + "/api/m2m/v1/session/login"
grant, good = {"grant_type": "client_credentials"}, {"username": user[0], "password": user[1]}
form, plain = {"Content-Type": "application/x-www-form-urlencoded"}, {"Content-Type": "text/plain"}
bearer = {"Authorization": "Bearer " + fetch_token(key)["access_token"]}
calls = {
    "the grant in the query": ("POST", token_url, {"params": grant, "auth": key, "headers": form}),
    "no form": ("POST", token_url, {"data": b"grant_type=client_credentials", "auth": key, "headers": plain}),
    "a stream": ("POST", token_url, {"data": io.BytesIO(b"grant_type=x"), "auth": key, "headers": form}),
    "another grant": ("POST", token_url, {"data": {"grant_type": "password"}, "auth": key}),
    "a field too many": ("POST", token_url, {"data": {**grant, "client_id": key[0]}, "auth": key}),
    "a scope": ("POST", token_url, {"data": {**grant, "scope": "ts.mec.limitaccess"}, "auth": key}),
    "another secret": ("POST", token_url, {"data": grant, "auth": (key[0], "guess")}),
    "no key": ("POST", token_url, {"data": grant}),
    "a broken key": ("POST", token_url, {"data": grant, "headers": {"Authorization": "Basic !"}}),
    "a method": ("GET", token_url, {"auth": key}),
    "a path": ("POST", base + "/api/ts/v2/oauth2/token", {"data": grant, "auth": key}),
    "no JSON": ("POST", login_url, {"data": b"{", "headers": bearer}),
    "a list": ("POST", login_url, {"json": [], "headers": bearer}),
    "no text": ("POST", login_url, {"json": {**good, "password": 1}, "headers": bearer}),
    "a login with more": ("POST", login_url, {"json": {**good, "force": True}, "headers": bearer}),
}
outcomes = {}
for name, (method, url, arguments) in calls.items():
    answer = requests.request(method, url, **arguments)
    outcomes[name] = [answer.status_code, list(answer.json())]
print(json.dumps(outcomes))
