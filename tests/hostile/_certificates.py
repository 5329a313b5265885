"""Certificates of the hostile server: one good authority per test run, and every way to be wrong under it."""

from __future__ import annotations

import functools
import ssl
from datetime import datetime, timedelta, timezone
from typing import Literal

import trustme

Certificate = Literal["good", "unknown CA", "wrong name", "expired", "not yet valid"]

LOOPBACK_NAMES = ("localhost", "127.0.0.1")


@functools.cache
def authority() -> trustme.CA:
    """The one authority that all hostile servers of this process share, so one file trusts them all."""
    return trustme.CA()


@functools.cache
def server_context(kind: Certificate = "good") -> ssl.SSLContext:
    """A server-side TLS context whose certificate is right, or wrong in exactly one respect."""
    now, day = datetime.now(timezone.utc), timedelta(days=1)
    validity = {
        "expired": {"not_before": now - 2 * day, "not_after": now - day},
        "not yet valid": {"not_before": now + day, "not_after": now + 2 * day},
    }.get(kind, {})
    issuer = trustme.CA() if kind == "unknown CA" else authority()
    names = ("elsewhere.example",) if kind == "wrong name" else LOOPBACK_NAMES
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.num_tickets = 0  # nothing on the wire but what a behaviour sends
    issuer.issue_cert(*names, **validity).configure_cert(context)
    return context
