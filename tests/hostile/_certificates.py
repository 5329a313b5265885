"""Certificates of the hostile server: one good authority per test run, and every way to be wrong under it."""

from __future__ import annotations

import datetime
import functools
import ssl
from typing import Literal

import trustme

Certificate = Literal["good", "unknown CA", "wrong name", "expired", "not yet valid"]

LOOPBACK_NAMES = ("localhost", "127.0.0.1")


@functools.cache
def authority() -> trustme.CA:
    """The one authority that all hostile servers of this process share, so one file trusts them all."""
    return trustme.CA()


@functools.cache
def server_context(certificate: Certificate = "good", names: tuple[str, ...] = ()) -> ssl.SSLContext:
    """A server-side TLS context that presents the named kind of certificate, made once and reused."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.num_tickets = 0  # nothing on the wire but what a behaviour sends
    _leaf(certificate, LOOPBACK_NAMES + names).configure_cert(context)
    return context


def _leaf(certificate: Certificate, names: tuple[str, ...]) -> trustme.LeafCert:
    """The certificate itself, right or wrong in exactly one respect."""
    now = datetime.datetime.now(datetime.timezone.utc)
    day = datetime.timedelta(days=1)
    if certificate == "unknown CA":
        return trustme.CA().issue_cert(*names)
    if certificate == "wrong name":
        return authority().issue_cert("elsewhere.example")
    if certificate == "expired":
        return authority().issue_cert(*names, not_before=now - 2 * day, not_after=now - day)
    if certificate == "not yet valid":
        return authority().issue_cert(*names, not_before=now + day, not_after=now + 2 * day)
    return authority().issue_cert(*names)
