"""ThingSpace authentication for aiohttp: one helper around ``ClientSession.request``."""

import asyncio
from typing import Any

import aiohttp

from requests_thingspace import ThingspaceAuth


async def call(
    auth: ThingspaceAuth, client: aiohttp.ClientSession, method: str, url: str, **arguments: Any
) -> tuple[int, bytes]:
    """Call ThingSpace, with at most three tries: another bearer and another session may be needed.

    Returns:
        The status and the body.
    """
    for _ in range(3):
        headers = await asyncio.to_thread(auth.headers, url)  # in a thread, so that the event loop goes on
        request = client.request(method, url, headers=headers, allow_redirects=False, **arguments)
        async with request as answer:
            status, body = answer.status, await answer.read()
        if not await asyncio.to_thread(auth.refused, headers, status, body):
            break
    return status, body
