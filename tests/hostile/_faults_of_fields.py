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
    """The document with some fields changed or absent."""
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


def access_token_faults() -> Iterator[Fault]:
    """The field `access_token`."""
    for words, value in UNUSABLE.items():
        document = _with(GOOD_TOKEN_DOCUMENT, access_token=value)
        yield error(f"gives an access_token that is {words}", json_answer(200, document))
    usable = {
        "100 kB long": MARKER + "x" * 100_000,
        "of one letter": "x",
        "like a JWT": f"{MARKER}.e30.a-b_c==",
    }
    for words, value in usable.items():
        document = _with(GOOD_TOKEN_DOCUMENT, access_token=value)
        yield token(f"gives an access_token {words}", json_answer(200, document), note="visible ASCII")
    odd = _with(GOOD_TOKEN_DOCUMENT, access_token=ABSENT, Access_Token=GOOD_TOKEN)
    yield error("gives Access_Token instead of access_token", json_answer(200, odd), note="names are exact")
    both = _with(GOOD_TOKEN_DOCUMENT, error="invalid_client")
    yield error("gives an access_token and an error", json_answer(200, both), note="an error is an error")


def expiry_faults() -> Iterator[Fault]:
    """The field `expires_in`: it never costs the token."""
    table: list[tuple[str, str | None, Expiry]] = [
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
    start = json.dumps(_with(GOOD_TOKEN_DOCUMENT, expires_in=ABSENT)).rstrip("}")
    for words, literal, expiry in table:
        body = start + ("" if literal is None else f', "expires_in": {literal}') + "}"
        yield token(f"gives an expires_in that is {words}", answer(200, body.encode()), expiry=expiry)


def token_type_faults() -> Iterator[Fault]:
    """The field `token_type`."""
    for words, value in {"missing": ABSENT, "BEARER": "BEARER"}.items():
        document = _with(GOOD_TOKEN_DOCUMENT, token_type=value)
        yield token(f"gives a token_type that is {words}", json_answer(200, document), note="reads as Bearer")
    for words, value in {"mac": "mac", "a number": 7}.items():
        document = _with(GOOD_TOKEN_DOCUMENT, token_type=value)
        yield error(
            f"gives a token_type that is {words}", json_answer(200, document), note="only Bearer is known"
        )


def scope_faults() -> Iterator[Fault]:
    """The field `scope`: it never costs the token."""
    scopes = {
        "absent": ABSENT,
        "a list of odd things": [None, 7, {}],
        "another than was asked for": "ts.other",
        "of 5,000 words": "ts.scope " * 5000,
    }
    for words, value in scopes.items():
        document = _with(GOOD_TOKEN_DOCUMENT, scope=value)
        yield token(f"gives a scope that is {words}", json_answer(200, document), note="scopes only inform")


def session_token_faults() -> Iterator[Fault]:
    """The field `sessionToken`."""
    for words, value in UNUSABLE.items():
        document = _with(GOOD_LOGIN_DOCUMENT, sessionToken=value)
        yield error(f"gives a sessionToken that is {words}", json_answer(200, document))
    for wrong in ("sessiontoken", "SessionToken", "session_token", "access_token"):
        yield error(
            f"gives {wrong} instead of sessionToken",
            json_answer(200, {wrong: GOOD_SESSION_TOKEN}),
            note="names are exact",
        )
    simulator = json_answer(200, {"sessionToken": MARKER})
    yield token("gives a sessionToken that is no GUID", simulator, note="the simulator does")
    timed = json_answer(200, {**GOOD_LOGIN_DOCUMENT, "expiresIn": -1})
    yield token("gives a sessionToken with an expiry", timed, note="session tokens have none")
    locked = {"errorCode": "UnifiedWebService.REQUEST_FAILED.Login", "errorMessage": "The account is locked."}
    yield error("refuses the login with 400", json_answer(400, locked), note="remembered: no second login")
    expired = {
        "errorCode": "UnifiedWebService.REQUEST_FAILED.SessionToken.Expired",
        "errorMessage": "expired",
    }
    yield error(
        "answers the login with SessionToken.Expired", json_answer(400, expired), note="no loop of logins"
    )
