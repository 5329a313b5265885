"""A job with tokens of ours, and with those of another key or user, both of which it ends."""

import json
import sys

from by_hand import call, headers_of, key, logout, revoke, user

other = ("another", "one")
other_key, other_user = (other, user) if sys.argv[1] == "key" else (key, other)
all_headers = {"ours": headers_of(key, user), "another's": headers_of(other_key, other_user)}
seen = {name: [call(headers)] for name, headers in all_headers.items()}
doomed = all_headers["another's"]
if sys.argv[1] == "key":
    revoke(doomed["Authorization"].partition(" ")[2], other_key)
else:
    logout(doomed)
for name, headers in all_headers.items():
    seen[name].append(call(headers))
print(json.dumps(seen))
