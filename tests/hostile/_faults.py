"""The catalogue of faults: what an endpoint can do to a client, and what the library's laws say about it.

The law behind each expectation, in short. An answer is a token if a correct HTTP reader gets a JSON object
with a usable token out of it: `access_token` of visible ASCII, `token_type` bearer or absent. Its expiry is
`known` if `expires_in` is a positive finite number, also as a string; `capped` if absurdly large; `none` in
all other cases. The rest is an error that derives from `requests.RequestException`, raised in time.
Only 429, 502, 503, 504 and connection failures are tried again, at most twice; a login that may have arrived
is not.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

from ._fault import GOOD_LOGIN_DOCUMENT, GOOD_TOKEN_DOCUMENT, Endpoint, Fault
from ._faults_below_answers import (
    breakage_faults,
    chunk_faults,
    coding_faults,
    connection_faults,
    length_faults,
    protocol_faults,
    slow_faults,
)
from ._faults_of_answers import (
    document_faults,
    recoveries,
    redirect_faults,
    retry_after_faults,
    status_faults,
)
from ._faults_of_fields import (
    access_token_faults,
    expiry_faults,
    scope_faults,
    session_token_faults,
    token_type_faults,
)


def _exchange_faults(body: bytes) -> Iterator[Fault]:
    """All that does not depend on the fields of the token."""
    yield from connection_faults(body)
    yield from breakage_faults(body)
    yield from slow_faults(body)
    yield from chunk_faults(body)
    yield from length_faults(body)
    yield from coding_faults(body)
    yield from protocol_faults(body)
    yield from redirect_faults()
    yield from status_faults(body)
    yield from retry_after_faults()
    yield from document_faults(body)


def _token_faults() -> Iterator[Fault]:
    """The rows of the OAuth token endpoint."""
    body = json.dumps(GOOD_TOKEN_DOCUMENT).encode()
    yield from _exchange_faults(body)
    yield from recoveries(body, "token")
    yield from access_token_faults()
    yield from expiry_faults()
    yield from token_type_faults()
    yield from scope_faults()


def _login_faults() -> Iterator[Fault]:
    """The rows of the session login."""
    body = json.dumps(GOOD_LOGIN_DOCUMENT).encode()
    yield from _exchange_faults(body)
    yield from recoveries(body, "error")
    yield from session_token_faults()


def _at(endpoint: Endpoint, fault: Fault) -> Fault:
    """The row under the name of its endpoint; a login reaches the server once, and has no expiry."""
    named = replace(fault, name=f"{endpoint}: {fault.name}", endpoint=endpoint)
    return named if endpoint == "token" else replace(named, max_calls=1, expiry=None)


TOKEN_FAULTS: list[Fault] = [_at("token", fault) for fault in _token_faults()]
LOGIN_FAULTS: list[Fault] = [_at("login", fault) for fault in _login_faults()]
