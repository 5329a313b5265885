"""What went wrong on the way to ThingSpace, in words, and what to do about it.

requests wraps the reason of a failure several times over; the pure functions here look for it. A failure of
this library's own calls wraps nothing and has its own words.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator

import requests
from urllib3.connection import CertificateError  # type: ignore[attr-defined]  # its home has moved
from urllib3.exceptions import ConnectTimeoutError

from requests_thingspace import LoginError, LoginRefusedError, ThingspaceError, TokenRequestError

_REFUSED_KEY = (
    "The key or the secret may be wrong, or of another environment: compare both with ThingSpace's Key "
    "Management page."
)
_REFUSED_LOGIN = (
    "The UWS user or the password may be wrong, or the account may be locked, which only Verizon's support "
    "can undo. Make sure of both before another attempt: five failed logins lock the account."
)
_LOCKED = (
    "The account may be locked after five failed logins: Verizon's support unlocks it; neither another "
    "attempt nor reset() does."
)
_DECRYPTED = (
    "Something on the way may decrypt TLS: if your network does so on purpose, set REQUESTS_CA_BUNDLE to a "
    "file with its CA certificate."
)
_UNKNOWN_CA = (18, 19, 20, 21)  # X509_V_ERR_*: self-signed, and an issuer that is not in the bundle
_WRONG_DATE = (9, 10)  # not yet valid, has expired
_WRONG_NAME = (None, 62, 64)  # of another host, of another address; urllib3 has an error of its own

_TROUBLES: dict[tuple[type[BaseException], ...], tuple[str, str]] = {
    (requests.exceptions.ProxyError,): (
        "the proxy cannot be used",
        "Check HTTPS_PROXY and NO_PROXY, and the proxy's own credentials.",
    ),
    (socket.gaierror,): (
        "the host's name is not found",
        "Check the network and its name server, and THINGSPACE_BASE_URL if it is set; "
        "behind a proxy, set HTTPS_PROXY.",
    ),
    (ssl.SSLError,): (
        "no TLS connection could be made",
        "The port may speak plain http, or something on the way another protocol: a proxy, a captive portal.",
    ),
    (ConnectionRefusedError,): (
        "the connection is refused",
        "Nothing listens there: check THINGSPACE_BASE_URL if it is set, and firewalls.",
    ),
    (requests.Timeout, ConnectTimeoutError): (
        "there is no answer in time",
        "A firewall may drop the packets; behind a proxy, set HTTPS_PROXY.",
    ),
    (requests.ConnectionError,): ("the connection broke", "Check the network, and try again."),
}
"""Kinds of cause, the nearest explanation first."""


def told(failure: BaseException) -> str:
    """Cause and remedy on one line."""
    said, hint = explained(failure)
    return f"{said.rstrip('.')}. {hint}".rstrip()


def explained(failure: BaseException) -> tuple[str, str]:
    """What `failure` is and a hint; the hint is empty if the failure says all there is to say."""
    if isinstance(failure, ThingspaceError) and failure.status is not None:
        return _answered(failure)
    causes = list(_causes(failure))
    own_words = " ".join(str(failure).split()) or type(failure).__name__
    for cause in causes:
        if isinstance(cause, (ssl.SSLCertVerificationError, CertificateError)):
            return _certificate_trouble(cause)
    for kinds, (said, hint) in _TROUBLES.items():
        if any(isinstance(cause, kinds) for cause in causes):
            is_ours = isinstance(failure, requests.RequestException) and len(causes) == 1 and failure.args
            return own_words if is_ours else said, hint
    return own_words, ""


def is_refusal(failure: BaseException) -> bool:
    """Whether ThingSpace refused these credentials, rather than failed."""
    is_about_key = isinstance(failure, TokenRequestError) and failure.status in (400, 401, 403)
    return is_about_key or isinstance(failure, LoginRefusedError)


def _answered(failure: ThingspaceError) -> tuple[str, str]:
    what = "login" if isinstance(failure, LoginError) else "token request"
    said = f"HTTP {failure.status} {failure.code or ''}".rstrip()
    said += f" ({failure.description.rstrip('.')})" if failure.description else ""
    if not is_refusal(failure):
        hint = "Try again later." if failure.retryable else "Check THINGSPACE_BASE_URL if it is set."
        return f"ThingSpace's answer to the {what} is of no use: {said}", hint
    hint = _REFUSED_KEY
    if what == "login":
        hint = _LOCKED if "lock" in f"{failure.code} {failure.description}".lower() else _REFUSED_LOGIN
    return f"ThingSpace refused the {what}: {said}", hint


def _certificate_trouble(error: Exception) -> tuple[str, str]:
    code = getattr(error, "verify_code", None)
    message = getattr(error, "verify_message", error)
    if code in _UNKNOWN_CA:
        return "the server's certificate comes from an unknown CA", _DECRYPTED
    said, hint = "accepted", ""
    if code in _WRONG_DATE:
        said, hint = "valid now", "Check the clock of this machine first."
    if code in _WRONG_NAME:
        return f"the server's certificate is for another host: {message}", "Check the URL."
    return f"the server's certificate is not {said}: {message}", hint


def _causes(failure: BaseException) -> Iterator[BaseException]:
    """`failure` and everything that it wraps."""
    ahead, seen = [failure], set[int]()
    while ahead:
        error = ahead.pop(0)
        if id(error) not in seen:
            seen.add(id(error))
            yield error
            within = (*error.args, getattr(error, "reason", None), error.__cause__, error.__context__)
            ahead.extend(e for e in within if isinstance(e, BaseException))
