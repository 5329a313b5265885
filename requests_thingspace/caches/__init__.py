"""Token caches: one token for the processes of a machine, or for many machines."""

from ._cache import TokenCache
from ._file import FileTokenCache
from ._keyring import KeyringTokenCache
from ._redis import RedisTokenCache

__all__ = ["FileTokenCache", "KeyringTokenCache", "RedisTokenCache", "TokenCache"]
