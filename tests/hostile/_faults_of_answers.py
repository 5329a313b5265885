"""Rows about whole answers: redirects, statuses, Retry-After, documents, recoveries, and a token's fields.

Of the fields there is one value of each kind; tests/test_tokens.py has the tables of all values.
"""

from __future__ import annotations

import json

from . import _mischief as do
from ._fault import (
    GOOD_LOGIN_DOCUMENT,
    GOOD_SESSION_TOKEN,
    GOOD_TOKEN,
    GOOD_TOKEN_DOCUMENT,
    MARKER,
    Fault,
    broken,
    error,
    token,
)
from ._wire import Ending


def redirect_faults(_):
    """Redirects: none is followed."""
    for status in (301, 302, 303, 307, 308):
        for to in do.LOCATIONS:
            yield error(f"redirects with {status} to {to}", do.redirect(status, to))
    unreadable = {
        "http://[::1": "that is half an IPv6 address",
        "https://:0:0:0/": "with three ports",
        "\xff\xfe\x80": "of bytes that are no text",
        "javascript:alert(1)": "that is a script",
        "https://" + "a" * 60_000: "of 60 kB",
    }
    for location, words in unreadable.items():
        yield error(f"redirects with 302 to a Location {words}", do.redirect(302, location))
    yield error("redirects with 300, many choices", do.redirect(300, "another host"))


def status_faults(body):
    for status in (204, 205, 304):
        nothing = do.answer(status, content_type=None, framing="none" if status != 205 else "length")
        yield error(f"answers {status} without a body", nothing)
    for status in (400, 401, 403, 404, 408, 418, 429, 500, 501, 502, 503, 504, 599, 999):
        make = broken if status in (429, 502, 503, 504) else error
        yield make(f"answers {status} with a good body", do.answer(status, body))
    for status in (400, 401, 403, 500):
        yield error(f"answers {status} with a JSON fault", do.json_fault(status))
        yield error(f"answers {status} with an empty body", do.answer(status))
    for status in (403, 404, 500):
        yield error(f"answers {status} with an XML fault", do.xml_fault(status))
    for status in (200, 401, 404, 500):
        yield error(f"answers {status} with an HTML page", do.html_answer(status))
    for status in (502, 503, 504):
        yield broken(f"answers {status} with an HTML page", do.html_answer(status))
    entities = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    laughs = f'<!DOCTYPE fault [<!ENTITY l0 "ha">{entities}]><fault><message>&l9;</message></fault>'
    yield error("answers 403 with an XML bomb", do.answer(403, laughs.encode(), "application/xml"))
    for place in ("body", "reason", "location"):
        echoing = do.echo(place, 302 if place == "location" else 401)
        yield error(f"echoes the credentials in its {place}", echoing)
    refused = {"error": "invalid_client", "error_description": "x" * 400_000}
    yield error("answers 400 with a description of 400 kB", do.json_answer(400, refused))
    odd = {"error": {"code": 7}, "error_description": ["no", None]}
    yield error("answers 400 with an error that is no text", do.json_answer(400, odd))
    lines = {"error": "invalid_client", "error_description": "no\r\n2026-01-01 INFO all is well\x1b[2J"}
    yield error("answers 401 with line ends and escapes in its error", do.json_answer(401, lines))


def retry_after_faults(_):
    """Retry-After: never slept for beyond the client's own time."""
    values = {
        "1": "of a second",
        "0": "of zero",
        "3600": "of an hour",
        "Fri, 31 Dec 2100 23:59:59 GMT": "in the far future",
        "1e999": "beyond all numbers",
        "": "that is empty",
    }
    for value, words in values.items():
        yield broken(f"answers 429 with a Retry-After {words}", do.retry_after(value))
    yield broken("answers 503 with a Retry-After of an hour", do.retry_after("3600", 503))


