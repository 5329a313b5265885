"""A job that obtains both tokens at its start, makes one call and logs out, as the environment tells it."""

import json
import sys

import by_hand

token = by_hand.fetch_token(by_hand.key)
headers = {"Authorization": "Bearer " + token["access_token"]}
login = by_hand.login(by_hand.user, headers)
if not login.ok:
    print(login.text)
    sys.exit(login.status_code)
headers["VZ-M2M-Token"] = login.json()["sessionToken"]
status = by_hand.call(headers)
by_hand.logout(headers).raise_for_status()
print(json.dumps({"token": token, "login": login.json(), "status": status}))
