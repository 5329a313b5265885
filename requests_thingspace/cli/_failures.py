"""What went wrong on the way to ThingSpace, in words, and what to do about it.

requests wraps the reason of a failure several times over; everything here is a pure function that
looks for it. A failure of this library's own calls wraps nothing and has its own words.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator

import requests
from urllib3.exceptions import ConnectTimeoutError

from requests_thingspace import LoginRefusedError, ThingspaceError, TokenRequestError

_REFUSED_KEY = (
    "Check the key and its secret on ThingSpace's Key Management page, and that they are of this environment."
)
_REFUSED_LOGIN = (
    "Correct the username and the password before another attempt: five failed logins lock the account, "
    "and only Verizon's support can unlock it."
)

_UNKNOWN_CA = (18, 19, 20, 21)  # X509_V_ERR_*: self-signed, and an issuer that is not in the bundle
_WRONG_DATE = (9, 10)  # not yet valid, has expired
_WRONG_NAME = (62, 64)  # of another host, of another address


def explained(failure: BaseException) -> tuple[str, str]:
    """What `failure` is and a hint; the hint is empty where the failure says all there is to say."""
    if isinstance(failure, ThingspaceError) and failure.status is not None:
        return _answered(failure)
    causes = list(_causes(failure))
    own_words = isinstance(failure, requests.RequestException) and len(causes) == 1 and failure.args
    certificate = next((c for c in causes if isinstance(c, ssl.SSLCertVerificationError)), None)
    if certificate is not None:
        return _certificate_trouble(certificate)
    for kind, said, hint in _TROUBLES:
        if any(isinstance(cause, kind) for cause in causes):
            return _one_line(failure) if own_words else said, hint
    return _one_line(failure), ""


_TROUBLES: tuple[tuple[type[BaseException] | tuple[type[BaseException], ...], str, str], ...] = (
    (
        requests.exceptions.ProxyError,
        "the proxy cannot be used",
        "Check HTTPS_PROXY and NO_PROXY, and the proxy's own credentials.",
    ),
    (
        socket.gaierror,
        "the host's name is not found",
        "Check the network and its name server, and THINGSPACE_BASE_URL if it is set; "
        "behind a proxy, set HTTPS_PROXY.",
    ),
    (
        ssl.SSLError,
        "no TLS connection could be made",
        "Something on the way may speak another protocol: a proxy, a firewall, a captive portal.",
    ),
    (
        ConnectionRefusedError,
        "the connection is refused",
        "Nothing listens there: check THINGSPACE_BASE_URL if it is set, and firewalls.",
    ),
    (
        (requests.Timeout, ConnectTimeoutError),
        "there is no answer in time",
        "A firewall may drop the packets; behind a proxy, set HTTPS_PROXY.",
    ),
    (requests.ConnectionError, "the connection broke", "Check the network, and try again."),
)
"""Kinds of cause, the nearest explanation first."""


def _answered(failure: ThingspaceError) -> tuple[str, str]:
    """What ThingSpace said."""
    said = f"ThingSpace says HTTP {failure.status} {failure.code or ''}".rstrip()
    said += f": {failure.description}" if failure.description else ""
    if isinstance(failure, LoginRefusedError):
        return said, _REFUSED_LOGIN
    if failure.retryable:
        return said, "Try again later."
    refused = isinstance(failure, TokenRequestError) and failure.status in (400, 401, 403)
    return said, _REFUSED_KEY if refused else "Check THINGSPACE_BASE_URL if it is set."


def _certificate_trouble(error: ssl.SSLCertVerificationError) -> tuple[str, str]:
    """Why the server's certificate was not accepted."""
    if error.verify_code in _UNKNOWN_CA:
        return (
            "the server's certificate comes from an unknown CA",
            "Something on the way may decrypt TLS: if your network does so on purpose, set "
            "REQUESTS_CA_BUNDLE to a file with its CA certificate.",
        )
    if error.verify_code in _WRONG_DATE:
        return (
            f"the server's certificate is not valid now: {error.verify_message}",
            "Check the clock of this machine first.",
        )
    if error.verify_code in _WRONG_NAME:
        return f"the server's certificate is for another host: {error.verify_message}", "Check the URL."
    return f"the server's certificate is not accepted: {error.verify_message}", ""


def _causes(failure: BaseException) -> Iterator[BaseException]:
    """`failure` and all that it was made of."""
    ahead, seen = [failure], set[int]()
    while ahead:
        error = ahead.pop(0)
        if id(error) in seen:
            continue
        seen.add(id(error))
        yield error
        within = (*error.args, getattr(error, "reason", None), error.__cause__, error.__context__)
        ahead.extend(e for e in within if isinstance(e, BaseException))


def _one_line(failure: BaseException) -> str:
    return " ".join(str(failure).split()) or type(failure).__name__
