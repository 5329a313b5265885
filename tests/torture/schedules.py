"""Threads that use one auth by a seeded schedule, and the laws that hold for any.

A seed decides the face, the provider, what each of some threads does, and in which order they run, so that
a run that breaks a law can be run again: `Schedule(seed).run()`.
"""

from __future__ import annotations

import copy
import io
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import requests

from requests_thingspace import LoginRefusedError, TokenCache

from .scheduler import Scheduler, StuckError
from .wire import API, AWAY, ELSEWHERE, LIFE, M2M, WORK, Call, ThingSpace, connect

DISTURBING = ("revoke", "reset", "reset bob", "logout", "expire", "revoked elsewhere", "get away")
FAILING = ("fail", "break off", "break provider", "hang")
UPLOAD = b"whole"
TIMEOUT = 2.0  # virtual seconds that a caller waits for a token call or login


class ProviderError(requests.RequestException):
    """What a token provider raises, with a hint that is no number."""

    retry_after = "soon"


class MemoryCache(TokenCache):
    """A cache in memory; threads may change at each of its steps."""

    def __init__(self, pause: Callable[[], None]):
        super().__init__()
        self.pause, self.entries, self.held = pause, {}, set()

    @contextmanager
    def lock(self, key: str) -> Iterator[None]:
        self.pause()
        if key in self.held:
            raise TimeoutError("another thread has it")
        self.held.add(key)
        try:
            yield
        finally:
            self.held.discard(key)

    def load(self, key: str) -> dict[str, Any] | None:
        self.pause()
        return copy.deepcopy(self.entries.get(key))

    def save(self, key: str, entry: dict[str, Any], ttl: float) -> None:
        self.pause()
        self.entries[key] = copy.deepcopy(entry)

    def clear(self, key: str) -> None:
        self.pause()
        self.entries.pop(key, None)


@cache
def warm_up() -> None:
    """Let the package do what it does once in a process, which is no part of a schedule."""
    for face in ("auth", "adapter"):
        arguments = {"username": "alice", "password": "right", "cache": MemoryCache(lambda: None)}
        session, auth = connect(ThingSpace(), face, **arguments)
        session.get(M2M)
        auth.logout()
        auth.revoke()


def number_of(token: Any) -> int:
    """Which of ThingSpace's tokens it is: they are counted."""
    return int(token.access_token.removeprefix("token-"))


class Deed:
    """One thing that a thread does: when it began and ended (in the order of all events), and its outcome."""

    def __init__(self, name: str):
        self.name = name
        self.began = self.ended = -1
        self.outcome: Any = None
        self.gone: set[str] = set()  # tokens that must not be used, since they ended before it began
        self.users: set[str] = set()  # whose session it may use

    def __repr__(self) -> str:
        return f"{self.name} [{self.began}-{self.ended}] -> {self.outcome!r}"


