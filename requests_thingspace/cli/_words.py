"""What a person reads: complaints, and what went wrong on the way to ThingSpace with what to do about it.

requests wraps a reason several times over. A failure of our own calls wraps nothing and has its own words.
"""

from __future__ import annotations

import socket
import ssl
import sys
from typing import Any

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
_UNKNOWN_CA = (
    "comes from an unknown CA",
    "Something on the way may decrypt TLS: if your network does so on purpose, set REQUESTS_CA_BUNDLE to a "
    "file with its CA certificate.",
)
_FLAWS: dict[Any, tuple[str, str]] = {  # of a certificate: X509_V_ERR_*
    **dict.fromkeys((18, 19, 20, 21), _UNKNOWN_CA),  # self-signed, or its issuer is
    **dict.fromkeys((9, 10), ("is not valid now: {}", "Check the clock of this machine first.")),
    **dict.fromkeys((None, 62, 64), ("is for another host: {}", "Check the URL.")),  # None: urllib3 found it
}
_TROUBLES: tuple[tuple[Any, str, str], ...] = (  # kinds of cause, the nearest explanation first
    (requests.exceptions.ProxyError, "the proxy cannot be used",
     "Check HTTPS_PROXY and NO_PROXY, and the proxy's own credentials."),
    (socket.gaierror, "the host's name is not found",
     "Check the network and its name server, and THINGSPACE_BASE_URL if it is set; behind a proxy, set "
     "HTTPS_PROXY."),
    (ssl.SSLError, "no TLS connection could be made",
     "The port may speak plain http, or something on the way another protocol: a proxy, a captive portal."),
    (ConnectionRefusedError, "the connection is refused",
     "Nothing listens there: check THINGSPACE_BASE_URL if it is set, and firewalls."),
    ((requests.Timeout, ConnectTimeoutError), "there is no answer in time",
     "A firewall may drop the packets; behind a proxy, set HTTPS_PROXY."),
    (requests.ConnectionError, "the connection broke", "Check the network, and try again."),
)  # fmt: skip


class UsageError(Exception):
    """A credential, an extra or what was named is missing or of no use: told on one line, with status 2."""


def complain(text: object) -> None:
    if sys.stderr is not None:  # it is closed
        sys.stderr.write(f"thingspace: {' '.join(str(text).split())}\n")


def span(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {seconds} s" if minutes else f"{seconds} s"


def answered(said: str, status: object, code: object) -> str:
    return f"{said}: HTTP {status} {code or ''}".rstrip()


def told(failure: BaseException) -> str:
    """Cause and remedy on one line."""
    said, hint = explained(failure)
    return f"{said.rstrip('.')}. {hint}".rstrip()


def explained(failure: BaseException) -> tuple[str, str]:
    """What `failure` is and a hint; the hint is empty if the failure says all there is to say."""
    if isinstance(failure, ThingspaceError) and failure.status is not None:
        return _of_thingspace(failure)
    causes = [failure]
    for cause in causes:  # which grow by all that they wrap
        within = (*cause.args, getattr(cause, "reason", None), cause.__cause__, cause.__context__)
        causes += [one for one in within if isinstance(one, BaseException) and one not in causes]
    for cause in causes:
        if isinstance(cause, (ssl.SSLCertVerificationError, CertificateError)):
            said, hint = _FLAWS.get(getattr(cause, "verify_code", None), ("is not accepted: {}", ""))
            return f"the server's certificate {said.format(getattr(cause, 'verify_message', cause))}", hint
    own_words = " ".join(str(failure).split()) or type(failure).__name__
    for kind, said, hint in _TROUBLES:
        if any(isinstance(cause, kind) for cause in causes):
            is_ours = isinstance(failure, requests.RequestException) and len(causes) == 1 and failure.args
            return own_words if is_ours else said, hint
    return own_words, ""


def is_refusal(failure: BaseException) -> bool:
    """Whether ThingSpace refused these credentials, rather than failed."""
    is_about_key = isinstance(failure, TokenRequestError) and failure.status in (400, 401, 403)
    return is_about_key or isinstance(failure, LoginRefusedError)


def _of_thingspace(failure: ThingspaceError) -> tuple[str, str]:
    is_login = isinstance(failure, LoginError)
    what = "the login" if is_login else "the token request"
    if is_refusal(failure):
        said = f"ThingSpace refused {what}"
        is_locked = "lock" in f"{failure.code} {failure.description}".lower()
        hint = _REFUSED_KEY if not is_login else _LOCKED if is_locked else _REFUSED_LOGIN
    else:
        said = f"ThingSpace's answer to {what} is of no use"
        hint = "Try again later." if failure.retryable else "Check THINGSPACE_BASE_URL if it is set."
    words = f" ({failure.description.rstrip('.')})" if failure.description else ""
    return f"{answered(said, failure.status, failure.code)}{words}", hint
