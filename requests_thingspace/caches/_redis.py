"""A token cache for many machines.

An entry lives in Redis no longer than its token. The lock is a short lease that its holder prolongs while it
fetches, so that a dead holder stops nobody for more than seconds. Who waits is woken by a notice. Each step
is one command, whatever the size of the fleet: look, lock and look, save and unlock.
"""

from __future__ import annotations

import json
import secrets
import threading
import time
import weakref
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from functools import partial
from importlib.util import find_spec
from typing import Any

from .._endpoints.worker import start_thread
from .._settings import require_seconds
from ._cache import LOCK_TIMEOUT, TokenCache, require
from ._entries import entry_from

_ANSWER = 5.0  # seconds within which a Redis that is given as a URL has to answer

# The keys are those of the entry, the lock and the notice; the first argument is the owner of the lock. An
# owner whose answer was lost asks again and is recognised. The notice is a stream: it can be read without
# being taken away, and it says that the newest holder of the lock has given it up.
_IF_MINE = """
local owner = redis.call('GET', KEYS[2])
if owner and owner ~= ARGV[1] then return 0 end
"""
_LOCK = f"""{_IF_MINE}
redis.call('SET', KEYS[2], ARGV[1], 'PX', ARGV[2])
redis.call('DEL', KEYS[3])
return {{1, redis.call('GET', KEYS[1])}}
"""
_PROLONG = f"{_IF_MINE} return redis.call('PEXPIRE', KEYS[2], ARGV[2])"
_UNLOCK = f"""{_IF_MINE}
if ARGV[2] then redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3]) end
redis.call('DEL', KEYS[2])
redis.call('XADD', KEYS[3], '*', 'over', '1')
redis.call('PEXPIRE', KEYS[3], 10000)
return 1
"""


class RedisTokenCache(TokenCache):
    """Tokens in Redis, shared by all processes and machines that reach it; extra ``redis``.

    It needs the commands GET, SET, DEL, EVAL, XREAD, and in its scripts PEXPIRE and XADD, on the keys
    ``prefix*``. The keys of one token share a hash tag, hence a slot of a Redis Cluster. Whoever can read
    these keys has the tokens: use TLS and an ACL user. A cache with a URL can be pickled. Copies share the
    client.
    """

    def __init__(
        self,
        client_or_url: Any,
        prefix: str = "thingspace:",
        *,
        lock_timeout: float = LOCK_TIMEOUT,
        lease: float = 8.0,
    ) -> None:
        """Remember the client; Redis is asked when a token is needed.

        Args:
            client_or_url: a client of redis-py, of any kind (TLS, ACL user, Sentinel, Cluster), with
                ``socket_timeout`` set; or a URL of ``redis.Redis.from_url``.
            prefix: what all keys begin with; an attribute too.
            lock_timeout: seconds to wait at most for another process that fetches.
            lease: seconds after which the lock of a dead process is free.

        Raises:
            ImportError: the extra is not installed.
            TypeError: it is neither a client nor a URL.
            ValueError: the URL is not one of Redis.
        """
        super().__init__(lock_timeout=lock_timeout)
        if not isinstance(client_or_url, str) and not hasattr(client_or_url, "execute_command"):
            kind = type(client_or_url).__name__
            raise TypeError(f"client_or_url must be a client of redis-py or a URL, not a {kind}.")
        require_seconds("lease", lease, least=0.1)
        require(("redis",), "redis")
        from redis.exceptions import RedisError

        self.errors = (RedisError, OSError, ValueError)
        self._url = client_or_url if isinstance(client_or_url, str) else None
        self._client = client_or_url if self._url is None else _client_of(self._url)
        self._watch = min(lease / 8, 1.0)  # seconds
        self.lease = lease - self._watch  # who watches finds a dead lock that much later
        self.prefix = prefix

    def lock(self, key: str) -> AbstractContextManager[object]:
        return _Lease(self, key)

    def load(self, key: str) -> dict[str, Any] | None:
        return entry_from(self._client.get(self._names(key)[0]))

    def save(self, key: str, entry: dict[str, Any], ttl: float) -> None:
        self._client.set(self._names(key)[0], json.dumps(entry), px=int(ttl * 1000))

    def clear(self, key: str) -> None:
        self._client.delete(self._names(key)[0])

    def watch(self, key: str) -> Callable[[float], bool]:
        """Wait for the notice that the lock has been given up, for a second at most."""
        from redis.exceptions import ResponseError
        from redis.exceptions import TimeoutError as NoAnswer

        client, name = self._client, self._names(key)[2]
        timeout = client.get_connection_kwargs().get("socket_timeout") or _ANSWER
        patience = min(self._watch, timeout / 2)
        words = ("XREAD", "COUNT", 1, "BLOCK", max(int(patience * 1000), 1), "STREAMS", name, "0-0")
        node_of = getattr(client, "get_node_from_key", None)  # a Cluster's client cannot see the key in XREAD
        gives_notice = True  # an ACL may forbid XREAD, a proxy may not know it

        def wait(_: float) -> bool:
            nonlocal gives_notice
            if gives_notice:
                where = {} if node_of is None else {"target_nodes": node_of(name)}
                try:
                    return bool(client.execute_command(*words, **where))
                except (ResponseError, NoAnswer):
                    gives_notice = False
            time.sleep(min(0.2, self._watch))  # seconds; it polls
            return True

        return wait

    def __repr__(self) -> str:
        return f"<RedisTokenCache {self.prefix!r}>"  # a URL may hold a password

    def __copy__(self, _: object = None) -> RedisTokenCache:
        return self  # a client is made to be shared

    __deepcopy__ = __copy__

    def __getstate__(self) -> dict[str, Any]:
        if self._url is None:
            raise TypeError("a RedisTokenCache can be pickled if it is made with a URL, not with a client.")
        return {**super().__getstate__(), "_client": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _client=_client_of(state["_url"]))

    def _names(self, key: str) -> tuple[str, str, str]:
        """The names of the entry, the lock and the notice."""
        name = f"{self.prefix}{{{key}}}"
        return name, f"{name}:lock", f"{name}:notice"

    def _load_under(self, lock: Any, key: str) -> dict[str, Any] | None:
        return self.load(key) if lock is None else entry_from(lock.text)

    def _save_under(self, lock: Any, key: str, entry: dict[str, Any], ttl: float) -> None:
        if lock is None:
            self.save(key, entry, ttl)
        else:
            lock.end(json.dumps(entry), int(ttl * 1000))


