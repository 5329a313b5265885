"""What a row of the catalogue is, and the good answers that its faults spoil.

Every token that no test should see in a message or a log contains `MARKER`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ._mischief import Behaviour

Expectation = Literal["error", "token"]
Expiry = Literal["known", "none", "capped"]
Endpoint = Literal["token", "login"]

TOKEN_PATH = "/api/ts/v1/oauth2/token"
LOGIN_PATH = "/api/m2m/v1/session/login"

MARKER = "t0ken5ecret"
GOOD_TOKEN = MARKER + "-good-0123456789abcdef"
GOOD_SESSION_TOKEN = "5e551047-0000-4000-8000-" + MARKER
GOOD_TOKEN_DOCUMENT: dict[str, object] = {
    "access_token": GOOD_TOKEN,
    "scope": " ts.ro",
    "token_type": "Bearer",
    "expires_in": 3600,
}
GOOD_LOGIN_DOCUMENT: dict[str, object] = {"sessionToken": GOOD_SESSION_TOKEN}

RETRIED_STATUSES = (429, 502, 503, 504)
TRIES = 3

ABSENT = object()


@dataclass(frozen=True)
class Fault:
    """One row of the catalogue: script `behaviours` at `path`, then expect.

    Attributes:
        name: what the server does, in words, unique in the catalogue.
        behaviours: one per request; the last one repeats.
        expectation: "error" or "token".
        expiry: for OAuth tokens, what is known of the expiry.
        max_calls: requests that may reach the endpoint during one renewal.
        waits: whether the error may take the whole of the client's timeout, whatever that is below a minute.
        endpoint: which endpoint has the fault.
    """

    name: str
    behaviours: tuple[Behaviour, ...]
    expectation: Expectation = "error"
    expiry: Expiry | None = None
    max_calls: int = 1
    waits: bool = False
    endpoint: Endpoint = "token"

    @property
    def path(self) -> str:
        return TOKEN_PATH if self.endpoint == "token" else LOGIN_PATH

    @property
    def title(self) -> str:
        return self.name.removeprefix(f"{self.endpoint}: ")

    def __str__(self) -> str:
        return self.name


def error(name: str, behaviour: Behaviour) -> Fault:
    """An error at once, of one call."""
    return Fault(name, (behaviour,))


def broken(name: str, behaviour: Behaviour) -> Fault:
    """An error at once, which may be tried again."""
    return Fault(name, (behaviour,), max_calls=TRIES)


def waiting(name: str, behaviour: Behaviour) -> Fault:
    """An error when the client's time is up, or earlier: a client may count what it gets."""
    return Fault(name, (behaviour,), max_calls=TRIES, waits=True)


def token(name: str, *behaviours: Behaviour, expiry: Expiry = "known") -> Fault:
    """The token, used."""
    return Fault(name, behaviours, "token", expiry)