def document_faults(body):
    """Bodies of a 200 that hold no token."""
    text = body.decode()
    bodies = {
        "an empty body": b"",
        "a JSON array": b"[" + body + b"]",
        "a JSON null": b"null",
        "an empty JSON object": b"{}",
        "truncated JSON": body[: len(body) // 2],
        "two JSON documents": body + b"\n" + body,
        "a form instead of JSON": f"access_token={GOOD_TOKEN}&sessionToken=x&token_type=Bearer".encode(),
        "JSON in UTF-16": text.encode("utf-16"),
        "invalid UTF-8 in the token": body.replace(MARKER.encode(), b"\xff\xfe\xc3"),
        "100,000 nested objects": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
        "100,000 nested arrays": b"[" * 100_000 + b"]" * 100_000,
        "an OAuth error": b'{"error": "invalid_client", "error_description": "no such client"}',
        "a gateway fault": b'{"fault": {"code": "900901", "message": "Invalid Credentials"}}',
        "an errorCode": b'{"errorCode": "UnifiedWebService.REQUEST_FAILED.Unexpected", "errorMessage": "no"}',
    }
    for words, document in bodies.items():
        yield error(f"answers 200 with {words}", do.answer(200, document))
    yield error("answers 200 with an XML fault", do.xml_fault(200))
    yield token("answers 200 with a byte order mark", do.answer(200, b"\xef\xbb\xbf" + body))
    yield token("answers 200 without a Content-Type", do.answer(200, body, content_type=None))
    yield token("answers 200 with JSON as text/plain", do.answer(200, body, content_type="text/plain"))
    extra = text.rstrip("}") + ', "nothing": null, "more": {"deep": [1, 2]}, "naïve": "ünïcödé"}'
    yield token("answers 200 with fields nobody knows", do.answer(200, extra.encode()))


FAULTS_OF_ANSWERS = (redirect_faults, status_faults, retry_after_faults, document_faults)


def recoveries(body, expected):
    """One failure, then a good answer: a token call is tried again, a login that may have arrived is not."""
    good = do.answer(200, body)
    stumbles = {
        "answers 503 once": do.html_answer(503),
        "answers 502 once": do.html_answer(502),
        "answers 429 once": do.json_fault(429, "900800", "Message throttled out"),
        "resets once before the headers": do.reset(),
        "closes once without an answer": do.empty_reply(),
    }
    for words, stumble in stumbles.items():
        yield Fault(f"{words}, then well", (stumble, good), expected, "known", max_calls=2)
    if expected == "token":
        yield token("resets once on accept, then answers well", do.on_accept(Ending.RESET), good)


ABSENT = object()


def _with(document, **fields):
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

EXPIRIES = [
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


def oauth_token_faults():
    for words, value in UNUSABLE.items():
        document = _with(GOOD_TOKEN_DOCUMENT, access_token=value)
        yield error(f"gives an access_token that is {words}", do.json_answer(200, document))
    for words, fields in REFUSED.items():
        yield error(f"gives {words}", do.json_answer(200, _with(GOOD_TOKEN_DOCUMENT, **fields)))
    for words, fields in USABLE.items():
        yield token(f"gives {words}", do.json_answer(200, _with(GOOD_TOKEN_DOCUMENT, **fields)))
    start = json.dumps(_with(GOOD_TOKEN_DOCUMENT, expires_in=ABSENT)).rstrip("}")
    for words, literal, expiry in EXPIRIES:
        body = start + ("" if literal is None else f', "expires_in": {literal}') + "}"
        yield token(f"gives an expires_in that is {words}", do.answer(200, body.encode()), expiry=expiry)


def session_token_faults():
    """The field `sessionToken`, and refusals of the login."""
    for words, value in UNUSABLE.items():
        document = _with(GOOD_LOGIN_DOCUMENT, sessionToken=value)
        yield error(f"gives a sessionToken that is {words}", do.json_answer(200, document))
    for wrong in ("sessiontoken", "SessionToken", "session_token", "access_token"):
        named = do.json_answer(200, {wrong: GOOD_SESSION_TOKEN})
        yield error(f"gives {wrong} instead of sessionToken", named)
    yield token("gives a sessionToken that is no GUID", do.json_answer(200, {"sessionToken": MARKER}))
    timed = do.json_answer(200, {**GOOD_LOGIN_DOCUMENT, "expiresIn": -1})
    yield token("gives a sessionToken with an expiry", timed)
    code = "UnifiedWebService.REQUEST_FAILED."
    locked = {"errorCode": f"{code}Login", "errorMessage": "The account is locked."}
    yield error("refuses the login with 400", do.json_answer(400, locked))
    expired = {"errorCode": f"{code}SessionToken.Expired", "errorMessage": "expired"}
    yield error("answers the login with SessionToken.Expired", do.json_answer(400, expired))
