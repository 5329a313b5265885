"""One token for a fleet.

The law here: load, judge; where there is nothing of use lock, look again, fetch, save, unlock. The lock spans
the fetch, so that a thousand processes make one token call and one login. Whatever breaks on the way is
logged once, and the token is fetched: a broken cache never fails a request.
"""

from __future__ import annotations

import logging
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from .._answers import scrubbed
from .._errors import LoginRefusedError
from .._manager import TokenManager
from ._entries import token_in, with_refusal

_log = logging.getLogger("requests_thingspace")

LOCK_TIMEOUT = 40.0
"""Seconds to wait for the lock: longer than a token call may take (30 s by default)."""

LONGEST_STAY = 30 * 86400.0
"""Seconds for which an entry without an expiry of its own is kept."""

_MOST_SPENT = 1000  # rejected tokens that are remembered


class TokenCache(ABC):
    """A token provider that shares tokens: give it to ``ThingspaceAuth(cache=...)``.

    A backend implements :meth:`lock`, :meth:`load`, :meth:`save` and :meth:`clear`. They may raise
    anything: that is logged as a warning when it begins, and as information when it is over.
    :class:`requests_thingspace.testing.TokenCacheContract` tests a backend.

    Attributes:
        lock_timeout: seconds that :meth:`lock` waits at most. Longer than the ``timeout`` of the
            auths that use the cache, or a slow ThingSpace is asked by many at once.
    """

    def __init__(self, *, lock_timeout: float = LOCK_TIMEOUT) -> None:
        """Start with no trouble known.

        Args:
            lock_timeout: seconds that :meth:`lock` waits at most.
        """
        self.lock_timeout = lock_timeout
        # Each use of these two is one atomic operation on a dict, so that there is no lock here that a
        # forked child could inherit.
        self._broken: dict[str, tuple[str, str]] = {}  # what broke first and was told of
        self._spent: dict[str, None] = {}  # tokens that were rejected; one may still be stored

    @abstractmethod
    def lock(self, key: str) -> AbstractContextManager[object]:
        """A context in which no other thread, process or machine is that asks for the same `key`.

        It is entered once, and given up by the death of the process that holds it, at once or within
        seconds. While it is held the same thread may enter the lock of another key.

        Raises:
            Exception: on entry: it was not to be had within :attr:`lock_timeout` seconds, or at all.
        """

    @abstractmethod
    def load(self, key: str) -> dict[str, Any] | None:
        """The entry that was last saved under `key`, ``None`` where there is none.

        It is called with and without the lock, and sees a whole entry at any time.

        Raises:
            ValueError: there is one that cannot be read; it will be overwritten.
            Exception: the cache is out of reach, and is not asked to save.
        """

    @abstractmethod
    def save(self, key: str, entry: dict[str, Any], ttl: float) -> None:
        """Keep `entry` under `key` in place of what was there.

        Args:
            key: 64 hexadecimal digits that tell nothing of the client.
            entry: JSON-safe; it holds a token, so only the owner may read it.
            ttl: seconds after which it is of no use and may be dropped.
        """

    @abstractmethod
    def clear(self, key: str) -> None:
        """Drop the entry under `key`, if there is one."""

    def __call__(self, last_token: Any, manager: TokenManager[Any], /) -> Any:
        """Give the shared token, as a token provider does.

        Raises:
            LoginRefusedError: ThingSpace refused these M2M credentials, here or in another process.
            requests.RequestException: a token had to be fetched and was not to be had.
        """
        visit = _Visit(self, manager)
        if last_token is not None and not manager.accepts(last_token):
            self._remember_as_spent(last_token.value)
        try:
            token = visit.look()
            if token is None and visit.is_in_vain:
                return manager.fetch_token()
            if token is None:
                with visit.locked():
                    token = visit.look() or visit.fetch()
            return token
        finally:
            self._tell(visit)

    def forget(self, manager: TokenManager[Any]) -> None:
        """Drop what is kept for `manager`: its token, and the memory of a refused login."""
        visit = _Visit(self, manager)
        with visit.guarded("save"):
            self.clear(visit.key)
        self._tell(visit)

    def __getstate__(self) -> dict[str, Any]:
        """Everything but the trouble that this very object has had."""
        return {**self.__dict__, "_broken": {}, "_spent": {}}

    def _remember_as_spent(self, value: str) -> None:
        """Do not give this token again: a cache that is broken may go on offering it."""
        self._spent[value] = None
        for oldest in list(self._spent)[:-_MOST_SPENT]:
            self._spent.pop(oldest, None)

    def _tell(self, visit: _Visit) -> None:
        """Log the change if there is one: one warning when it breaks, one line when it works again."""
        if visit.troubles:
            step, _, words = visit.troubles[0]
            mine = (visit.key, step)
            if self._broken.setdefault("since", mine) is mine:
                said = "the token cache does not work (%s), so that tokens are fetched from ThingSpace: %s"
                _log.warning(said, step, words)
            return
        since = self._broken.get("since")
        # What works elsewhere, with another key or in another step, is no news of what broke.
        if since is None or since[0] != visit.key or since[1] not in visit.worked:
            return
        if self._broken.pop("since", None) is since:  # pragma: no branch - else another thread told of it
            _log.info("the token cache works again (%s)", since[1])


