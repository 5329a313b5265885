"""A token cache for many machines.

The law here: an entry lives in Redis no longer than its token, and the lock is a short lease that its holder
prolongs while it fetches, so that a dead holder stops nobody for more than seconds.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from ._cache import LOCK_TIMEOUT, TokenCache
from ._entries import entry_from
from ._extras import require

_LEASE = 8.0
_POLL = 0.05
_ANSWER = 5.0  # seconds within which a Redis that is given as a URL has to answer


class RedisTokenCache(TokenCache):
    """Tokens in Redis, shared by all processes and machines that reach it; extra ``redis``.

    It needs the commands GET, SET, DEL, EVALSHA and SCRIPT LOAD (and what redis-py's Lock runs in its
    scripts: PTTL, PEXPIRE) on the keys ``prefix*``. The keys of one token share a hash tag, hence a slot of
    a Redis Cluster. Whoever can read these keys has the tokens: use TLS and an ACL user.

    A cache with a URL can be pickled. Copies share the client.

    Attributes:
        prefix: what all keys begin with.
    """

    def __init__(
        self,
        client_or_url: Any,
        prefix: str = "thingspace:",
        *,
        lock_timeout: float = LOCK_TIMEOUT,
        lease: float = _LEASE,
    ) -> None:
        """Remember the client; Redis is asked when a token is needed.

        Args:
            client_or_url: a client of redis-py, of any kind (TLS, ACL user, Sentinel, Cluster), with
                ``socket_timeout`` set; or a URL of ``redis.Redis.from_url``.
            prefix: what all keys begin with.
            lock_timeout: seconds to wait for another process that fetches.
            lease: seconds after which the lock of a dead process is free.

        Raises:
            ImportError: the extra is not installed.
            ValueError: the URL is none of Redis.
        """
        super().__init__(lock_timeout=lock_timeout)
        require(("redis",), "redis")
        self._url = client_or_url if isinstance(client_or_url, str) else None
        self._client = client_or_url if self._url is None else _client_of(self._url)
        self._lease = lease
        self.prefix = prefix

    @contextmanager
    def lock(self, key: str) -> Iterator[None]:
        """redis-py's Lock, prolonged while it is held."""
        lock = self._client.lock(
            f"{self._name(key)}:lock",
            timeout=self._lease,
            blocking_timeout=self.lock_timeout,
            sleep=_POLL,
            thread_local=False,  # the thread that prolongs it needs it too
        )
        if not lock.acquire():
            raise TimeoutError(f"others held the lock in Redis for {self.lock_timeout:g} seconds")
        ended = threading.Event()
        keeper = threading.Thread(target=self._prolong, args=(lock, ended), daemon=True)
        keeper.start()
        try:
            yield
        finally:
            ended.set()
            keeper.join()
            lock.release()

    def load(self, key: str) -> dict[str, Any] | None:
        """Read the key."""
        text = self._client.get(self._name(key))
        return None if text is None else entry_from(text)

    def save(self, key: str, entry: dict[str, Any], ttl: float) -> None:
        """Set the key, for `ttl` seconds."""
        self._client.set(self._name(key), json.dumps(entry), px=int(ttl * 1000))

    def clear(self, key: str) -> None:
        """Delete the key."""
        self._client.delete(self._name(key))

    def __repr__(self) -> str:
        """The prefix; a URL may hold a password."""
        return f"<RedisTokenCache {self.prefix!r}>"

    def __copy__(self) -> RedisTokenCache:
        """The same cache: a client is made to be shared."""
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> RedisTokenCache:
        """The same cache, for an auth that is copied."""
        return self

    def __getstate__(self) -> dict[str, Any]:
        """Everything but the client, which has connections.

        Raises:
            TypeError: the client was handed in, so that no other process could make its like.
        """
        if self._url is None:
            raise TypeError("a RedisTokenCache can be pickled if it is made with a URL, not with a client.")
        return {**super().__getstate__(), "_client": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Make a client of the same URL."""
        self.__dict__.update(state)
        self._client = _client_of(state["_url"])

    def _name(self, key: str) -> str:
        return f"{self.prefix}{{{key}}}"

    def _prolong(self, lock: Any, ended: threading.Event) -> None:
        """Prolong the lease from time to time until its holder has `ended`."""
        with suppress(Exception):  # the release will meet the same trouble, and tell
            while not ended.wait(self._lease / 3):
                lock.extend(self._lease, replace_ttl=True)


def _client_of(url: str) -> Any:
    """A client that gives up in time, and tries twice: a connection may be of a server that has restarted."""
    from redis import Redis
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    return Redis.from_url(
        url, socket_timeout=_ANSWER, socket_connect_timeout=_ANSWER, retry=Retry(NoBackoff(), 1)
    )
