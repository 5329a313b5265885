"""The calls that are interrupted, and what must hold afterwards.

Each scenario has a state that it starts from, a call, and rules of its own. What all have in common is in
`Trial`: the exception arrives as it is; whoever waited for the interrupted call goes on; so do later callers,
in the interrupted thread and in others; nothing is left behind.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any, ClassVar

import requests

from requests_thingspace import FileTokenCache, LoginRefusedError

from .moments import Moments, functions_of, in_package, raising, real_signal, until_blocked
from .wire import API, LIFE, M2M, ThingSpace, connect

PATIENCE = 10.0  # seconds after which a thread counts as hanging; all that it has to do takes milliseconds


class TimeLimitExceeded(Exception):  # noqa: N818 - as Celery's is called
    """An ordinary exception that a signal handler raises, such as Celery's SoftTimeLimitExceeded."""


class Scenario:
    """A call that fetches the first token."""

    url = API
    waits_at = "token"
    arguments: ClassVar[dict[str, Any]] = {}

    def __init__(self, face: str, folder: Path | None):
        arguments = dict(self.arguments)
        if folder is not None:
            arguments["cache"] = FileTokenCache(folder / "tokens.json")
        self.told: list[str] = []
        self.folder = folder
        self.thingspace = ThingSpace()
        self.session, self.auth = connect(self.thingspace, face, on_token_update=self.note_token, **arguments)

    def note_token(self, token: Any) -> None:
        self.told.append(token.access_token)

    def prepare(self) -> None:
        """Come to the state in which the call begins."""

    def call(self) -> int:
        """What is interrupted, and what others do at the same time and afterwards."""
        return self.session.get(self.url).status_code

    def is_good(self, outcome: Any) -> bool:
        return outcome == 200

    def faults(self) -> list[str]:
        return [] if self.told == sorted(set(self.told)) else [f"told of {self.told}"]


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
        self.thingspace.expiry = 0.0  # so that ThingSpace gives another


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

    def is_good(self, outcome: Any) -> bool:
        return isinstance(outcome, LoginRefusedError)

    def faults(self) -> list[str]:
        sent = len(self.thingspace.wrong_passwords)
        return [f"{sent} logins with a wrong password"] if sent > 1 else []


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


SCENARIOS = (Scenario, Provider, Due, Rejected, Login, RefusedLogin, Revoke)


def outcome_of(work: Any) -> Any:
    """What `work` returns or raises; an exception without its frames, which hold on to what is in them."""
    try:
        return work()
    except BaseException as error:  # noqa: BLE001 - it is looked at
        return error.with_traceback(None)


class Runner(threading.Thread):
    """A thread that keeps the outcome of its work."""

    def __init__(self, work: Any):
        super().__init__(daemon=True)
        self.work, self.outcome = work, TimeoutError("it hangs")
        self.start()

    def run(self) -> None:
        self.outcome = outcome_of(self.work)


def _is(outcome: Any, error: BaseException) -> bool:
    """Whether this is the error, or what CPython before 3.12 makes of one inside a codec: a new one."""
    return outcome is error or (type(outcome) is type(error) and outcome.__cause__ is error)


def _effect_of(error: BaseException, stack: list[str]) -> tuple[BaseException | None, bool]:
    """What has to arrive of an error that was raised within `stack`, and whether those who wait share it.

    An ordinary one looks like a failure of the provider or of the callback in which it is raised.
    """
    if not isinstance(error, Exception):
        return error, False
    interrupted = stack[:1]
    in_callback = "scenarios.py note_token" in stack or interrupted == ["_events.py call"]
    in_provider = "scenarios.py ask_thingspace" in stack or interrupted == ["_manager.py _offered"]
    return None if in_callback else error, in_provider


