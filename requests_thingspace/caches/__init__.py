"""Token caches: one token for the processes of a machine, or for many machines.

A script that shares its tokens in a file pays for the import of no other cache.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ._cache import TokenCache

if TYPE_CHECKING:
    from ._file import FileTokenCache
    from ._keyring import KeyringTokenCache
    from ._redis import RedisTokenCache

__all__ = ["FileTokenCache", "KeyringTokenCache", "RedisTokenCache", "TokenCache"]

_MODULES = {"FileTokenCache": "._file", "KeyringTokenCache": "._keyring", "RedisTokenCache": "._redis"}


def __getattr__(name: str) -> Any:
    """Import a cache when it is asked for."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULES[name], __name__), name)
