"""``thingspace check``: step by step, what works and what does not.

The law here: each step that fails names what is wrong and has a hint; a step that makes no sense
after it is not tried, and says so. Nothing is stored, and nothing that is stored is used.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

import requests
from requests.utils import get_environ_proxies, select_proxy

from requests_thingspace import OAuthToken, ThingspaceAuth

from ._failures import explained

CLOCK_LIMIT = 300.0
"""Seconds by which this machine's clock may differ from the server's."""

_TIMEOUT = 15.0  # seconds to connect, and again to wait for the answer


@dataclass(frozen=True)
class Step:
    """One thing that was looked at.

    Attributes:
        name: which.
        outcome: ``"ok"``, ``"failed"`` or ``"not tried"``.
        text: what was found.
        hint: what to do about it.
    """

    name: str
    outcome: str
    text: str
    hint: str = ""


def steps(auth: ThingspaceAuth, *, login: bool, wall: Callable[[], float] = time.time) -> Iterator[Step]:
    """Look at one thing after the other.

    Args:
        auth: whose credentials, for where; without a cache, so that every answer is ThingSpace's own.
        login: whether to log in; a failure counts towards the lock of the account.
        wall: this machine's clock, Unix time in seconds.
    """
    ahead = ["name", "TLS", "clock", "key and secret", "token", *(["login"] if login else [])]
    for step in _tried(auth, login, wall):
        ahead.remove(step.name)
        yield step
    for name in ahead:
        yield Step(name, "not tried", "the steps before it come first")


def _tried(auth: ThingspaceAuth, login: bool, wall: Callable[[], float]) -> Iterator[Step]:
    """The steps, up to the one after which no other makes sense."""
    origin = auth.environment.origins[0]
    found = _name(origin)
    yield found
    if found.outcome == "failed":
        return
    reached, date = _tls(origin)
    yield reached
    if reached.outcome == "failed":
        return
    yield _clock(date, wall())
    accepted, token = _key_and_secret(auth)
    yield accepted
    if token is None:
        return
    yield _token(token, wall())
    if login:
        yield _login(auth)


def _name(origin: str) -> Step:
    """Whether the host has an address."""
    host = urlsplit(origin).hostname or ""
    proxy = select_proxy(origin, get_environ_proxies(origin))
    if proxy:
        return Step("name", "not tried", f"the proxy {urlsplit(proxy).hostname} looks up {host}")
    try:
        address = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)[0][4][0]
    except OSError as failure:
        said, hint = explained(failure)
        return Step("name", "failed", f"{host}: {said}", hint)
    return Step("name", "ok", f"{host} is {address}")


def _tls(origin: str) -> tuple[Step, str | None]:
    """Whether the server can be reached and is the one it says it is; and the Date of its answer."""
    try:
        with requests.Session() as session:
            session.auth = _no_auth  # else requests sends what a .netrc holds for this host
            answer = session.get(f"{origin}/api/", timeout=_TIMEOUT, allow_redirects=False, stream=True)
            answer.close()
    except OSError as failure:  # a CA bundle that cannot be read is no RequestException
        said, hint = explained(failure)
        hint = hint or "Check REQUESTS_CA_BUNDLE if it is set."
        return Step("TLS", "failed", f"{origin}: {said}", hint), None
    said = "without TLS, on loopback" if origin.startswith("http:") else "the certificate is accepted"
    return Step("TLS", "ok", f"{origin} answers, {said}"), answer.headers.get("Date")


def _no_auth(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


def _clock(date: str | None, now: float) -> Step:
    """Whether this machine's clock agrees with the server's (RFC 9110 section 6.6.1)."""
    try:
        ahead = now - parsedate_to_datetime(date or "").timestamp()
    except ValueError:
        return Step("clock", "not tried", "the server does not tell its time")
    if abs(ahead) <= CLOCK_LIMIT:
        return Step("clock", "ok", f"this machine's clock and the server's differ by {_span(abs(ahead))}")
    said = f"{_span(abs(ahead))} {'ahead of' if ahead > 0 else 'behind'} the server's"
    hint = "Set the clock, best by NTP: a shared token's expiry and certificates are read by it."
    return Step("clock", "failed", f"this machine's clock is wrong: {said}", hint)


def _key_and_secret(auth: ThingspaceAuth) -> tuple[Step, OAuthToken | None]:
    """Whether the token endpoint gives a token for them."""
    name = "key and secret"
    try:
        token = auth.get_token()
    except requests.RequestException as failure:
        said, hint = explained(failure)
        return Step(name, "failed", said, hint or "Try again later."), None
    return Step(name, "ok", "ThingSpace accepts them"), token


def _token(token: OAuthToken, now: float) -> Step:
    """What the token is good for."""
    granted = ", ".join(token.scope) or "no scopes named"
    if token.expires_at is None:
        return Step("token", "ok", f"{granted}; ThingSpace does not say when it expires")
    return Step("token", "ok", f"{granted}; it expires in {_span(token.expires_at - now)}")


def _login(auth: ThingspaceAuth) -> Step:
    """Whether the M2M credentials are right; the session is ended at once."""
    try:
        with auth:
            auth.get_session_token()
    except requests.RequestException as failure:
        said, hint = explained(failure)
        return Step("login", "failed", said, hint or "Try again later.")
    return Step("login", "ok", "logged in to the M2M session, and out again")


def _span(seconds: float) -> str:
    """A time span as a person says it."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {seconds} s" if minutes else f"{seconds} s"
