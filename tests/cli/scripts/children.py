"""Calls from child processes of the kind that is named, from a process and from a pool."""

import concurrent.futures
import multiprocessing
import sys

import requests
from by_hand import account

session = requests.Session()


def call(_):
    return session.get(account, headers={"Authorization": "Bearer stale"}).status_code


def tell(connection):
    connection.send(call(None))


if __name__ == "__main__":
    context = multiprocessing.get_context(sys.argv[1])
    ours, theirs = context.Pipe()
    process = context.Process(target=tell, args=(theirs,))
    process.start()
    print(ours.recv())
    process.join()
    with concurrent.futures.ProcessPoolExecutor(2, mp_context=context) as pool:
        print(*pool.map(call, range(3)))
