"""A job with tokens of ours, and with those of another key or user, or its own, which it ends."""

import json
import sys

from by_hand import call, headers_of, key, logout, revoke, user

other = ("another", "one")
other_key, other_user = {"key": (other, user), "user": (key, other), "own": (key, user)}[sys.argv[1]]
all_headers = {"ours": headers_of(key, user), "another's": headers_of(other_key, other_user)}
seen = {name: [call(headers)] for name, headers in all_headers.items()}
doomed = all_headers["another's"]
if sys.argv[1] == "user":
    logout(doomed)
else:
    revoke(doomed["Authorization"].partition(" ")[2], other_key)
for name, headers in all_headers.items():
    seen[name].append(call(headers))
print(json.dumps(seen))