class Trial:
    """One run of a scenario with one interruption, and the faults that it showed."""

    def __init__(self, scenario: type[Scenario], face: str, cached: bool, *, waiters: int = 2):
        self._folder = folder = Path(tempfile.mkdtemp()) if cached else None
        self.scenario = scenario(face, folder)
        self.waiting: list[Runner] = []
        self.ignored: list[str] = []
        self.where: str | None = None
        self.lost = False
        self._waiters = waiters
        sys.unraisablehook = self._note_ignored
        self.scenario.prepare()
        self.scenario.thingspace.on_request = self._let_others_wait

    def _let_others_wait(self, name: str) -> None:
        """While the interrupted call waits for ThingSpace, others come to wait for it."""
        if name == self.scenario.waits_at and self._waiters:
            count, self._waiters = self._waiters, 0  # first, since those who wait may ask too
            self.waiting = [Runner(self.scenario.call) for _ in range(count)]
            until_blocked(*self.waiting)

    def count(self) -> int:
        """How many moments the call has."""
        with Moments() as moments:
            outcome_of(self.scenario.call)
        self._end()
        return moments.count

    def interrupt(self, at: int, error: BaseException) -> list[str]:
        """Raise `error` at one moment; what is wrong afterwards."""
        moments = Moments(at, raising(error))
        with moments:
            outcome = outcome_of(self.scenario.call)
        self.where = moments.where
        if self.where is None:
            self._end()
            return []
        shown = [f"a secret in {name}" for name in moments.shown]
        return shown + self._judged(outcome, *_effect_of(error, moments.stack))

    def call_back(self, at: int, work: Any) -> list[str]:
        """Do `work` at one moment, as a signal handler may; what is wrong afterwards."""
        results: list[Any] = []
        moments = Moments(at, lambda: results.append(outcome_of(work)))
        with moments:
            outcome = outcome_of(self.scenario.call)
        self.where = moments.where
        faults = [f"the handler got {r!r}" for r in results if isinstance(r, BaseException)]
        faults = [fault for fault in faults if "ThingspaceError" not in fault and "RefusedError" not in fault]
        good = self.scenario.is_good(outcome) or isinstance(outcome, requests.RequestException)
        return faults + ([] if good else [f"the call got {outcome!r}"]) + self._judged(None, None)

    def signal(self, seed: int, longest: float, error: BaseException) -> list[str]:
        """Let a real signal come; what is wrong afterwards."""
        stack: list[str] = []

        def act() -> None:
            stack.extend(functions_of(sys._getframe())[2:])  # without the handler's own two
            raise error

        def call() -> Any:
            with real_signal(seed, longest, act):
                return self.scenario.call()

        outcome = outcome_of(call)
        self.where = f"seed {seed}"
        arrives, concerns_others = _effect_of(error, stack)
        return self._judged(outcome, arrives if stack else None, concerns_others)

    def _judged(self, outcome: Any, error: BaseException | None, concerns_others: bool = False) -> list[str]:
        """What is wrong, `outcome` being that of the call in which `error` was raised.

        What a provider raises is the outcome of its renewal, which those who waited share.
        """
        faults = list(self.ignored)
        if error is not None and not self.lost and not _is(outcome, error):
            faults.append(f"{type(error).__name__} was swallowed: {outcome!r}")
        if isinstance(error, Exception):
            self.scenario.thingspace.advance(3.0)  # past a cool-down
        others = [*self.waiting, Runner(self.scenario.call)]
        for number, other in enumerate(others):
            other.join(PATIENCE)
            who = "a waiter" if number < len(others) - 1 else "a later caller"
            shared = concerns_others and isinstance(other.outcome, TimeLimitExceeded)
            if not (self.scenario.is_good(other.outcome) or shared):
                faults.append(f"{who} got {other.outcome!r}")
        if not any("hangs" in fault for fault in faults):
            again = outcome_of(self.scenario.call)
            if not self.scenario.is_good(again):
                faults.append(f"the same thread got {again!r}")
            faults += self.scenario.faults()
        if self._folder is not None:
            left = [path.name for path in self._folder.glob("*.new*")]
            faults += [f"left behind: {left}"] if left else []
        self._end()
        return faults

    def _note_ignored(self, ignored: Any) -> None:
        """Take note of an exception that the interpreter ignores, as it does in a destructor.

        In one of the standard library's, such as those of `threading`, a real signal is lost.
        """
        code = getattr(ignored.object, "gi_code", None) or getattr(ignored.object, "__code__", None)
        if isinstance(ignored.exc_value, (TimeLimitExceeded, KeyboardInterrupt)):
            if code is None or not in_package(code.co_filename):
                self.lost = True
                return
            self.ignored.append(f"the interpreter ignored {ignored.exc_value!r}")

    def _end(self) -> None:
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
