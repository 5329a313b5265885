"""What can go wrong.

Every error of this library is a :class:`requests.RequestException`, carries its evidence as
attributes, and never holds a secret. Code that catches ``requests.RequestException`` catches
everything.
"""

from __future__ import annotations

import copy
from typing import Any

import requests


class ThingspaceError(requests.RequestException):
    """Something about ThingSpace authentication went wrong.

    Attributes:
        status: HTTP status of ThingSpace's answer, ``None`` without one.
        code: what ThingSpace calls the problem: an OAuth ``error`` (RFC 6749 section 5.2), a WSO2
            fault code such as ``"900901"``, or an M2M ``errorCode``.
        description: ThingSpace's own words, bounded in length and free of secrets.
        retryable: whether the same call may succeed later without anyone changing anything.
        retry_after: seconds that the server asked us to wait, ``None`` if it did not.
        response: a bare Response with the status, a few headers and the redacted body of
            ThingSpace's answer, ``None`` without one. Its ``request`` is always ``None``.
    """

    refused_credentials: str | None = None
    """Fingerprint of the credentials that ThingSpace refused; token caches share it."""

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        code: str | None = None,
        description: str | None = None,
        retryable: bool = False,
        retry_after: float | None = None,
        response: requests.Response | None = None,
    ) -> None:
        super().__init__(message, response=response)
        self.status = status
        self.code = code
        self.description = description
        self.retryable = retryable
        self.retry_after = retry_after


class InvalidTokenError(ThingspaceError, ValueError):
    """A token that cannot be used: not bearer, not visible ASCII, or not a token at all."""


class TokenRequestError(ThingspaceError):
    """The token or revoke endpoint refused, or answered something that is not a token."""


class LoginError(ThingspaceError):
    """The M2M login or logout endpoint refused, or answered something that is not a session."""


class LoginRefusedError(LoginError):
    """ThingSpace refused these M2M credentials; they are not tried again.

    Five failed logins lock the account until Verizon's support unlocks it, so the first refusal is
    remembered until the credentials change or ``auth.reset()`` is called.
    """


def copy_of(error: Exception) -> Exception:
    """A copy of `error` without its frames, to raise in another thread or at another time.

    An error that cannot be copied (a provider's own class) is returned as it is.
    """
    known = type(error).__module__ in (__name__, requests.exceptions.__name__)
    try:  # JSONDecodeError of requests before 2.32 cannot be copied
        twin: Any = copy.copy(error)
        return twin if known or (type(twin) is type(error) and twin.args == error.args) else error
    except Exception:  # noqa: BLE001 - whatever its own methods raise
        return error