class _Visit:
    """One call of a cache on behalf of one manager.

    Attributes:
        key: the manager's.
        troubles: the steps in which the cache raised something, what it was, and words for it.
        worked: the steps in which it did not.
    """

    def __init__(self, cache: TokenCache, manager: TokenManager[Any]) -> None:
        self.key = manager.cache_key
        self.troubles: list[tuple[str, Exception, str | None]] = []
        self.worked: set[str] = set()
        self._cache = cache
        self._manager = manager

    @property
    def is_in_vain(self) -> bool:
        """Whether the cache is out of reach; an entry that cannot be read can still be replaced."""
        return any(not isinstance(error, ValueError) for _, error, _ in self.troubles)

    @contextmanager
    def guarded(self, step: str, *secrets: str) -> Iterator[None]:
        """Take note of what the cache raises in this step, in words without `secrets`."""
        try:
            yield
            self.worked.add(step)
        except LoginRefusedError:
            self.worked.add(step)
            raise
        except Exception as error:  # noqa: BLE001 - a backend may raise anything
            self.troubles.append((step, error, scrubbed(f"{type(error).__name__}: {error}", secrets)))

    def look(self) -> Any:
        """The stored token if it is of use; a refused login is raised."""
        with self.guarded("load"):
            entry = self._cache.load(self.key)
            token = None if entry is None else token_in(entry, self._manager)
            return None if token is None or token.value in self._cache._spent else token

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the lock, or go on without it where it is not to be had."""
        held = None
        with self.guarded("lock"):
            lock = self._cache.lock(self.key)
            lock.__enter__()
            held = lock
        try:
            yield
        finally:
            if held is not None:
                with self.guarded("unlock"):
                    held.__exit__(None, None, None)

    def fetch(self) -> Any:
        """A token from ThingSpace, saved; a refused login is saved too."""
        try:
            token = self._manager.fetch_token()
        except LoginRefusedError as refusal:
            self._save_refusal(refusal)
            raise
        self._cache._spent.pop(token.value, None)
        life = LONGEST_STAY if token.expires_at is None else token.expires_at - time.time()
        with self.guarded("save", token.value):
            self._cache.save(self.key, token.to_dict(), max(life, 1.0))
        return token

    def _save_refusal(self, refusal: LoginRefusedError) -> None:
        """Save a refusal once.

        The latch of this process raises copies of it from now on. Saved as well, they would undo the
        ``reset()`` of another process; the mark travels with the copies.
        """
        if getattr(refusal, "is_in_cache", False):
            return
        entry = None
        with self.guarded("load"):
            entry = self._cache.load(self.key)
        with self.guarded("save"):
            entry = with_refusal(entry, self._manager.fingerprint, refusal)
            self._cache.save(self.key, entry, LONGEST_STAY)
            refusal.is_in_cache = True  # type: ignore[attr-defined]