class _Lease:
    """One try for a lock, and the lease if it succeeds. One that an interrupt has lost ends by itself."""

    def __init__(self, cache: RedisTokenCache, key: str) -> None:
        self.text: str | bytes | None = None  # what the entry was when the lock was taken
        self.cache, self._names = cache, cache._names(key)
        self._owner = secrets.token_hex(16)
        self._is_over, self._stop = False, threading.Lock()  # an Event that an interrupt spoils would hang
        self._stop.acquire()

    def __enter__(self) -> _Lease:
        answer = self.run(_LOCK, int(self.cache.lease * 1000))
        if not answer:
            raise BlockingIOError("another process holds the lock in Redis")
        self.text = answer[1]
        times = self.cache.lease / 3, self.cache.lock_timeout
        keep = partial(_prolong, weakref.ref(self), self._stop, *times)
        with suppress(RuntimeError):  # no thread can be started: it is a lease of one term then
            start_thread(keep, "thingspace-lease")
        return self

    def __exit__(self, *_: object) -> None:
        if not self._is_over:
            self.end()

    def run(self, script: str, *arguments: Any) -> Any:
        """Run one of the scripts above. EVAL needs no other command where Redis does not know it yet."""
        return self.cache._client.eval(script, 3, *self._names, self._owner, *arguments)

    def end(self, *text_and_milliseconds: Any) -> None:
        """Give up the lock, and save if there is something; raise if somebody else has it."""
        self._is_over = True
        with suppress(RuntimeError):  # it was released before
            self._stop.release()
        if not self.run(_UNLOCK, *text_and_milliseconds):
            raise OSError("the lock in Redis passed to another process before the token was there")


def _prolong(lease_or_none: weakref.ref[_Lease], stop: threading.Lock, pause: float, longest: float) -> None:
    """Prolong a lease from time to time until it is over, or lost, or has had the time of any fetch."""
    until = time.monotonic() + longest
    while not stop.acquire(timeout=pause) and time.monotonic() < until:
        lease = lease_or_none()
        if lease is None:
            return
        with suppress(Exception):  # the next one may work again; if none does, saving will tell
            lease.run(_PROLONG, int(lease.cache.lease * 1000))
        del lease


def _client_of(url: str) -> Any:
    """A client that gives up in time, tries twice (Redis may have restarted), and sends no HELLO or name."""
    from redis import Redis
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    settings: dict[str, Any] = {"socket_timeout": _ANSWER, "socket_connect_timeout": _ANSWER, "protocol": 2}
    nameless = ("driver_info",) if find_spec("redis.driver_info") else ("lib_name", "lib_version")
    return Redis.from_url(url, retry=Retry(NoBackoff(), 1), **settings, **dict.fromkeys(nameless))
