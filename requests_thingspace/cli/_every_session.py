"""ThingSpace authentication on every requests Session of this process.

One method is patched, ``requests.Session.get_adapter``. Each Session asks it for each request that it
sends, redirects included; so it does not matter when a Session was made, by which subclass, or what is
mounted on it. The adapters that a script has mounted stay as they are and send its requests; for a URL
that is not covered, nothing comes before them. Another HTTP library that looks up a covered host is reported.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from types import FrameType
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import BaseAdapter, HTTPAdapter

from requests_thingspace import ThingspaceAdapter, ThingspaceAuth

from ._output import complain
from ._own_calls import Call, OwnCalls

_CHILDREN = "multiprocessing.reduction"  # imported next after multiprocessing.process
_SESSION_HEADERS = ("VZ-M2M-Token", "SessionToken")
_LIBRARIES = ("httpx", "aiohttp", "httplib2", "tornado", "urllib3", "urllib", "http")
"""Those that are known by the modules on the stack, a library before those that it builds on."""
_ASYNC = ("aiohttp", "httpx")
"""Those that look up in a thread of the event loop, where none of their modules is on the stack."""


def authenticate_every_session(
    auth: ThingspaceAuth, own_calls: OwnCalls, first: Callable[[], None] | None = None
) -> _Travels:
    """Stamp every covered request of every Session from now on, in child processes too.

    Args:
        auth: whose tokens.
        own_calls: sees to the token and login calls that the script makes.
        first: what else to do first, in each process.
    """
    if first is not None:
        first()
    found = requests.Session.get_adapter

    def get_adapter(self: requests.Session, url: str) -> BaseAdapter:
        adapter = found(self, url)
        if isinstance(adapter, ThingspaceAdapter):
            return adapter
        if not auth.environment.covers(url):
            if not (isinstance(self.auth, ThingspaceAuth) or _is_asked_by_this_library()):
                auth.headers(url)  # there are none; it warns if the host looks like a ThingSpace
            return adapter
        if own_calls.kind_of(url) and _is_asked_by_this_library():
            return adapter
        return _ForScript(auth, own_calls, by=adapter)

    requests.Session.get_adapter = get_adapter  # type: ignore[method-assign]
    travels = _Travels(auth, own_calls, first)
    if _CHILDREN in sys.modules:  # pragma: no branch - what measures has imported it
        travels.to_children()
    origins = [urlsplit(origin) for origin in auth.environment.origins]
    places = {(one.hostname, str(one.port or 443)) for one in origins}
    sys.addaudithook(partial(_look, travels, places, set()))
    return travels


class _Travels:
    """Sets up the same in each child process that multiprocessing starts afresh: unpickling it is enough."""

    def __init__(self, *given: Any) -> None:
        self._given = given

    def __reduce__(self) -> tuple[Any, ...]:
        return authenticate_every_session, self._given

    def to_children(self) -> None:
        """A process copies this mapping to its children: pickled if they start afresh (spawn, forkserver)."""
        sys.modules["multiprocessing.process"].current_process()._config["requests_thingspace"] = self


def _look(  # pragma: no cover - Python traces no audit hooks
    travels: _Travels, places: set[tuple[str | None, str]], told: set[str], event: str, of: Any
) -> None:
    """An audit hook: prepare the children of multiprocessing, and report each other HTTP library.

    It sees each look-up of a host, whoever makes it. An import of such a library proves nothing: many
    programs import urllib and never use it.
    """
    if event not in ("import", "socket.getaddrinfo"):
        return
    with suppress(Exception):  # whatever it raised would reach the script
        if event == "import":
            if of[0] == _CHILDREN:  # the script imports it, not we: that takes a while
                travels.to_children()
            return
        host, port = (one.decode() if isinstance(one, bytes) else str(one) for one in of[:2])
        host = host.lower().rstrip(".")
        name = _library() if (host, "443" if port == "https" else port) in places else None
        if name is not None and name not in told:
            told.add(name)
            complain(f"{name} is calling {host}: run authenticates requests only, so {name} gets no token")


def _library() -> str | None:  # pragma: no cover - Python traces no audit hooks
    """The library that is looking up a name in this thread; ``None`` if it is requests, or unknown."""
    on_stack = {name.partition(".")[0] for name in _modules(1)}
    if "requests" in on_stack:
        return None
    named = [name for name in _LIBRARIES if name in on_stack]
    if not named and "concurrent" in on_stack:
        named = [name for name in _ASYNC if name in sys.modules]
    return named[0] if named else None


def _is_asked_by_this_library() -> bool:
    """Whether an auth that the script made asks for its own tokens, and knows best which it needs."""
    for name in _modules(3):
        package, _, module = name.partition(".")
        if package != "requests":
            return package == "requests_thingspace" and not module.startswith("cli")
    return False  # pragma: no cover - somebody has called requests


def _modules(depth: int) -> Iterator[str]:
    """The names of the modules on the stack; at depth 1 from the caller, outwards."""
    frame: FrameType | None = sys._getframe(depth)
    while frame is not None:  # pragma: no branch - who looks for requests finds it
        yield frame.f_globals.get("__name__", "")
        frame = frame.f_back


class _ByTheScripts(HTTPAdapter):
    """Sends by the script's own adapter: with its retries, its pool and its TLS settings."""

    _by: BaseAdapter

    def send(self, *arguments: Any, **settings: Any) -> requests.Response:
        return self._by.send(*arguments, **settings)


