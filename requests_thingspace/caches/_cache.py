"""One token for a fleet.

Look; if there is nothing usable, take the lock, look again, fetch, save, unlock. The lock spans the fetch,
so that a thousand processes make one token call and one login. If another process has the lock, watch the
entry and leave as soon as there is a token: nobody queues. A broken cache never fails a request.
"""

from __future__ import annotations

import random
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from importlib.util import find_spec
from typing import Any

from .._errors import LoginRefusedError, ThingspaceError
from .._events import text_of
from .._manager import TokenManager
from .._settings import require_seconds
from .._values import Secret
from . import _entries

LOCK_TIMEOUT = 40.0  # seconds to wait for another process; a token call takes 30 at most by default
_LONGEST_STAY = 30 * 86400.0  # seconds for which an entry without an expiry is kept: a session, or a refusal
_SHORTEST_PAUSE, _LONGEST_PAUSE = 0.004, 0.07  # seconds between two looks at an entry that others renew
_LOCK_PAUSE = 0.1  # seconds between two tries for a lock of which there is no news
_MOST_SPENT = 1000  # rejected tokens that are remembered


class TokenCache(ABC):
    """A token provider that shares tokens: give it to ``ThingspaceAuth(cache=...)``.

    A backend implements :meth:`lock`, :meth:`load`, :meth:`save` and :meth:`clear`. They may raise any of
    :attr:`errors`: the token is then fetched as if there were no cache, and an event says so when it
    begins (``cache_broken``) and when it is over (``cache_recovered``).
    :class:`requests_thingspace.testing.TokenCacheContract` tests a backend.

    Attributes:
        lock_timeout: seconds to wait at most for another process that fetches. Longer than the
            ``timeout`` of the auths that use the cache, or a slow ThingSpace is asked by many at once.
        errors: the exceptions that mean that the cache is in trouble, besides ValueError. Any other passes
            through, such as one that a signal handler raises (Celery's soft time limit): name your library's
            own if you can.
    """

    errors: type[Exception] | tuple[type[Exception], ...] = Exception

    def __init__(self, *, lock_timeout: float = LOCK_TIMEOUT) -> None:
        require_seconds("lock_timeout", lock_timeout)
        self.lock_timeout = lock_timeout
        # Each use of these is one atomic operation on a dict: a forked child could inherit a lock.
        self._broken: dict[str, tuple[str, str]] = {}  # what broke first and was told of
        self._spent: dict[Secret[str], None] = {}  # tokens that were rejected; one may still be stored
        self._refused: dict[tuple[str, str], None] = {}  # refused logins that were saved

    @abstractmethod
    def lock(self, key: str) -> AbstractContextManager[object]:
        """Try once to take the lock of `key`, across threads, processes and machines; do not wait for it.

        The context manager is entered once. The death of its process frees the lock, at once or within
        seconds. The same thread may enter the lock of another key meanwhile.

        Raises:
            TimeoutError: on entry, if somebody else has the lock. (BlockingIOError means the same.)
        """

    @abstractmethod
    def load(self, key: str) -> dict[str, Any] | None:
        """The entry that was last saved under `key`, ``None`` if there is none.

        It is called with and without the lock, and sees a whole entry at any time.

        Raises:
            ValueError: it cannot be read; it will be overwritten. (After other errors nothing is saved.)
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

    def watch(self, key: str) -> Callable[[float], bool]:  # noqa: ARG002 - a backend needs it
        """A function that waits for news of `key` while another process has the lock.

        It is given a number of seconds to pause (jittered, growing to 0.07) and returns whether to load the
        entry. By default it sleeps and says yes. A backend that is told of a new entry, or knows a cheaper
        look, may wait for up to a second instead.
        """

        def sleep(pause: float) -> bool:
            time.sleep(pause)
            return True

        return sleep

    def describe(self, key: str) -> dict[str, Any]:
        """What is known of the entry under `key`, for people: JSON-safe, without a token. It never raises.

        Returns:
            ``cache`` (which one), ``trouble`` (what this look met, else ``None``), ``has_token``,
            ``fetched_at`` and ``expires_at`` (Unix times), ``host`` and ``pid`` of who fetched the token,
            ``fetches_this_hour``, ``refused_logins`` (how many passwords are remembered as refused).
        """
        trouble = None
        try:
            entry = _entries.readable(self.load(key))
        except Exception as error:  # noqa: BLE001 - whatever it is, it is what the look met
            entry, trouble = {}, text_of(error)
        return {"cache": repr(self), "trouble": trouble, **_entries.described(entry)}

    def __call__(self, last_token: Any, manager: TokenManager[Any], /) -> Any:
        """Give the shared token, as a token provider does."""
        spare = last_token
        if last_token is not None and not manager.is_usable(last_token):
            spare = None
            self._spent[last_token.secret] = None  # a cache that is broken may go on offering it
            for oldest in list(self._spent)[:-_MOST_SPENT]:
                self._spent.pop(oldest, None)
        visit = _Visit(self, manager, spare)
        try:
            return visit.token()
        finally:
            if manager.was_reset():
                visit.clear()
            self._tell(visit)

    def forget(self, manager: TokenManager[Any]) -> None:
        """Drop what is kept for `manager`: its token, and the memory of a refused login."""
        visit = _Visit(self, manager)
        visit.clear()
        self._tell(visit)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_broken": {}, "_spent": {}}

    # `lock` is None if it is not held. Else the entry may have come with it, and it may end with the save.

    def _load_under(self, lock: Any, key: str) -> dict[str, Any] | None:  # noqa: ARG002 - for backends
        return self.load(key)

    def _save_under(self, lock: Any, key: str, entry: dict[str, Any], ttl: float) -> None:  # noqa: ARG002
        self.save(key, entry, ttl)

    def _tell(self, visit: _Visit) -> None:
        """Publish the change if there is one: one event when it breaks, one when it works again."""
        if visit.troubles:
            step, words = visit.troubles[0]
            mine = (visit.key, step)
            if self._broken.setdefault("since", mine) is mine:
                visit.manager.publish("cache_broken", reason=step, error=words)
            return
        key, step = since = self._broken.get("since", ("", ""))
        # What works elsewhere, with another key or in another step, is no news of what broke.
        is_over = key == visit.key and step in visit.worked
        if is_over and self._broken.pop("since", None) is since:  # else another thread told of it
            visit.manager.publish("cache_recovered", reason=step)


class _Visit:
    """One call of a cache on behalf of one manager."""

    def __init__(self, cache: TokenCache, manager: TokenManager[Any], spare: Any = None) -> None:
        self._cache, self.manager, self.key = cache, manager, manager.cache_key
        named = cache.errors if isinstance(cache.errors, tuple) else (cache.errors,)
        # ValueError comes from load(), and from an entry that cannot be read
        self._errors: tuple[type[Exception], ...] = (ValueError, *named)
        self.troubles: list[tuple[str, str]] = []  # steps in which the cache raised, and words: no frames
        self.worked: set[str] = set()  # steps in which it did not
        self._spare = spare  # a token that is due and still usable
        self._unreachable = False  # an entry that cannot be read can still be replaced
        self._entry: dict[str, Any] = {}  # what was loaded last
        self._stored: Any = None  # the token in it

    def token(self) -> Any:
        """The shared token, or the spare one if another process is renewing it."""
        return self._look_or_fetch() or self._try_to_renew() or self._spare or self._wait()

    def clear(self) -> None:
        for name in [name for name in self._cache._refused if name[0] == self.key]:
            self._cache._refused.pop(name, None)
        with self._guarded("save"):
            self._cache.clear(self.key)

    def _wait(self) -> Any:
        """A token got by whoever has the lock, or under it as soon as it is free."""
        now = time.monotonic()
        until, next_try, pause = now + self._cache.lock_timeout, now + _LOCK_PAUSE, _SHORTEST_PAUSE
        wait = self._cache.watch(self.key)
        while now < until:
            news = True
            with self._guarded("wait"):
                news = wait(random.uniform(pause / 2, pause))  # noqa: S311 - no secret
            pause, now = min(pause * 1.5, _LONGEST_PAUSE), time.monotonic()
            token = self._look_or_fetch() if news else None
            if token is None and (news or now >= next_try):
                token, next_try = self._try_to_renew(), now + _LOCK_PAUSE
            if token is not None:
                return token
        held = f"another process has held the lock for {self._cache.lock_timeout:g} seconds"
        self.troubles.append(("lock", held))
        return self._look() or self._fetch()

    def _look_or_fetch(self) -> Any:
        """The stored token if it is of use; one from ThingSpace if the cache is out of reach."""
        return self._look() or (self.manager.fetch_token() if self._unreachable else None)

    def _try_to_renew(self) -> Any:
        """A token from under the lock, or without it if it is out of order; ``None`` if another has it."""
        entered = lock = None
        try:
            with self._guarded("lock"):
                lock = self._cache.lock(self.key)
                try:
                    lock.__enter__()
                    entered = lock
                except (TimeoutError, BlockingIOError):
                    return None
            return self._look(entered) or self._fetch(entered)
        finally:
            if entered is not None:
                self._leave(entered)
            entered = lock = None  # a traceback that is kept does not keep the lock

    def _leave(self, lock: Any) -> None:
        """Give up the lock, again if the first try is interrupted."""
        with self._guarded("unlock"):
            try:
                lock.__exit__(None, None, None)
            except self._errors:
                raise
            except BaseException:
                with suppress(Exception):
                    lock.__exit__(None, None, None)
                raise

    @contextmanager
    def _guarded(self, step: str, *secrets: Secret[str]) -> Iterator[None]:
        """Note what the cache raises in this step, in words without `secrets`."""
        try:
            yield
            self.worked.add(step)
        except self._errors as error:
            self.troubles.append((step, text_of(error, secrets)))
            if not isinstance(error, ValueError):
                self._unreachable = True

    def _look(self, lock: Any = None) -> Any:
        """The stored token if it is of use; if none is, a refusal of these credentials is raised."""
        self._load(lock)
        if self._stored is not None and self._is_wanted(self._stored):
            return self._stored
        refusal = _entries.refusal_for(self._entry, self.manager)
        if refusal is not None:
            raise refusal
        return None

    def _is_wanted(self, token: Any) -> bool:
        """Whether a stored token is usable, and not the spare one, unless ThingSpace gives no other yet."""
        if token.secret in self._cache._spent or not self.manager.is_usable(token):
            return False
        return self._spare is None or self._spare.secret != token.secret or bool(self._entry.get("confirmed"))

    def _load(self, lock: Any = None) -> None:
        """Load what is stored; once more before refusals are saved, since a reset() may have cleared them."""
        self._entry, self._stored = {}, None
        with self._guarded("load"):
            self._entry = _entries.readable(self._cache._load_under(lock, self.key))
            if self._entry.get("token") is not None:
                self._stored = self.manager.token_class.from_dict(self._entry["token"])

    def _fetch(self, lock: Any = None) -> Any:
        """A token from ThingSpace, saved; what ThingSpace refused is saved too."""
        try:
            token = self.manager.fetch_token()
        except ThingspaceError as error:
            if error.refused_credentials is not None and not self.manager.was_reset():
                self._save_refusal(lock, error)
            raise
        if self.manager.was_reset():
            return token
        self._cache._spent.pop(token.secret, None)
        same = self._stored is not None and self._stored.secret == token.secret
        if lock is not None or not same:
            if _entries.refusals_in(self._entry):
                self._load()
            self._save(lock, _entries.with_token(self._entry, token, confirmed=same), token.secret)
        return token

    def _save_refusal(self, lock: Any, refusal: ThingspaceError) -> None:
        """Save a refusal; that of a login once, or its copies would undo another process's ``reset()``."""
        name = (self.key, str(refusal.refused_credentials))
        if name in self._cache._refused:
            return
        self._load()
        self._save(lock, _entries.with_refusal(self._entry, refusal))
        if "save" in self.worked and isinstance(refusal, LoginRefusedError):
            self._cache._refused[name] = None

    def _save(self, lock: Any, entry: dict[str, Any], *secrets: Secret[str]) -> None:
        expires_at = (entry.get("token") or {}).get("expires_at")
        life = _LONGEST_STAY if expires_at is None else max(expires_at - time.time(), 1.0)
        with self._guarded("save", *secrets):
            self._cache._save_under(lock, self.key, entry, life)


def require(packages: tuple[str, ...], extra: str) -> None:
    """Raise an ImportError that names the extra if one of its packages is missing, without importing them."""
    for package in packages:
        if find_spec(package) is None:
            hint = f"pip install 'requests-thingspace[{extra}]'"
            raise ImportError(f"{package} is needed for this cache: {hint}", name=package)
