"""What a row of the catalogue is, what the library's laws say about it, and the good answers that it spoils.

An answer is a token if a correct HTTP reader gets a JSON object with a usable token out of it: `access_token`
of visible ASCII, `token_type` bearer or absent. Its expiry is `known` if `expires_in` is a positive finite
number, also as a string; `capped` if absurdly large; `none` in all other cases. The rest is an error that
derives from `requests.RequestException`, raised in time. Only 429, 502, 503, 504 and connection failures are
tried again, at most twice; a login that may have arrived is not.

Every token that no test should see in a message or a log contains `MARKER`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ._mischief import Behaviour

TOKEN_PATH = "/api/ts/v1/oauth2/token"
LOGIN_PATH = "/api/m2m/v1/session/login"

MARKER = "t0ken5ecret"
GOOD_TOKEN = MARKER + "-good-0123456789abcdef"
GOOD_SESSION_TOKEN = "5e551047-0000-4000-8000-" + MARKER
GOOD_TOKEN_DOCUMENT = {
    "access_token": GOOD_TOKEN,
    "scope": " ts.ro",
    "token_type": "Bearer",
    "expires_in": 3600,
}
GOOD_LOGIN_DOCUMENT = {"sessionToken": GOOD_SESSION_TOKEN}


@dataclass(frozen=True)
class Fault:
    """One row of the catalogue: script `behaviours` at `path`, then expect."""

    name: str  # what the server does, in words, unique in the catalogue
    behaviours: tuple[Behaviour, ...]  # one per request; the last one repeats
    expectation: Literal["error", "token"] = "error"
    expiry: Literal["known", "none", "capped", None] = None  # what is known of an OAuth token's
    max_calls: int = 1  # that may reach the endpoint during one renewal
    endpoint: Literal["token", "login"] = "token"

    @property
    def path(self) -> str:
        return TOKEN_PATH if self.endpoint == "token" else LOGIN_PATH

    @property
    def title(self) -> str:
        return self.name.removeprefix(f"{self.endpoint}: ")

    def __str__(self) -> str:
        return self.name


def error(name, behaviour):
    """An error at once, of one call."""
    return Fault(name, (behaviour,))


def broken(name, behaviour):
    """An error, at once or when the client's time is up, which may be tried again twice."""
    return Fault(name, (behaviour,), max_calls=3)


def token(name, *behaviours, expiry="known"):
    """The token, used."""
    return Fault(name, behaviours, "token", expiry)
