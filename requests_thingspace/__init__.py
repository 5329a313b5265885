"""Verizon ThingSpace authentication for any requests Session."""

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
from ._held import Clock
from ._manager import TokenManager, TokenProvider
from ._tokens import OAuthToken, SessionToken

__all__ = [
    "PRODUCTION",
    "STAGING",
    "Clock",
    "Environment",
    "InvalidTokenError",
    "LoginError",
    "LoginRefusedError",
    "OAuthToken",
    "SessionToken",
    "ThingspaceAdapter",
    "ThingspaceAuth",
    "ThingspaceError",
    "TokenManager",
    "TokenProvider",
    "TokenRequestError",
    "mount",
]
