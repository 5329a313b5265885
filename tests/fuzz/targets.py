"""What a fuzzer may do to the token parser and to "covered": functions that fail when a law is broken."""

from __future__ import annotations

import json
import math

import requests
import urllib3
from requests.adapters import HTTPAdapter

from requests_thingspace import Environment, OAuthToken, ThingspaceError, TokenRequestError
from requests_thingspace._endpoints.answers import Answer, is_session_error, json_or_raise, retry_after
from requests_thingspace._values import Secret

NOW = 1_700_000_000.0
ENVIRONMENT = Environment(
    ("https://bank.example", "https://bank.example:8443", "http://localhost:8080", "https://[::1]:8443"),
    *[f"https://bank.example/{name}" for name in ("token", "revoke", "login", "logout")],
)
ALLOWED = {
    ("https", "bank.example", 443),
    ("https", "bank.example", 8443),
    ("http", "localhost", 8080),
    ("https", "::1", 8443),
}
ADAPTER = HTTPAdapter()

# What a fuzzer starts from. What it finds is added here when it is mended, and stays as a test.
SEEDS = {
    "token_answer": [
        b'{"access_token": "abc", "scope": " ts.ro", "token_type": "Bearer", "expires_in": 3600}',
        b'{"fault": {"code": "900901", "message": "Invalid Credentials", "description": "x"}}',
        b"<am:fault><am:code>404</am:code><am:message>Not Found</am:message></am:fault>",
        b'{"errorCode": "UnifiedWebService.REQUEST_FAILED.SessionToken.Expired", "errorMessage": "x"}',
        b'{"error": "unauthorized", "error_description": "UWS V1 REST accounts: [400]"}',
        b"Fri, 31 Dec 1999 23:59:59 GMT",
    ],
    "covered_url": [
        b"https://bank.example/",
        b"https://user:word@bank.example:8443/a?b#c",
        b"HTTPS://BANK.example:0443",
        b"http://localhost:8080/\\@evil.example",
        "https://ban\u212a.example./".encode(),
        b"https://bank.example%2f@[::1]:8443/",
    ],
}


def token_answer(body: bytes) -> None:
    """Any bytes are a token that can be sent, or an error that can be printed."""
    is_session_error(body)
    wait = retry_after(body[:40].decode("latin-1"), NOW)
    assert wait is None or (math.isfinite(wait) and wait >= 0)
    try:
        answer = Answer(200, Secret(body), NOW, secrets=(Secret("secret"),))
        document = json_or_raise(answer, "token request", TokenRequestError)
        token = OAuthToken.from_dict(document.reveal(), now=NOW)
    except ThingspaceError as error:
        words = str(error)
    else:
        words = token.access_token
        assert words.isascii()
        assert not set(words) & set(" \r\n\t\0")
        assert OAuthToken.from_dict(json.loads(json.dumps(token.to_dict(), allow_nan=False))) == token
    assert words.isprintable()


def covered_url(text: bytes) -> None:
    """A URL that is covered connects to a covered origin."""
    url = text.decode("utf-8", "surrogateescape")
    prepared, where = destination(url)
    covered = ENVIRONMENT.covers(url) or ENVIRONMENT.session_header_for(prepared) is not None
    if where is not None and covered:
        assert where in ALLOWED, prepared


def destination(url: str) -> tuple[str, tuple[str, str, int] | None]:
    """The URL as requests prepares it, and the scheme, host and port to which it connects, if it does."""
    try:
        prepared = requests.Request("GET", url).prepare()
        if hasattr(ADAPTER, "get_connection_with_tls_context"):
            pool = ADAPTER.get_connection_with_tls_context(prepared, verify=True)
        else:  # requests before 2.32
            pool = ADAPTER.get_connection(prepared.url)
    except (requests.RequestException, urllib3.exceptions.HTTPError, ValueError):
        return "", None
    return str(prepared.url), (pool.scheme, pool.host.strip("[]"), pool.port)
