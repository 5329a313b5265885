"""Rows about the fields of a token, one of each kind; tests/test_tokens.py has the tables of all values."""

from __future__ import annotations

import json
from collections.abc import Iterator

from ._fault import (
    ABSENT,
    GOOD_LOGIN_DOCUMENT,
    GOOD_SESSION_TOKEN,
    GOOD_TOKEN,
    GOOD_TOKEN_DOCUMENT,
    MARKER,
    Expiry,
    Fault,
    error,
    token,
)
from ._mischief import answer, json_answer


def _with(document: dict[str, object], **fields: object) -> dict[str, object]:
    return {name: value for name, value in {**document, **fields}.items() if value is not ABSENT}


UNUSABLE = {
    "missing": ABSENT,
    "null": None,
    "empty": "",
    "an object": {"value": GOOD_TOKEN},
    "a text with CR LF": MARKER + "\r\nX-Injected: yes",
    "a text with half of a surrogate pair": MARKER + "\ud800",
    "a text with a space": MARKER + " tail",
}
"""What cannot be a token, of either kind."""


USABLE = {
    "an access_token 100 kB long": {"access_token": MARKER + "x" * 100_000},
    "an access_token of one letter": {"access_token": "x"},
    "an access_token like a JWT": {"access_token": f"{MARKER}.e30.a-b_c=="},
    "a token_type that is missing": {"token_type": ABSENT},
    "a token_type that is BEARER": {"token_type": "BEARER"},
    "a scope that is absent": {"scope": ABSENT},
    "a scope that is a list of odd things": {"scope": [None, 7, {}]},
    "a scope that is another than was asked for": {"scope": "ts.other"},
    "a scope that is of 5,000 words": {"scope": "ts.scope " * 5000},
}
"""What is an OAuth token all the same: a scope, for one, only informs."""

REFUSED = {
    "Access_Token instead of access_token": {"access_token": ABSENT, "Access_Token": GOOD_TOKEN},
    "an access_token and an error": {"error": "invalid_client"},
    "a token_type that is mac": {"token_type": "mac"},
    "a token_type that is a number": {"token_type": 7},
}
"""What is none."""

EXPIRIES: list[tuple[str, str | None, Expiry]] = [
    ("missing", None, "none"),
    ("0", "0", "none"),
    ("true", "true", "none"),
    ('"3600"', '"3600"', "known"),
    ('"soon"', '"soon"', "none"),
    ("NaN", "NaN", "none"),
    ("1e999", "1e999", "none"),
    ("1e308", "1e308", "capped"),
    ("an integer of 400 digits", "9" * 400, "capped"),
    ("a list", "[3600]", "none"),
]
"""The field `expires_in`: it never costs the token."""


def oauth_token_faults() -> Iterator[Fault]:
    """The fields of an OAuth token."""
    for words, value in UNUSABLE.items():
        document = _with(GOOD_TOKEN_DOCUMENT, access_token=value)
        yield error(f"gives an access_token that is {words}", json_answer(200, document))
    for words, fields in REFUSED.items():
        yield error(f"gives {words}", json_answer(200, _with(GOOD_TOKEN_DOCUMENT, **fields)))
    for words, fields in USABLE.items():
        yield token(f"gives {words}", json_answer(200, _with(GOOD_TOKEN_DOCUMENT, **fields)))
    start = json.dumps(_with(GOOD_TOKEN_DOCUMENT, expires_in=ABSENT)).rstrip("}")
    for words, literal, expiry in EXPIRIES:
        body = start + ("" if literal is None else f', "expires_in": {literal}') + "}"
        yield token(f"gives an expires_in that is {words}", answer(200, body.encode()), expiry=expiry)


def session_token_faults() -> Iterator[Fault]:
    """The field `sessionToken`, and refusals of the login."""
    for words, value in UNUSABLE.items():
        document = _with(GOOD_LOGIN_DOCUMENT, sessionToken=value)
        yield error(f"gives a sessionToken that is {words}", json_answer(200, document))
    for wrong in ("sessiontoken", "SessionToken", "session_token", "access_token"):
        named = json_answer(200, {wrong: GOOD_SESSION_TOKEN})
        yield error(f"gives {wrong} instead of sessionToken", named)
    yield token("gives a sessionToken that is no GUID", json_answer(200, {"sessionToken": MARKER}))
    timed = json_answer(200, {**GOOD_LOGIN_DOCUMENT, "expiresIn": -1})
    yield token("gives a sessionToken with an expiry", timed)
    code = "UnifiedWebService.REQUEST_FAILED."
    locked = {"errorCode": f"{code}Login", "errorMessage": "The account is locked."}
    yield error("refuses the login with 400", json_answer(400, locked))
    expired = {"errorCode": f"{code}SessionToken.Expired", "errorMessage": "expired"}
    yield error("answers the login with SessionToken.Expired", json_answer(400, expired))
