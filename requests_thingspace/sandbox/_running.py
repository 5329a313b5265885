"""What a sandbox has between start and close; whoever makes a `Running` closes it."""

from __future__ import annotations

import threading
import weakref

import requests

from ._certificates import Certificates
from ._gateway import Gateway
from ._routes import Place, Platform
from ._serving import Listener


class Running:
    """The certificates, the three listeners, and the Sessions that were handed out."""

    def __init__(self, platform: Platform, port: int) -> None:
        """Serve.

        Args:
            platform: what the origins answer with.
            port: of the main origin, 0 for a free one.

        Raises:
            OSError: the port cannot be used; nothing is left running.
        """
        self._certificates = Certificates()
        self._lock = threading.Lock()  # guards _sessions
        self._sessions: weakref.WeakSet[requests.Session] = weakref.WeakSet()
        self._listeners = {
            place: Listener(
                Gateway(platform, place), self._certificates.context, port if place is Place.MAIN else 0
            )
            for place in Place
        }
        try:
            self._origins = {
                place: f"https://127.0.0.1:{listener.port()}" for place, listener in self._listeners.items()
            }
        except OSError:
            self.close()
            raise

    @property
    def ca_file(self) -> str:
        """The path of the certificate that clients trust."""
        return self._certificates.ca_file

    def origin(self, place: Place) -> str:
        """Where `place` is served."""
        return self._origins[place]

    def new_session(self) -> requests.Session:
        """A Session that trusts the certificates; no proxy or netrc of the machine plays a part."""
        session = requests.Session()
        session.trust_env = False
        session.verify = self.ca_file
        with self._lock:
            self._sessions.add(session)
        return session

    def close_sessions(self) -> None:
        """Close the connections of the Sessions that were handed out and are still there."""
        with self._lock:
            sessions = list(self._sessions)
        for session in sessions:
            session.close()

    def close(self) -> None:
        """End all threads, sockets and files."""
        closing = [threading.Thread(target=listener.close) for listener in self._listeners.values()]
        for thread in closing:
            thread.start()
        for thread in closing:
            thread.join()
        self.close_sessions()
        self._certificates.close()
