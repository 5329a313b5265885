"""Calls from child processes of the kind that is named, from a process and from a pool."""

# ruff: noqa: T201 - a job tells by print what it did

import concurrent.futures
import multiprocessing
import os
import sys

import requests

session = requests.Session()


def call(_):
    url = os.environ["THINGSPACE_BASE_URL"] + "/api/m2m/v1/accounts/TestAccount-1"
    return session.get(url, headers={"Authorization": "Bearer stale"}).status_code


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
