"""The calls that are tortured, and what must hold afterwards.

Each scenario has a state that it starts from, a call, and rules of its own. Common to all: whatever has
happened to a call, later ones succeed, in its thread and in others, and nothing is left behind.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

from requests_thingspace import Environment, FileTokenCache, LoginRefusedError

from .thingspace import API, LIFE, M2M, ORIGIN, ThingSpace, connect

PATIENCE = 10.0  # seconds after which a thread counts as hanging; all that it has to do takes milliseconds


def outcome_of(work: Callable[[], Any]) -> Any:
    """What `work` returns or raises; an exception without its frames, which hold on to what is in them."""
    try:
        return work()
    except BaseException as error:  # noqa: BLE001 - it is looked at
        return error.with_traceback(None)


class Runner(threading.Thread):
    """A thread that keeps the outcome of its work."""

    def __init__(self, work: Callable[[], Any]):
        super().__init__(daemon=True)
        self.work, self.outcome = work, TimeoutError("it hangs")
        self.start()

    def run(self) -> None:
        self.outcome = outcome_of(self.work)


class Scenario:
    """A call that fetches the first token."""

    url = API
    waits_at = "token"
    arguments: ClassVar[dict[str, Any]] = {}

    def __init__(self, face: str = "auth", folder: Path | None = None, server: Any = None):
        """Connect by a face; with a file cache in `folder`, and over the socket of `server`, if given."""
        self.told: list[str] = []
        self.folder = folder
        self.thingspace = ThingSpace() if server is None else server.thingspace
        arguments = {"on_token_update": self.note_token, **self.arguments}
        if folder is not None:
            arguments["cache"] = FileTokenCache(folder / "private" / "tokens.json")
        if server is not None:
            self.url = self.url.replace(ORIGIN, server.origin)
            arguments |= {"environment": Environment.at(server.origin), "session": None, "timeout": 5.0}
        self.connect = lambda: connect(self.thingspace, face, **arguments)
        self.session, self.auth = self.connect()
        self.prepare()

    def note_token(self, token: Any) -> None:
        self.told.append(token.access_token)

    def prepare(self) -> None:
        """Come to the state in which the call begins."""

    def call(self) -> int:
        """What is tortured, and what others do at the same time and afterwards."""
        return self.session.get(self.url).status_code

    def is_good(self, outcome: Any) -> bool:
        return outcome == 200

    def faults(self) -> list[str]:
        """What is wrong in the end."""
        return [] if self.told == sorted(set(self.told)) else [f"told of {self.told}"]

    def faults_afterwards(self) -> list[str]:
        """What is wrong with later calls, in the end, and with what is left behind."""
        other = Runner(self.call)
        other.join(PATIENCE)
        outcomes = {"a later caller": other.outcome}
        if not other.is_alive():
            outcomes["the same thread"] = outcome_of(self.call)
        faults = [f"{who} got {outcome!r}" for who, outcome in outcomes.items() if not self.is_good(outcome)]
        left = [] if self.folder is None else self.folder.rglob("*.new*")
        return [*(faults or self.faults()), *(f"left behind: {path.name}" for path in left)]


def ask_thingspace(last_token: Any, manager: Any) -> Any:
    return manager.fetch_token()


class Provider(Scenario):
    """A call whose token comes from a token provider that asks ThingSpace."""

    arguments: ClassVar[dict[str, Any]] = {"token_provider": ask_thingspace}


class Due(Scenario):
    """A call that renews a token which is due, and still usable."""

    def prepare(self) -> None:
        self.call()
        self.thingspace.advance(LIFE - 30.0)
        self.thingspace.is_giving_others = True


class Rejected(Scenario):
    """A call whose token another client has revoked."""

    def prepare(self) -> None:
        self.call()
        self.thingspace.revoke_all()


class Login(Scenario):
    """A call that fetches the first token and logs in."""

    url = M2M
    waits_at = "login"
    arguments: ClassVar[dict[str, Any]] = {"username": "alice", "password": "right"}


class RefusedLogin(Scenario):
    """A call that logs in with a wrong password, for the first and the last time."""

    url = M2M
    waits_at = "login"
    arguments: ClassVar[dict[str, Any]] = {"username": "alice", "password": "wrong"}
    most = 1  # logins with a wrong password

    def is_good(self, outcome: Any) -> bool:
        return isinstance(outcome, LoginRefusedError)

    def faults(self) -> list[str]:
        sent = self.thingspace.wrong_passwords
        return [f"{sent} logins with a wrong password"] if sent > self.most else []


class Revoke(Scenario):
    """A revoke of the token that is held."""

    waits_at = "revoke"

    def prepare(self) -> None:
        self.session.get(self.url)

    def call(self) -> int:
        self.auth.revoke()
        return 200

    def faults(self) -> list[str]:
        self.auth.revoke()
        known = len(self.thingspace.calls)
        self.session.get(self.url)
        used = {call.bearer for call in self.thingspace.calls[known:]}
        return [f"{used} was revoked"] if used & self.thingspace.dead else []


INTERRUPTED = (Scenario, Provider, Due, Rejected, Login, RefusedLogin, Revoke)


class Found(Scenario):
    """A call whose token another process has left in the cache."""

    def prepare(self) -> None:
        session, _ = self.connect()
        session.get(self.url)
        session.close()
        self.told.clear()


class FoundRejected(Found):
    """The same, but that token was revoked."""

    def prepare(self) -> None:
        super().prepare()
        self.thingspace.revoke_all()


class Reset(Found):
    """A reset, which clears the cache, and a call."""

    def call(self) -> int:
        self.auth.reset()
        return super().call()
