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

from ._fault import GOOD_LOGIN_DOCUMENT, GOOD_TOKEN_DOCUMENT, Expectation, Fault
from ._faults_below_answers import FAULTS_BELOW_ANSWERS
from ._faults_of_answers import FAULTS_OF_ANSWERS, recoveries
from ._faults_of_fields import oauth_token_faults, session_token_faults


def _faults(document: dict[str, object], when_repeated: Expectation) -> Iterator[Fault]:
    """All that does not depend on the fields of the token."""
    body = json.dumps(document).encode()
    for faults in (*FAULTS_BELOW_ANSWERS, *FAULTS_OF_ANSWERS):
        yield from faults(body)
    yield from recoveries(body, when_repeated)


TOKEN_FAULTS: list[Fault] = [
    replace(fault, name=f"token: {fault.name}")
    for fault in (*_faults(GOOD_TOKEN_DOCUMENT, "token"), *oauth_token_faults())
]
LOGIN_FAULTS: list[Fault] = [  # a login reaches the server once, and has no expiry
    replace(fault, name=f"login: {fault.name}", endpoint="login", max_calls=1, expiry=None)
    for fault in (*_faults(GOOD_LOGIN_DOCUMENT, "error"), *session_token_faults())
]