class _ForScript(ThingspaceAdapter, _ByTheScripts):
    """Stamps what the script's own adapter then sends, and answers the script's own token calls."""

    def __init__(self, auth: ThingspaceAuth, own_calls: OwnCalls, *, by: BaseAdapter) -> None:
        super().__init__(auth)
        self._by = by
        self._own_calls = own_calls

    def send(self, request: requests.PreparedRequest, *rest: Any, **settings: Any) -> requests.Response:
        """Send `request`, or answer it; one that carries the token of another key is left alone."""
        send_as_it_is = partial(self._by.send, request, *rest, **settings)
        bearer = request.headers.get("Authorization", "")[len("Bearer ") :]
        if self._own_calls.is_anothers(bearer):
            return send_as_it_is()
        answer = self._own_calls.answer(Call(request, send_as_it_is, partial(self._renew, settings)))
        return super().send(request, *rest, **settings) if answer is None else answer

    def stamped(self, request: requests.PreparedRequest, header: str, transport: Any) -> Any:
        """Replace a session token of the script's own too, which is stale sooner or later.

        The session of another user stays, and so does any if we have no M2M login.
        """
        if self.auth.username is not None and not isinstance(request, _Probe):
            stale = [name for name in _SESSION_HEADERS if name in request.headers]
            if any(not self._own_calls.is_anothers(request.headers[name]) for name in stale):
                request = request.copy()
                for name in stale:
                    del request.headers[name]
        copy_and_stamp = super().stamped(request, header, transport)
        if isinstance(request, _Probe):
            raise _Stamped
        return copy_and_stamp

    def _renew(self, settings: Any, credential: str) -> None:
        """Get a current token by stamping a request that is never sent, with these proxies and verify."""
        probe, login_url = _Probe(), self.auth.environment.login_url
        # with a session header of its own it gets the bearer alone
        headers = {_SESSION_HEADERS[0]: "-"} if credential == "bearer" else {}
        probe.prepare("GET", f"{login_url.partition('/api/')[0]}/", headers=headers)
        try:
            super().send(probe, **settings)
        except _Stamped:
            return


class _Probe(requests.PreparedRequest):
    """A request that is stamped, and never sent."""


class _Stamped(Exception):  # noqa: N818 - nothing went wrong
    """The probe has its tokens."""
