"""Many calls from a pool of threads: one auth for all, a Session for each.

python examples/thread_pool.py 0000123456-00001 200
"""

import sys
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import requests

from requests_thingspace import ThingspaceAuth

THREADS = 32

auth = ThingspaceAuth.from_env()
mine = threading.local()


def start_thread() -> None:
    """Give the thread a Session of its own, as requests advises; they all share the one auth."""
    mine.session = requests.Session()
    mine.session.auth = auth


def look_up(account: str) -> int:
    """The HTTP status of one call."""
    url = f"{auth.environment.origins[0]}/api/m2m/v1/accounts/{account}"
    return mine.session.get(url, timeout=60).status_code


def main(account: str, calls: int) -> None:
    """Make the calls and print how they ended."""
    with ThreadPoolExecutor(THREADS, initializer=start_thread) as pool:
        statuses = Counter(pool.map(look_up, [account] * calls))
    for status, count in sorted(statuses.items()):
        print(f"{count} answers with status {status}")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(sys.argv[1], int(sys.argv[2]))
