"""The tokens that this user's processes share, so that a command does not ask for one of its own."""

from __future__ import annotations

from typing import Any

from requests_thingspace import FileTokenCache, SessionToken

from ._output import complain


def shared_cache() -> Any:
    """The file cache; ``None`` where the extra ``file`` is not installed."""
    try:
        return FileTokenCache()
    except ImportError:
        return None


def shared_cache_or_notice() -> Any:
    """The file cache; where there is none, stderr says so."""
    cache = shared_cache()
    if cache is None:
        complain('no token is kept between calls: pip install "requests-thingspace[file]"')
    return cache


class NothingStoredError(Exception):
    """There is no session token in the cache."""


class StoredSession:
    """The file cache as a provider that gives the session token which is stored, and never logs in."""

    def __init__(self) -> None:
        """Open it, if there is one."""
        self._cache = shared_cache_or_notice()

    def __call__(self, last_token: Any, manager: Any, /) -> Any:
        """Give what the cache gives.

        Raises:
            NothingStoredError: it would have to log in.
        """
        if manager.token_class is SessionToken:
            manager = _WithoutLogin(manager)
        return manager.fetch_token() if self._cache is None else self._cache(last_token, manager)

    def forget(self, manager: Any) -> None:
        """Drop what is stored."""
        self._cache.forget(manager)


class _WithoutLogin:
    """A TokenManager that cannot fetch."""

    def __init__(self, manager: Any) -> None:
        self._manager = manager

    def __getattr__(self, name: str) -> Any:
        return getattr(self._manager, name)

    def fetch_token(self) -> Any:
        raise NothingStoredError
