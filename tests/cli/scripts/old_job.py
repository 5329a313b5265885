"""A job as it was written ten years ago: tokens are fetched once, by hand, and never again."""

import sys
from threading import Thread

from by_hand import call, headers_of, key, logout, user

headers = headers_of(key, user)
seen = []


def call_twice():
    seen.extend([call(headers), call(headers)])


for _ in sys.stdin:  # each round begins when someone presses Enter
    seen.clear()
    threads = [Thread(target=call_twice) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(*sorted(set(seen)), flush=True)

r = logout(headers)
print("same session" if r.json().get("sessionToken") == headers["VZ-M2M-Token"] else r.status_code)
