"""Looks at the account by the HTTP library that is named."""

import asyncio
import os
import socket
import ssl
import sys
import urllib.error
import urllib.request
from importlib import import_module

url = os.environ["THINGSPACE_BASE_URL"] + "/api/m2m/v1/accounts/TestAccount-1"
context = ssl.create_default_context(cafile=os.environ["REQUESTS_CA_BUNDLE"])


def by_urllib(_):
    try:
        return urllib.request.urlopen(url, context=context).status
    except urllib.error.HTTPError as error:
        with error:
            return error.code


async def by_async_httpx(httpx):
    async with httpx.AsyncClient(verify=context) as client:
        return (await client.get(url)).status_code


async def by_aiohttp(aiohttp):
    async with aiohttp.ClientSession() as client, client.get(url, ssl=context) as answer:
        return answer.status


def by_socket(_):
    socket.getaddrinfo("localhost", 9)  # a place that is not ThingSpace
    socket.getaddrinfo(None, 9)
    return 200


clients = {
    "requests": lambda requests: requests.get(url).status_code,
    "urllib": by_urllib,
    "urllib3": lambda urllib3: urllib3.PoolManager(ssl_context=context).request("GET", url).status,
    "httpx": lambda httpx: httpx.get(url, verify=context).status_code,
    "async_httpx": by_async_httpx,
    "aiohttp": by_aiohttp,
    "socket": by_socket,
}
for _ in range(2):
    found = clients[sys.argv[1]](import_module(sys.argv[1].replace("async_", "")))
    print(asyncio.run(found) if asyncio.iscoroutine(found) else found)
