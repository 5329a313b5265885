"""Whether ThingSpace can be reached: its name, its certificate, and its clock.

Nothing here needs credentials, or sends any.
"""

from __future__ import annotations

import socket
import ssl
from email.utils import parsedate_to_datetime
from typing import Union
from urllib.parse import urlsplit

import requests
from requests.utils import get_environ_proxies, select_proxy

from ._failures import explained
from ._output import span

CLOCK_LIMIT = 300.0
"""Seconds by which this machine's clock may differ from the server's."""

TIMEOUT = 15.0
"""Seconds to connect, and again to wait for the answer."""

Finding = Union[tuple[str, str], tuple[str, str, str]]
"""``ok``, ``failed`` or ``not tried``; why; and the remedy of a failure."""

_HANDSHAKE_TIMEOUT = 2.0  # seconds, on loopback


def look_up(origin: str) -> Finding:
    """Whether the host has an address."""
    host, proxy = urlsplit(origin).hostname, select_proxy(origin, get_environ_proxies(origin))
    if proxy:
        return "not tried", f"the proxy {urlsplit(proxy).hostname} looks up {host}"
    try:
        return "ok", f"{host} is {socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)[0][4][0]}"
    except (OSError, UnicodeError) as failure:  # such as a host "a..b"
        said, hint = explained(failure)
        return "failed", f"{host}: {said}", hint


def reach(origin: str) -> tuple[Finding, str | None]:
    """Whether the server answers and is the one it says it is; and the Date of its answer."""
    is_plain, failed, answer = origin.startswith("http:"), ("", ""), None
    try:
        answer = get(f"{origin}/api/")
    except OSError as failure:  # a CA bundle that cannot be read is no RequestException
        failed = explained(failure)
    if is_plain and (answer is None or answer.status_code == 400) and _speaks_tls(origin):
        said = f"{origin}: plain http is spoken to a port that speaks TLS"
        return ("failed", said, "Write https:// in THINGSPACE_BASE_URL."), None
    if answer is None:
        return (
            "failed",
            f"{origin}: {failed[0]}",
            failed[1] or "Check REQUESTS_CA_BUNDLE if it is set.",
        ), None
    said = "without TLS, on loopback" if is_plain else "the certificate is accepted"
    return ("ok", f"{origin} answers, {said}"), answer.headers.get("Date")


def compare_clocks(date: str | None, now: float) -> Finding:
    """Whether this machine's clock agrees with the server's (RFC 9110 section 6.6.1)."""
    try:
        ahead = now - parsedate_to_datetime(date or "").timestamp()
    except (TypeError, ValueError):  # TypeError before Python 3.10
        return "not tried", "the server does not tell its time"
    if abs(ahead) <= CLOCK_LIMIT:
        return "ok", f"this machine's clock and the server's differ by {span(abs(ahead))}"
    said = f"{span(abs(ahead))} {'ahead of' if ahead > 0 else 'behind'} the server's"
    hint = "Set the clock, best by NTP: a shared token's expiry and certificates are read by it."
    return "failed", f"this machine's clock is wrong: {said}", hint


def get(url: str, headers: dict[str, str] | None = None) -> requests.Response:
    """The answer to a GET that follows nothing and adds nothing but `headers`."""
    with requests.Session() as session:
        session.auth = lambda request: request  # else requests sends what a .netrc holds for this host
        return session.get(url, headers=headers, timeout=TIMEOUT, allow_redirects=False)


def _speaks_tls(origin: str) -> bool:
    """Whether a TLS handshake succeeds with whoever it is; nothing is sent after it."""
    place, anyone = urlsplit(origin), ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    anyone.check_hostname, anyone.verify_mode = False, ssl.CERT_NONE
    try:
        there = (place.hostname, place.port or 80)
        with socket.create_connection(there, timeout=_HANDSHAKE_TIMEOUT) as plain:
            anyone.wrap_socket(plain, server_hostname=place.hostname).close()
    except OSError:
        return False
    return True
