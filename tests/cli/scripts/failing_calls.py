"""Calls with secrets and tokens of its own, which reach nobody: prints which frames of ours show one."""

import base64
import json

import requests
from by_hand import account, base, key, user

token_url, login_url = base + "/api/ts/v1/oauth2/token", base + "/api/m2m/v1/session/login"
grant = {"grant_type": "client_credentials"}
bearer = {"Authorization": "Bearer the-scripts-token"}
calls = {
    "a token call": (token_url, {"data": grant, "auth": key}),
    "with another key": (token_url, {"data": grant, "auth": ("other", key[1])}),
    "with the secret in the body": (token_url, {"data": {**grant, "client_secret": key[1]}}),
    "with a password": (token_url, {"data": {"grant_type": "password", "password": user[1]}, "auth": key}),
    "a login": (login_url, {"json": {"username": user[0], "password": user[1]}, "headers": bearer}),
    "an API call": (account, {"headers": {**bearer, "VZ-M2M-Token": "the-scripts-session"}}),
}
encoded = base64.b64encode(":".join(key).encode()).decode()
secrets = [key[1], user[1], encoded[1:], "the-scripts-"]


def error_of(url, arguments):
    try:
        requests.post(url, **arguments)
    except requests.RequestException as error:
        return error
    raise SystemExit(f"{url} has answered")


def frames(error):
    while error is not None:
        trace, error = error.__traceback__, error.__context__
        while trace is not None:
            yield trace.tb_frame
            trace = trace.tb_next


print(
    json.dumps(
        [
            f"{call}: {frame.f_code.co_name} shows {name}"
            for call, asked in calls.items()
            for frame in frames(error_of(*asked))
            if frame.f_globals["__name__"].startswith("requests_thingspace")
            for name, value in frame.f_locals.items()
            if any(secret in repr(value) for secret in secrets)
        ]
    )
)
