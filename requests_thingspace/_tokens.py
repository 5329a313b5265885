"""What a token is.

Whatever becomes a token is safe to send as a header, knows its expiry as Unix time, prints without
its secret, and travels between machines as a plain dict.
"""

from __future__ import annotations

import hashlib
import math
import re
import time
from collections.abc import Iterable, Mapping
from typing import Any

from ._errors import InvalidTokenError
from ._values import Secret, Value

LONGEST_LIFE = 10 * 365 * 86400.0  # seconds; WSO2 says "never" with an expires_in of 2**63 milliseconds


class OAuthToken(Value):
    """The bearer token of ThingSpace's token endpoint (RFC 6749 section 5.1).

    Attributes:
        access_token: the opaque secret, visible ASCII.
        token_type: always a bearer type, as the server spelled it.
        expires_at: Unix time in seconds (UTC) at which it expires; ``None`` if that is not known.
        scope: the scopes that were granted.
        authorization: the header that carries it, ready-made for every request.
        secret: `access_token` in a wrapper that never shows it.

    Raises:
        InvalidTokenError: the value cannot be sent as a bearer token; the message does not show it.
    """

    __match_args__ = ("access_token", "token_type", "expires_at", "scope")
    __slots__ = (*__match_args__, "authorization", "secret")

    def __init__(
        self,
        access_token: str,
        token_type: str | None = "Bearer",  # noqa: S107 - it names the kind
        expires_at: float | None = None,
        scope: str | Iterable[str] | None = (),
    ) -> None:
        """Refuse what must not become a header, and normalise the rest."""
        self.secret = Secret(access_token)
        del access_token  # so that no crash report shows it
        require_visible_ascii(self.secret, "access_token")
        kind: Any = "Bearer" if token_type is None else token_type
        if not isinstance(kind, str) or kind.lower() != "bearer":
            raise InvalidTokenError("token_type is not bearer: only bearer tokens can be used.")
        self.access_token, self.token_type = self.secret.reveal(), str(kind)
        self.authorization = f"Bearer {self.access_token}"
        self.expires_at, self.scope = seconds_from(expires_at), _scope_from(scope)

    def __repr__(self) -> str:
        """Everything but the secret."""
        return f"OAuthToken(expires_at={self.expires_at!r}, scope={self.scope!r})"

    @classmethod
    def from_dict(cls, source: Any, *, now: float | None = None) -> OAuthToken:
        """Read a token in any of the forms in which tokens are stored.

        Args:
            source: the answer of the token endpoint, a stored :meth:`to_dict`, a token dict of
                requests-oauthlib, or an object with ``access_token`` and ``expiry`` attributes
                (``OauthToken`` of Verizon's Python SDK).
            now: Unix time in seconds at which the token request was sent, by default the present.
                Only a source without ``expires_at`` and ``expiry`` needs it.

        Raises:
            InvalidTokenError: it holds no usable token.
        """
        if isinstance(source, cls):
            return source
        hidden = Secret(source)
        del source  # no crash report shows it
        read = _reader(hidden)
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
        """The token itself, under the name that both kinds of token share."""
        return self.access_token

    @property
    def expiry(self) -> float | None:
        """`expires_at` under the name that Verizon's Python SDK gives it."""
        return self.expires_at

    def is_expired(self, clock_skew: float = 0, *, now: float | None = None) -> bool:
        """Whether the token is expired, or will be within `clock_skew` seconds.

        Args:
            clock_skew: seconds before the expiry at which the answer becomes yes.
            now: Unix time in seconds, by default the present.
        """
        if self.expires_at is None:
            return False
        return (time.time() if now is None else now) >= self.expires_at - clock_skew


class SessionToken(Value):
    """The M2M session token of ThingSpace's login. It has no expiry: only an error tells that it is over.

    Attributes:
        session_token: the opaque secret, visible ASCII.
        secret: the same in a wrapper that never shows it.

    Raises:
        InvalidTokenError: the value cannot be sent as a header; the message does not show it.
    """

    __match_args__ = ("session_token",)
    __slots__ = (*__match_args__, "secret")

    expires_at: None = None
    """Always ``None``: ThingSpace ends a session after 20 idle minutes, and only an error tells."""

    def __init__(self, session_token: str) -> None:
        """Refuse what must not become a header."""
        self.secret = Secret(session_token)
        del session_token  # so that no crash report shows it
        require_visible_ascii(self.secret, "sessionToken")
        self.session_token = self.secret.reveal()

    def __repr__(self) -> str:
        """Everything but the secret."""
        return "SessionToken()"

    @classmethod
    def from_dict(cls, source: Any, *, now: float | None = None) -> SessionToken:  # noqa: ARG003
        """Read the login's answer, a stored :meth:`to_dict`, or the bare token.

        Args:
            source: any of these.
            now: ignored, since a session has no expiry; :meth:`OAuthToken.from_dict` takes it too.

        Raises:
            InvalidTokenError: it holds no usable token.
        """
        if isinstance(source, cls):
            return source
        read = source.get if isinstance(source, Mapping) else {"sessionToken": source}.get
        del source  # it holds the token
        return cls(read("sessionToken") or read("session_token"))  # type: ignore[arg-type]  # it is checked

    def to_dict(self) -> dict[str, Any]:
        """The token as a JSON-safe dict."""
        return {"session_token": self.session_token}

    @property
    def value(self) -> str:
        """The token itself, under the name that both kinds of token share."""
        return self.session_token


def fingerprint_of(token: OAuthToken | SessionToken) -> str:
    """The first 8 hexadecimal digits of the token's SHA-256, by which logs and events name it."""
    return hashlib.sha256(token.value.encode()).hexdigest()[:8]


def require_visible_ascii(secret: Secret[Any], name: str) -> None:
    """Refuse a token value that could break out of its header (RFC 6750 section 2.1)."""
    if not isinstance(secret.reveal(), str) or re.fullmatch(r"[\x21-\x7e]+", secret.reveal()) is None:
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
    """The lifetime in seconds that ``expires_in`` states, if it does, at most :data:`LONGEST_LIFE`."""
    if isinstance(value, int) and not isinstance(value, bool) and value > LONGEST_LIFE:
        return LONGEST_LIFE
    seconds = seconds_from(value)
    return None if seconds is None or seconds <= 0 else min(seconds, LONGEST_LIFE)


def _reader(source: Secret[Any]) -> Any:
    """A function that reads a field of a mapping or an attribute of an object, else ``None``."""
    if isinstance(source.reveal(), Mapping):
        return source.reveal().get
    if hasattr(source.reveal(), "access_token"):
        return lambda name: getattr(source.reveal(), name, None)
    raise InvalidTokenError(
        f"a {type(source.reveal()).__name__} is not a token: give an OAuthToken, a token dict, or an object "
        "with access_token and expiry attributes."
    )


def _scope_from(value: object) -> tuple[str, ...]:
    """Scopes from a space-delimited string (RFC 6749 section 3.3) or a collection of strings."""
    if isinstance(value, str):
        return tuple(value.split())
    if isinstance(value, Iterable) and not isinstance(value, (bytes, Mapping)):
        return tuple(str(one) for one in value if isinstance(one, str))
    return ()
