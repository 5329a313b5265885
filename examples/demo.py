"""The library at work, line by line.

Without an account it talks to the sandbox: ``make demo``. With ``THINGSPACE_CLIENT_ID`` and
``THINGSPACE_CLIENT_SECRET`` set it talks to ThingSpace itself; most resources there want
``THINGSPACE_USERNAME`` and ``THINGSPACE_PASSWORD`` as well, and ``THINGSPACE_ACCOUNT`` names your
billing account. It reads one account record, again and again, and changes nothing.
"""

from __future__ import annotations

import os
import sqlite3
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import requests

from requests_thingspace import OAuthToken, ThingspaceAuth, TokenManager, mount


class Demo:
    """The scenes, on a Session that the caller made, and the counts at the end."""

    def __init__(self, session: requests.Session, url: str, arguments: dict[str, Any]) -> None:
        self.session = session
        self.url = url
        self.arguments = arguments
        self.statuses: Counter[int] = Counter()
        self.renewals: list[str] = []
        session.hooks["response"].append(self.count)

    def count(self, response: requests.Response, **_: Any) -> None:
        """Response hook: what the caller gets to see."""
        self.statuses[response.status_code] += 1

    def on_token_update(self, token: OAuthToken) -> None:
        """Update callback: where an application would store the token."""
        self.renewals.append(repr(token))
        print(f"    on_token_update: {token}")

    def auth(self, **more: Any) -> ThingspaceAuth:
        """The one line that an existing script needs."""
        return ThingspaceAuth.from_env(
            **{**self.arguments, "session": self.session, "on_token_update": self.on_token_update, **more}
        )

    def call(self, times: int = 1) -> None:
        """GET the account, from as many threads as there are calls."""
        if times == 1:
            answers = [self.session.get(self.url, timeout=60)]
        else:
            with ThreadPoolExecutor(times) as pool:
                answers = list(pool.map(lambda _: self.session.get(self.url, timeout=60), range(times)))
        seen = Counter(answer.status_code for answer in answers)
        print(f"    {times} API call{'s' * (times > 1)}: {dict(seen)}")


def everywhere(demo: Demo) -> None:
    """What can be shown on any ThingSpace."""
    print("session.auth = ThingspaceAuth(...): the first call fetches the token")
    demo.session.auth = demo.auth()
    demo.call()

    print("many threads share it")
    demo.call(times=16)

    print("a token provider with sqlite: the token survives the process")
    database = sqlite3.connect(":memory:")
    database.execute("create table token (access_token text, expires_at real)")

    def provider(last_token: OAuthToken | None, manager: TokenManager[OAuthToken]) -> OAuthToken:
        row = database.execute("select access_token, expires_at from token").fetchone()
        stored = row and OAuthToken(row[0], expires_at=row[1])
        if stored and manager.accepts(stored):
            print("    provider: from the database")
            return stored
        print("    provider: nothing stored, ask ThingSpace")
        token = manager.fetch_token()
        database.execute("delete from token")
        database.execute("insert into token values (?, ?)", (token.access_token, token.expires_at))
        return token

    for _ in range(2):
        demo.session.auth = demo.auth(token_provider=provider)
        demo.call()
    database.close()

    print("the other face: mount(session, auth)")
    demo.session.auth = None
    mount(demo.session, demo.auth())
    demo.call(times=16)


def in_the_sandbox(demo: Demo, sandbox: Any) -> None:
    """What only a sandbox lets us do: make time pass, revoke, and fail."""
    print("an hour later the token is expired")
    sandbox.advance(3600)
    demo.call(times=16)

    print("somebody revokes the token in mid-flight, and the M2M session ends")
    sandbox.revoke_tokens()
    sandbox.end_sessions()
    demo.call(times=16)

    print("the token endpoint is out of order twice while the token expires")
    sandbox.advance(3600)
    sandbox.fail_next("token", status=503, times=2)
    demo.call(times=4)


def main() -> int:
    """Run all scenes; 0 if every API call was a 200."""
    with ExitStack() as stack:
        session = stack.enter_context(requests.Session())
        real = bool(os.environ.get("THINGSPACE_CLIENT_ID") and os.environ.get("THINGSPACE_CLIENT_SECRET"))
        if real:
            origin = os.environ.get("THINGSPACE_BASE_URL") or "https://thingspace.verizon.com"
            account = os.environ.get("THINGSPACE_ACCOUNT", "0000123456-00001")
            arguments: dict[str, Any] = {}
        else:
            from requests_thingspace import Clock
            from requests_thingspace.sandbox import Sandbox

            sandbox = stack.enter_context(Sandbox())
            session.verify, session.trust_env = sandbox.ca_file, False
            origin, account = sandbox.origin, sandbox.account
            arguments = {
                "client_id": sandbox.client_id,
                "client_secret": sandbox.client_secret,
                "username": sandbox.username,
                "password": sandbox.password,
                "environment": sandbox.environment,
                "clock": Clock(sandbox.clock.wall, sandbox.clock.monotonic),
            }
        print(f"ThingSpace at {origin}{'' if real else ' (the sandbox)'}\n")
        demo = Demo(session, f"{origin}/api/m2m/v1/accounts/{account}", arguments)
        everywhere(demo)
        if not real:
            in_the_sandbox(demo, sandbox)
        calls, fine = sum(demo.statuses.values()), demo.statuses[200]
        print(f"\nAPI calls: {calls}, of which 200: {fine}")
        if not real:
            print(f"token calls: {sandbox.calls['token']}, logins: {sandbox.calls['login']}")
        print(f"renewals: {len(demo.renewals)}")
        return 0 if calls == fine else 1


if __name__ == "__main__":
    sys.exit(main())
