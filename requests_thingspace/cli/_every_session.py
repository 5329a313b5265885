"""ThingSpace authentication on every requests Session of this process.

The law here: one method is patched, ``requests.Session.get_adapter``. Each Session asks it for each
request that it sends, redirects included; so it does not matter when a Session was made, by which
subclass, or what is mounted on it. The adapters that a script has mounted stay as they are and send
its requests; for a URL that is not covered, nothing comes before them.
"""

from __future__ import annotations

from multiprocessing import process
from typing import Any

import requests
from requests.adapters import BaseAdapter, HTTPAdapter

from requests_thingspace import ThingspaceAdapter, ThingspaceAuth


def authenticate_every_session(auth: ThingspaceAuth, *, own_login: bool) -> EverySession:
    """Stamp and heal, from now on, every covered request of every Session, in child processes too.

    Args:
        auth: whose tokens.
        own_login: whether `auth` logs in to the M2M session. If so, its session token replaces one
            that the script sends; if not, the script's own is the only one there is, and stays.

    Returns:
        What child processes are given.
    """
    found = requests.Session.get_adapter

    def get_adapter(self: requests.Session, url: str) -> BaseAdapter:
        adapter = found(self, url)
        if isinstance(adapter, ThingspaceAdapter) or not auth.environment.wants_token(url):
            return adapter
        return _Stamping(auth, by=adapter, own_login=own_login)

    requests.Session.get_adapter = get_adapter  # type: ignore[method-assign]
    every_session = EverySession(auth, own_login)
    # A process copies this mapping to its children: pickled where they start afresh (spawn, forkserver).
    children: dict[str, Any] = process.current_process()._config  # type: ignore[attr-defined]
    children["requests_thingspace"] = every_session
    return every_session


class EverySession:
    """Travels to a child process that multiprocessing starts afresh, and does there what it did here."""

    def __init__(self, auth: ThingspaceAuth, own_login: bool) -> None:
        """Keep what :func:`authenticate_every_session` was given."""
        self._given = (auth, own_login)

    def __reduce__(self) -> tuple[Any, ...]:
        """Loading it is what authenticates."""
        return _authenticate_here, self._given


def _authenticate_here(auth: ThingspaceAuth, own_login: bool) -> EverySession:
    """In a child process: do as the parent did."""
    return authenticate_every_session(auth, own_login=own_login)


class _ByTheScripts(HTTPAdapter):
    """Sends by the script's own adapter: with its retries, its pool and its TLS settings."""

    def __init__(self, by: BaseAdapter) -> None:
        super().__init__()
        self._by = by

    def send(self, *arguments: Any, **settings: Any) -> requests.Response:
        return self._by.send(*arguments, **settings)


class _Stamping(ThingspaceAdapter, _ByTheScripts):
    """Stamps and heals what the script's own adapter then sends."""

    def __init__(self, auth: ThingspaceAuth, *, by: BaseAdapter, own_login: bool) -> None:
        super().__init__(auth, by=by)
        self._own_login = own_login

    def send(self, request: requests.PreparedRequest, *rest: Any, **settings: Any) -> requests.Response:
        """Send `request`; a session token of the script's own is stale sooner or later, and gives way."""
        name = self.auth.environment.session_header(str(request.url))
        if self._own_login and name in request.headers and not self._keeps(request):
            request = request.copy()
            del request.headers[name]
        return super().send(request, *rest, **settings)

    def _keeps(self, request: requests.PreparedRequest) -> bool:
        """Whether it is the script's own session that counts: to end it, or of a ThingspaceAuth it uses."""
        hooks = request.hooks["response"]
        return request.url == self.auth.environment.logout_url or any(
            isinstance(getattr(hook, "__self__", None), ThingspaceAuth) for hook in hooks
        )
