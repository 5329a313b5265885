"""A token is a value.

The law here: what becomes a token is safe to send as a header, knows when it expires as Unix time,
prints without its secret, and travels between machines as a plain dict.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Iterable, Mapping
from typing import Any

from ._errors import InvalidTokenError
from ._values import Value

_VISIBLE_ASCII = re.compile(r"[\x21-\x7e]+")

LONGEST_LIFE = 10 * 365 * 86400.0
"""Seconds. A longer ``expires_in`` is cut to this: WSO2 says "never" with 2**63 milliseconds."""


class OAuthToken(Value):
    """The bearer token of ThingSpace's token endpoint (RFC 6749 section 5.1).

    Attributes:
        access_token: the opaque secret, visible ASCII.
        token_type: always a bearer type, as the server spelled it.
        expires_at: Unix time in seconds (UTC) at which it expires; ``None`` where that is not known.
        scope: the scopes that were granted.
        authorization: the header that carries it, ready-made for every request.

    Raises:
        InvalidTokenError: the value cannot be sent as a bearer token; the message does not show it.
    """

    __match_args__ = ("access_token", "token_type", "expires_at", "scope")
    __slots__ = (*__match_args__, "authorization")

    access_token: str
    token_type: str
    expires_at: float | None
    scope: tuple[str, ...]
    authorization: str

    def __init__(
        self,
        access_token: str,
        token_type: str | None = "Bearer",  # noqa: S107 - it names the kind
        expires_at: float | None = None,
        scope: str | Iterable[str] | None = (),
    ) -> None:
        """Refuse what must not become a header, and bring the rest into one form."""
        require_visible_ascii(access_token, "access_token")
        given: Any = token_type
        kind = "Bearer" if given is None else given
        if not isinstance(kind, str) or kind.lower() != "bearer":
            raise InvalidTokenError("token_type is not bearer: only bearer tokens can be used.")
        self._set(
            access_token=access_token,
            token_type=kind,
            expires_at=seconds_from(expires_at),
            scope=_scope_from(scope),
            authorization=f"Bearer {access_token}",
        )

    def __repr__(self) -> str:
        """Everything but the secret."""
        return f"OAuthToken(expires_at={self.expires_at!r}, scope={self.scope!r})"

    @classmethod
    def from_dict(cls, source: Any, *, now: float | None = None) -> OAuthToken:
        """Read a token from any of the forms in which tokens are kept.

        Args:
            source: the answer of the token endpoint, a stored :meth:`to_dict`, a token dict of
                requests-oauthlib, or an object with ``access_token`` and ``expiry`` attributes
                (``OauthToken`` of Verizon's Python SDK).
            now: Unix time in seconds at which the token request was sent; the present where it is
                not given. Only a source without ``expires_at`` and ``expiry`` needs it.

        Raises:
            InvalidTokenError: there is no usable token in it.
        """
        if isinstance(source, cls):
            return source
        read = _reader(source)
        moment = next((m for m in map(read, ("expires_at", "expiry")) if m is not None), None)
        expires_at = seconds_from(moment)
        if moment is None:
            life = lifetime_from(read("expires_in"))
            sent = time.time() if now is None else now
            expires_at = None if life is None else sent + life
        return cls(read("access_token"), read("token_type"), expires_at, read("scope"))

    def to_dict(self) -> dict[str, Any]:
        """The token as a JSON-safe dict that means the same on another machine."""
        return {
            "access_token": self.access_token,
            "token_type": self.token_type,
            "expires_at": self.expires_at,
            "scope": list(self.scope),
        }

    @property
    def value(self) -> str:
        """The secret itself, under the one name that both kinds of token share."""
        return self.access_token

    @property
    def expiry(self) -> float | None:
        """`expires_at` under the name that Verizon's Python SDK gives it."""
        return self.expires_at

    def is_expired(self, clock_skew: float = 0, *, now: float | None = None) -> bool:
        """Whether the token is expired, or will be within `clock_skew` seconds.

        Args:
            clock_skew: seconds before the expiry from which on the answer is yes.
            now: Unix time in seconds; the present where it is not given.
        """
        if self.expires_at is None:
            return False
        return (time.time() if now is None else now) >= self.expires_at - clock_skew


class SessionToken(Value):
    """The M2M session token of ThingSpace's login; it has no expiry, only errors tell.

    Raises:
        InvalidTokenError: the value cannot be sent as a header; the message does not show it.
    """

    __match_args__ = ("session_token",)
    __slots__ = __match_args__

    session_token: str

    def __init__(self, session_token: str) -> None:
        """Refuse what must not become a header."""
        require_visible_ascii(session_token, "sessionToken")
        self._set(session_token=session_token)

    def __repr__(self) -> str:
        """Everything but the secret."""
        return "SessionToken()"

    @classmethod
    def from_dict(cls, source: Any, *, now: float | None = None) -> SessionToken:  # noqa: ARG003
        """Read the login's answer, a stored :meth:`to_dict`, or the bare token.

        Args:
            source: any of these.
            now: taken, as :meth:`OAuthToken.from_dict` does; a session has no expiry to count from.

        Raises:
            InvalidTokenError: there is no usable token in it.
        """
        if isinstance(source, cls):
            return source
        if isinstance(source, Mapping):
            source = source.get("sessionToken", source.get("session_token"))
        return cls(source)

    def to_dict(self) -> dict[str, Any]:
        """The token as a JSON-safe dict."""
        return {"session_token": self.session_token}

    @property
    def value(self) -> str:
        """The secret itself, under the one name that both kinds of token share."""
        return self.session_token

    @property
    def expires_at(self) -> None:
        """Always ``None``, since a session dies of 20 idle minutes and only an error tells."""
        return None


def require_visible_ascii(value: object, name: str) -> None:
    """Refuse a token value that could break out of its header (RFC 6750 section 2.1)."""
    if not isinstance(value, str) or _VISIBLE_ASCII.fullmatch(value) is None:
        raise InvalidTokenError(
            f"{name} is not a non-empty string of visible ASCII characters, so it cannot be sent."
        )


def seconds_from(value: object) -> float | None:
    """A finite number of seconds from an int, a float or a numeric string; else ``None``."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        seconds = float(value)
    except (ValueError, OverflowError):
        return None
    return seconds if math.isfinite(seconds) else None


def lifetime_from(value: object) -> float | None:
    """Seconds to live as the wire's ``expires_in`` gives them; ``None``: no known expiry.

    A number is capped at :data:`LONGEST_LIFE`, infinite ones are unreadable.
    """
    if isinstance(value, int) and not isinstance(value, bool) and value > LONGEST_LIFE:
        return LONGEST_LIFE
    seconds = seconds_from(value)
    return None if seconds is None or seconds <= 0 else min(seconds, LONGEST_LIFE)


def _reader(source: Any) -> Any:
    """A function that reads a field of a mapping or an attribute of an object, else ``None``."""
    if isinstance(source, Mapping):
        return source.get
    if hasattr(source, "access_token"):
        return lambda name: getattr(source, name, None)
    raise InvalidTokenError(
        f"a {type(source).__name__} is no token: give an OAuthToken, a token dict, or an object "
        "with access_token and expiry attributes."
    )


def _scope_from(value: object) -> tuple[str, ...]:
    """Scopes from a space-delimited string (RFC 6749 section 3.3) or a collection of strings."""
    if isinstance(value, str):
        return tuple(value.split())
    if isinstance(value, Iterable) and not isinstance(value, (bytes, Mapping)):
        return tuple(str(one) for one in value if isinstance(one, str))
    return ()