class Schedule:
    """One run."""

    def __init__(self, seed: int):
        self.seed = seed
        self.random = random.Random(seed)
        gap = self.random.choice((2.0, 20.0, 200.0, 1000.0))
        self.scheduler = Scheduler(self.random.randrange, lambda: self.random.expovariate(1 / gap))
        self.thingspace = ThingSpace(
            {"alice": self.random.choice(("right", "right", "wrong")), "bob": "right"}
        )
        self.thingspace.on_request = self._arrive
        self.hanging = self.broken = False  # the next login, the token provider
        self.time = 0
        self.told: list[int] = []
        self.telling = 0
        self.faults: list[str] = []
        self.gone: set[str] = set()
        self.users = {"alice"}
        self.unlucky = False  # a call lost two tokens in a row
        self.went_back = False  # the token provider offered an older token than the last
        self.m2m = self.random.random() < 0.4
        self.plans = [self._plan(number) for number in range(self.random.randint(2, 4))]
        self.deeds = [deed for plan in self.plans for deed in plan]

    def _plan(self, number: int) -> list[Deed]:
        """What one thread does. Only the first one resets, so that it is clear who is to be logged in."""
        names = ["get"] * 4 + [
            "get_token",
            "revoke",
            "expire",
            "due",
            "revoked elsewhere",
            "fail",
            "break off",
            "break provider",
            "upload",
        ]
        if number == 0:
            names += ["reset"]
        if self.m2m:
            names += ["get m2m"] * 4 + ["get away", "logout", "hang"]
            names += ["reset bob"] if number == 0 else []
        return [Deed(self.random.choice(names)) for _ in range(self.random.randint(1, 4))]

    def run(self) -> list[str]:
        """Run it; what broke a law."""
        warm_up()
        random.seed(self.seed)  # for the pauses of the package
        source = self.random.choice(("none", "none", "ask", "stored", "cache", "cache"))
        arguments: dict[str, Any] = {"on_token_update": self._note, "timeout": TIMEOUT}
        if source == "cache":
            arguments["cache"] = MemoryCache(self.scheduler.pause)
        elif source != "none":
            arguments["token_provider"] = self._ask if source == "ask" else self._stored
        if self.m2m:
            arguments |= {"username": "alice", "password": "right"}
        face = self.random.choice(("auth", "adapter"))
        try:
            with self.scheduler.standing_in():
                self.session, self.auth = connect(self.thingspace, face, **arguments)
            self.scheduler.run(*[self._thread(plan) for plan in self.plans])
            self._judge()
            self._settle()
        except StuckError as stuck:
            self.faults.append(f"stuck: {stuck}")
        return self.faults

    def _thread(self, plan: list[Deed]) -> Callable[[], None]:
        def work() -> None:
            for deed in plan:
                self._do(deed)

        return work

    def _do(self, deed: Deed) -> None:
        """Do one thing, and note what came of it."""
        token = WORK.set(deed)
        if deed.name.startswith("reset"):
            self.users |= {"bob"} if "bob" in deed.name else set()
        deed.began, deed.gone, deed.users = self._tick(), set(self.gone), self.users
        try:
            deed.outcome = self._deed(deed.name)
        except requests.RequestException as error:
            deed.outcome = error
        deed.ended = self._tick()
        if deed.name == "reset bob" and deed.outcome is None:
            self.users = {"bob"}
        if deed.name in ("revoke", "logout") and deed.outcome is None:
            self.gone |= {ended for work, ended in self.thingspace.ended if work is deed}
        WORK.reset(token)

    def _tick(self) -> int:
        self.time += 1
        return self.time

    def _deed(self, name: str) -> Any:
        """What the name says."""
        thingspace, auth = self.thingspace, self.auth
        works: dict[str, Callable[[], Any]] = {
            "get": lambda: self.session.get(API).status_code,
            "get m2m": lambda: self.session.get(M2M).status_code,
            "get away": self._get_away,
            "upload": lambda: self.session.put(API, data=io.BytesIO(UPLOAD)).status_code,
            "get_token": lambda: bool(auth.get_token()) and 200,
            "revoke": auth.revoke,
            "reset": auth.reset,
            "reset bob": lambda: auth.reset(username="bob", password="right"),
            "logout": auth.logout,
            "expire": lambda: thingspace.advance(LIFE),
            "due": lambda: thingspace.advance(LIFE - 30.0),
            "revoked elsewhere": thingspace.revoke_all,
            "fail": lambda: thingspace.failures.append(400),
            "break off": lambda: thingspace.failures.extend([requests.ConnectionError("broken")] * 3),
            "break provider": lambda: setattr(self, "broken", True),
            "hang": lambda: setattr(self, "hanging", True),
        }
        return works[name]()

    def _get_away(self) -> int:
        """Make a call whose replay is answered with a redirect to another host."""
        self.session.get(M2M)
        self.thingspace.revoke_all()
        return self.session.get(AWAY).status_code

    def _arrive(self, name: str) -> None:
        """A request has come to ThingSpace, or has been answered."""
        self.scheduler.pause()
        if name == "login" and self.hanging:
            self.hanging = False
            self.scheduler.sleep(1.5 * TIMEOUT)

    def _ask(self, last_token: Any, manager: Any) -> Any:
        self.scheduler.pause()
        if self.broken:
            self.broken = False
            raise ProviderError
        return manager.fetch_token()

    def _stored(self, last_token: Any, manager: Any) -> Any:
        """A provider with a database, which may offer what was rejected."""
        self.scheduler.pause()
        stored = getattr(self, "kept", None)
        if stored is None or self.random.random() < 0.7:
            self.kept = self._ask(last_token, manager)
        elif self.told and self.told[-1] != number_of(stored):
            self.went_back = True
        return self.kept

    def _note(self, token: Any) -> None:
        self.telling += 1
        if self.telling > 1:
            self.faults.append("two tellings at once")
        is_disturbed = any(deed.name in DISTURBING for deed in self.deeds)
        if not is_disturbed and self.auth.token != token:
            self.faults.append("told before it is in place")
        self.scheduler.pause()
        self.told.append(number_of(token))
        self.scheduler.pause()
        self.telling -= 1

    def _judge(self) -> None:
        """Hold what happened against the laws."""
        thingspace, faults = self.thingspace, self.faults
        users = 2 if any(deed.name == "reset bob" for deed in self.deeds) else 1
        for name, most in (("token", 1), ("login", users)):
            if thingspace.most_at_once[name] > most:
                faults.append(f"{thingspace.most_at_once[name]} {name} calls at once")
        is_calm = not any(d.name in (*DISTURBING, *FAILING, "due") for d in self.deeds)
        if is_calm and thingspace.counts["token"] > 1:
            faults.append(f"{thingspace.counts['token']} token calls, where one would do")
        is_twice = any(one == other for one, other in zip(self.told, self.told[1:]))
        if is_twice or (self.told != sorted(set(self.told)) and not self.went_back):
            faults.append(f"told of {self.told}")
        resets = sum(deed.name == "reset" for deed in self.deeds)
        if len(thingspace.wrong_passwords) > 1 + resets:
            faults.append(f"{len(thingspace.wrong_passwords)} logins with a wrong password")
        for deed in sorted(self.deeds, key=lambda deed: deed.ended):
            self._judge_deed(deed, [call for call in thingspace.calls if call.work is deed])

    def _judge_deed(self, deed: Deed, calls: list[Call]) -> None:
        """Hold one deed and the API calls that were made for it against the laws."""
        away = [call for call in calls if call.url == ELSEWHERE]
        calls = [call for call in calls if call not in away]
        used = {call.bearer for call in calls} | {call.session for call in calls}
        if used & deed.gone and not hasattr(self, "kept"):  # a provider may still have it
            self.faults.append(f"{used & deed.gone} had ended before {deed}")
        owners = {self.thingspace.owners[call.session] for call in calls if call.session}
        if owners - deed.users:
            self.faults.append(f"{deed} used a session of {owners}")
        if len(calls) > (8 if deed.name == "get away" else 4):
            self.faults.append(f"{len(calls)} sends of {deed}")
        if any(call.bearer or call.session for call in away):
            self.faults.append(f"a token went elsewhere with {deed}")
        if deed.name == "upload" and any(call.body != UPLOAD.decode() for call in calls):
            self.faults.append(f"sent in part: {[call.body for call in calls]}")
        is_call = deed.name.startswith(("get", "upload"))
        if is_call and deed.outcome != 200 and not self._is_excused(deed, calls):
            self.faults.append(f"lost: {deed}")

    def _is_excused(self, deed: Deed, calls: list[Call]) -> bool:
        """Whether so much happened to a call that it may fail: an error, or more than one loss of a token."""
        if any(other.name in FAILING for other in self.deeds):
            return True
        if self._was_refused(deed):
            return True
        if self.unlucky:
            return True  # for a minute a token that was refused when it was new is not tested again
        others = [
            o for o in self.deeds if o.name in DISTURBING and o.ended > deed.began and o.began < deed.ended
        ]
        lost = [call.bearer for call in calls if call.status == 401]  # each a newer one than the last
        is_unlucky = len(others) > 1 or (len(set(lost)) > 1 and lost == sorted(lost))
        self.unlucky = self.unlucky or (is_unlucky and deed.outcome == 401)
        return is_unlucky

    def _was_refused(self, deed: Deed) -> bool:
        """Whether the password was wrong, without which no request goes out."""
        return bool(self.thingspace.wrong_passwords) and isinstance(deed.outcome, LoginRefusedError)

    def _settle(self) -> None:
        """When all is quiet again, calls succeed."""
        self.thingspace.failures.clear()
        self.broken = self.hanging = False
        self.thingspace.advance(61.0)
        last = Deed("get")
        self.scheduler.run(self._thread([last]))
        if last.outcome != 200 and not self._was_refused(last):
            self.faults.append(f"in the end: {last}")
