"""Looks at the account by the HTTP library that is named."""

# ruff: noqa: T201 - a job tells by print what it did

import asyncio
import os
import ssl
import sys
import urllib.error
import urllib.request

url = os.environ["THINGSPACE_BASE_URL"] + "/api/m2m/v1/accounts/TestAccount-1"
context = ssl.create_default_context(cafile=os.environ["REQUESTS_CA_BUNDLE"])


def by_requests():
    import requests

    return requests.get(url).status_code


def by_urllib():
    try:
        return urllib.request.urlopen(url, context=context).status
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def by_urllib3():
    import urllib3

    return urllib3.PoolManager(ssl_context=context).request("GET", url).status


def by_httpx():
    import httpx

    return httpx.get(url, verify=context).status_code


def by_async_httpx():
    import httpx

    async def get():
        async with httpx.AsyncClient(verify=context) as client:
            return (await client.get(url)).status_code

    return asyncio.run(get())


def by_aiohttp():
    import aiohttp

    async def get():
        async with aiohttp.ClientSession() as client, client.get(url, ssl=context) as answer:
            return answer.status

    return asyncio.run(get())


def by_elsewhere():
    import socket

    socket.getaddrinfo("localhost", 9)
    socket.getaddrinfo(None, 9)
    return 200


for name in sys.argv[1:]:
    print(globals()[f"by_{name}"](), globals()[f"by_{name}"]())
