"""What happens in the life of a token, as frozen values.

Every line of the logger ``requests_thingspace`` comes from an event, and so does what ``on_event``
hears. An event carries durations, statuses and the fingerprint of a token, never a token.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from ._values import Secret, one_line, redacted

_log = logging.getLogger("requests_thingspace")

_LONGEST = 500  # characters of an error in an event

_LINES = {
    "token_fetched": (logging.INFO, "fetched an OAuth token"),
    "token_from_cache": (logging.DEBUG, "took the OAuth token from the cache"),
    "token_from_provider": (logging.INFO, "took the OAuth token from the token provider"),
    "renewal_failed": (logging.WARNING, "renewal failed"),
    "renewal_awaited": (logging.DEBUG, "waiting for another caller's renewal"),
    "token_rejected": (logging.INFO, "ThingSpace rejected the OAuth token"),
    "request_replayed": (logging.INFO, "sent the request again with another token"),
    "request_not_replayed": (logging.DEBUG, "did not send the request again"),
    "session_started": (logging.INFO, "logged in to the M2M session"),
    "session_from_cache": (logging.DEBUG, "took the M2M session from the cache"),
    "login_refused": (logging.WARNING, "ThingSpace refused the login; it is not tried again"),
    "session_rejected": (logging.INFO, "ThingSpace rejected the M2M session"),
    "token_revoked": (logging.INFO, "revoked the OAuth token"),
    "session_ended": (logging.INFO, "ended the M2M session"),
    "callback_failed": (logging.ERROR, "a callback failed"),
    "cache_broken": (logging.WARNING, "the token cache does not work, so tokens come from ThingSpace"),
    "cache_recovered": (logging.INFO, "the token cache works again"),
    "call_answered": (logging.DEBUG, "answered the program's own call"),
    "host_not_covered": (logging.WARNING, "no token for a host that is not covered"),
}


class Event(NamedTuple):
    """Something that happened. What does not apply is ``None``.

    Attributes:
        name: what happened, such as ``"token_fetched"``.
        credential: ``"bearer"`` or ``"session"``.
        at: Unix time in seconds.
        duration: seconds, if something was waited for.
        status: HTTP status.
        code: what ThingSpace calls the problem.
        token: fingerprint of the token: the first 8 hexadecimal digits of its SHA-256.
        expires_at: Unix time in seconds at which the token expires.
        reason: why it happened.
        error: what went wrong, free of secrets.
    """

    name: str
    credential: str | None = None
    at: float = 0.0
    duration: float | None = None
    status: int | None = None
    code: str | None = None
    token: str | None = None
    expires_at: float | None = None
    reason: str | None = None
    error: str | None = None

    def __str__(self) -> str:
        """The line of the log."""
        shown = {name: getattr(self, name) for name in ("credential", "token", "status", "code")}
        facts = [f"{name} {shown[name]}" for name in shown if shown[name] is not None]
        if self.expires_at is not None:
            facts.append(f"expires in {self.expires_at - self.at:.0f} s")
        if self.duration is not None:
            facts.append(f"took {self.duration:.3f} s")
        head = _LINES[self.name][1] + (f" ({', '.join(facts)})" if facts else "")
        return ": ".join(filter(None, (head, self.reason, self.error)))


class Events(NamedTuple):
    """Tells the log, and one listener, what happens."""

    listener: Callable[[Event], object] | None
    wall: Callable[[], float]

    def publish(
        self, name: str, credential: str | None = None, *, level: int | None = None, **attributes: Any
    ) -> None:
        """Publish an event; `level` overrides the level of its line in the log."""
        level = _LINES[name][0] if level is None else level
        if self.listener is None and not _log.isEnabledFor(level):
            return
        event = Event(name, credential, self.wall(), **attributes)
        _log.log(level, "%s", event)
        if self.listener is not None:
            self.call("on_event", self.listener, event)

    def call(
        self, called: str, callback: Callable[[Any], object], said: Any, secrets: Iterable[Secret[str]] = ()
    ) -> None:
        """Call a user's callback, whose failure is logged and fails no API call."""
        try:
            callback(said)
        except Exception as error:  # noqa: BLE001 - a callback may raise anything
            trace = redacted(traceback.format_exc(), secrets)
            said = text_of(error, secrets)
            failed = Event("callback_failed", None, self.wall(), reason=called, error=said)
            _log.error("%s\n%s", failed, trace)
            if called != "on_event" and self.listener is not None:
                self.call("on_event", self.listener, failed)


def text_of(error: Exception, secrets: Iterable[Secret[str]] = ()) -> str:
    """An exception on one line, class and message, without `secrets`. Its own ``__str__`` may fail."""
    try:
        words = str(error)
    except Exception:  # noqa: BLE001 - whatever its own __str__ raises
        words = "(it cannot be printed)"
    return one_line(f"{type(error).__name__}: {words}", secrets, _LONGEST)
