"""A job that revokes its token at the end, and then goes on all the same."""

from by_hand import call, fetch_token, key, revoke


def call_with(token):
    return call({"Authorization": "Bearer " + token})


token = fetch_token(key)["access_token"]
print(call_with(token), revoke(token, key).status_code, call_with(fetch_token(key)["access_token"]))
