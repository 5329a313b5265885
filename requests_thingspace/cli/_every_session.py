"""ThingSpace authentication on every requests Session of this process.

One method is patched, ``requests.Session.get_adapter``, which each Session asks for each request that it
sends, redirects included. The adapters that a script has mounted go on to send its requests. Another HTTP
library that calls ThingSpace gets no token, and stderr says so: Python reports who looks up a host.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import partial
from traceback import walk_stack
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import BaseAdapter, HTTPAdapter

from requests_thingspace import ThingspaceAdapter, ThingspaceAuth

from ._own_calls import Call, OwnCalls
from ._words import complain

_CHILDREN = "multiprocessing.reduction"  # imported next after multiprocessing.process
_SESSION_HEADERS = ("VZ-M2M-Token", "SessionToken")
_LIBRARIES = ("httpx", "aiohttp", "httplib2", "tornado", "urllib3", "urllib", "http")  # the topmost first
_ASYNC = ("aiohttp", "httpx")  # which look up in another thread, that none of their modules started


def authenticate_every_session(own_calls: OwnCalls, lead: Callable[[], None] | None = None) -> _SetUp:
    """Stamp every covered request from now on, in child processes too; `lead` leads to a sandbox."""
    if lead is not None:
        lead()
    auth, adapter_for = own_calls.auth, requests.Session.get_adapter

    def get_adapter(self: requests.Session, url: str) -> BaseAdapter:
        adapter = adapter_for(self, url)
        if isinstance(adapter, ThingspaceAdapter):
            return adapter
        if not auth.environment.covers(url):
            if not isinstance(self.auth, ThingspaceAuth) and not _is_asked_by_this_library():
                auth.headers(url)  # there are none; it warns if the host looks like a ThingSpace
            return adapter
        if own_calls.concern(url) and _is_asked_by_this_library():
            return adapter
        return _AdapterForScript(own_calls, by=adapter)

    requests.Session.get_adapter = get_adapter  # type: ignore[method-assign]
    set_up = _SetUp(own_calls, lead)
    if _CHILDREN in sys.modules:  # pragma: no branch - what measures has imported it
        set_up.hand_down()
    _watch(set_up, auth.environment.origins)
    return set_up


def _is_asked_by_this_library() -> bool:
    """Whether requests is called by an auth that the script made, which knows best which token it needs."""
    caller = next((m for m in _stack() if not m.startswith(("requests.", "requests_thingspace.cli."))), "")
    return caller.startswith("requests_thingspace.")


def _stack() -> Iterator[str]:
    """The modules of the functions that led here, the nearest first."""
    return (frame.f_globals.get("__name__", "") for frame, _ in walk_stack(sys._getframe(1)))


class _SentByScript(HTTPAdapter):
    """Sends by the script's own adapter: with its retries, its pool and its TLS settings."""

    _by: BaseAdapter

    def send(self, *arguments: Any, **settings: Any) -> requests.Response:
        return self._by.send(*arguments, **settings)


class _AdapterForScript(ThingspaceAdapter, _SentByScript):
    """Stamps what the script's own adapter then sends, and answers the script's own token calls."""

    def __init__(self, own_calls: OwnCalls, *, by: BaseAdapter) -> None:
        super().__init__(own_calls.auth)
        self._by = by
        self._own_calls = own_calls

    def send(self, request: requests.PreparedRequest, *rest: Any, **settings: Any) -> requests.Response:
        """Send `request`, or answer it; one that carries the token of another key is left alone."""
        send_as_it_is = partial(self._by.send, request, *rest, **settings)
        if self._own_calls.is_anothers(request.headers.get("Authorization", "")[len("Bearer ") :]):
            return send_as_it_is()
        answer = self._own_calls.answer(Call(request, send_as_it_is, partial(self._renew, settings)))
        return super().send(request, *rest, **settings) if answer is None else answer

    def stamped(self, request: requests.PreparedRequest, header: str, transport: Any) -> Any:
        """Replace the script's own session token too, if we have an M2M login and it is no other user's."""
        if isinstance(request, _Probe):
            super().stamped(request, header, transport)
            raise _Stamped
        stale = [name for name in _SESSION_HEADERS if name in request.headers]
        is_anothers = all(self._own_calls.is_anothers(request.headers[name]) for name in stale)
        if self.auth.username is not None and not is_anothers:
            request = request.copy()
            for name in stale:
                del request.headers[name]
        return super().stamped(request, header, transport)

    def _renew(self, settings: Any, credential: str) -> None:
        """Get a current token by stamping a request that is never sent, with these proxies and verify."""
        probe = _Probe()
        # with a session header of its own it gets the bearer alone
        headers = {_SESSION_HEADERS[0]: "-"} if credential == "bearer" else {}
        probe.prepare("GET", f"{self.auth.environment.origins[0]}/", headers=headers)
        try:
            super().send(probe, **settings)
        except _Stamped:
            return


class _Probe(requests.PreparedRequest):
    """A request that is stamped, and never sent."""


class _Stamped(Exception):  # noqa: N818 - nothing went wrong: the probe has its tokens
    pass


class _SetUp:
    """Does the same in the children of multiprocessing: one that starts afresh unpickles it."""

    def __init__(self, *given: Any) -> None:
        self._given = given

    def __reduce__(self) -> tuple[Any, ...]:
        return authenticate_every_session, self._given

    def hand_down(self) -> None:
        """A process copies this mapping to its children: pickled if they start afresh (spawn, forkserver)."""
        sys.modules["multiprocessing.process"].current_process()._config["requests_thingspace"] = self


def _watch(set_up: _SetUp, origins: Iterable[str]) -> None:
    """Wait for the script to import multiprocessing, which takes a while, and for other libraries' calls."""
    places = {(urlsplit(one).hostname, str(urlsplit(one).port or 443)) for one in origins}
    reported = set[str]()

    def look(event: str, of: Any) -> None:  # pragma: no cover - Python traces no audit hooks
        with suppress(Exception):  # whatever it raised would reach the script
            if event == "import" and of[0] == _CHILDREN:
                set_up.hand_down()
            elif event == "socket.getaddrinfo":
                host, port = (one.decode() if isinstance(one, bytes) else str(one) for one in of[:2])
                host = host.lower().rstrip(".")
                name = _library() if (host, "443" if port == "https" else port) in places else None
                if name is not None and name not in reported:
                    reported.add(name)
                    what = f"{name} is calling {host}"
                    complain(f"{what}: run authenticates requests only, so {name} gets no token")

    sys.addaudithook(look)


def _library() -> str | None:  # pragma: no cover - Python traces no audit hooks
    """The library that is looking up a name in this thread; ``None`` if it is requests, or unknown."""
    on_stack = {name.partition(".")[0] for name in _stack()}
    if "requests" in on_stack:
        return None
    named = [name for name in _LIBRARIES if name in on_stack]
    if not named and "concurrent" in on_stack:
        named = [name for name in _ASYNC if name in sys.modules]
    return named[0] if named else None
