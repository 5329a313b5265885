"""ThingSpace authentication for httpx: ``httpx.Client(auth=ThingspaceForHttpx(auth))``, or AsyncClient."""

import asyncio
from collections.abc import AsyncGenerator, Generator

import httpx

from requests_thingspace import ThingspaceAuth

REFUSALS = (400, 401, 403)


class ThingspaceForHttpx(httpx.Auth):
    """At most three tries: another bearer and another session may be needed."""

    def __init__(self, auth: ThingspaceAuth) -> None:
        """Use the tokens of `auth`."""
        self.auth = auth

    def sync_auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """What a Client does."""
        for _ in range(3):
            headers = self.auth.headers(str(request.url))
            request.headers.update(headers)
            response = yield request
            if response.status_code not in REFUSALS:
                return
            if not self.auth.refused(headers, response.status_code, response.read()):
                return

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        """What an AsyncClient does; a token is fetched in a thread, so that the event loop goes on."""
        for _ in range(3):
            headers = await asyncio.to_thread(self.auth.headers, str(request.url))
            request.headers.update(headers)
            response = yield request
            if response.status_code not in REFUSALS:
                return
            body = await response.aread()
            if not await asyncio.to_thread(self.auth.refused, headers, response.status_code, body):
                return
