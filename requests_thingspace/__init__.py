"""Verizon ThingSpace authentication for any requests Session."""

from typing import TYPE_CHECKING, Any

from ._adapter import ThingspaceAdapter, mount
from ._auth import ThingspaceAuth
from ._environment import PRODUCTION, STAGING, Environment
from ._errors import (
    InvalidTokenError,
    LoginError,
    LoginRefusedError,
    ThingspaceError,
    TokenRequestError,
)
from ._events import Event
from ._manager import TokenManager, TokenProvider
from ._tokens import OAuthToken, SessionToken
from ._validity import Clock

if TYPE_CHECKING:
    from .caches import FileTokenCache, KeyringTokenCache, RedisTokenCache, TokenCache

__all__ = [
    "PRODUCTION",
    "STAGING",
    "Clock",
    "Environment",
    "Event",
    "FileTokenCache",
    "InvalidTokenError",
    "KeyringTokenCache",
    "LoginError",
    "LoginRefusedError",
    "OAuthToken",
    "RedisTokenCache",
    "SessionToken",
    "ThingspaceAdapter",
    "ThingspaceAuth",
    "ThingspaceError",
    "TokenCache",
    "TokenManager",
    "TokenProvider",
    "TokenRequestError",
    "mount",
]


def __getattr__(name: str) -> Any:
    """Import the caches when one of them is asked for: most programs need none."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from . import caches

    return getattr(caches, name)


def __dir__() -> list[str]:
    """The caches too, which are imported when they are asked for."""
    return sorted({*globals(), *__all__})
