"""Threads that use one auth in some order, and the laws that hold for any.

A seed decides the face, the provider, what each of some threads does, and in which order they run, so that
a run that breaks a law can be run again: `seeded(seed).run()`.
"""

from __future__ import annotations

import io
import random
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache, partial
from typing import Any

import requests

from requests_thingspace import LoginRefusedError

from ..caches.shelf import Shelf
from .scheduler import Scheduler, StuckError
from .thingspace import API, AWAY, ELSEWHERE, LIFE, M2M, WORK, Call, ThingSpace, connect

DISTURBING = (
    "revoke", "reset", "reset bob", "logout", "revoked elsewhere", "get away", "expire", "set-back", "sleep",
)  # fmt: skip
FAILING = ("fail", "break off", "break provider", "hang")
UPLOAD = b"whole"
TIMEOUT = 2.0  # virtual seconds that a caller waits for a token call or login


class ProviderError(requests.RequestException):
    """What a token provider raises, with a hint that is no number."""

    retry_after = "soon"


class Memory(Shelf):
    """A cache in memory; threads may change at each of its steps."""

    def __init__(self, pause: Callable[[], None]):
        super().__init__()
        self._use = lambda _: pause()


@dataclass(eq=False)
class Deed:
    """One thing that a thread does."""

    name: str
    began: int = -1  # in the order of all beginnings and ends
    ended: int = -1
    outcome: Any = None
    got: set[str] = field(default_factory=set)  # the token that it asked for
    gone: set[str] = field(
        default_factory=set
    )  # tokens that must not be used, since they ended before it began
    users: set[str] = field(default_factory=set)  # whose session it may use

    def __str__(self) -> str:
        return f"{self.name} [{self.began}-{self.ended}] -> {self.outcome!r}"


class Schedule:
    """One run: an auth, what some threads do with it, and what must hold in the end."""

    last = "get"
    jump = LIFE  # seconds by which the clock moves when a token expires

    def __init__(self, plans: list[list[str]], scheduler: Scheduler, alice: str = "right"):
        """Let each plan be carried out by a thread; `alice` is that user's password at ThingSpace."""
        self.scheduler, self.pause, self.thingspace = scheduler, scheduler.pause, ThingSpace(alice)
        self.thingspace.on_request = self._arrive
        self.plans = [[Deed(name) for name in plan] for plan in plans]
        self.deeds = [deed for plan in self.plans for deed in plan]
        self.time = 0
        self.hanging = self.broken = False  # the next login, the token provider
        self.told: list[str] = []
        self.telling = 0
        self.faults: list[str] = []
        self.gone: set[str] = set()
        self.users = {"alice"}
        self.unlucky = False  # a call lost two tokens in a row
        self.kept: Any = None  # by the token provider
        self.went_back = False  # the token provider offered an older token than the last

    def connect(self, face: str, **arguments: Any) -> Schedule:
        """Make the Session and its auth."""
        with self.scheduler.standing_in():
            self.session, self.auth = connect(self.thingspace, face, on_token_update=self._note, **arguments)
        return self

    def run(self) -> list[str]:
        """Run it; what broke a law."""
        try:
            self.scheduler.run(*[partial(self._carry_out, plan) for plan in self.plans])
            self._judge()
            self._settle()
        except StuckError as stuck:
            self.faults.append(f"stuck: {stuck}")
        return self.faults

    def _carry_out(self, plan: list[Deed]) -> None:
        """Do one thing after the other, and note what came of each."""
        for deed in plan:
            before, work = self.thingspace.number, WORK.set(deed)
            if deed.name == "reset bob":
                self.users |= {"bob"}
            deed.began, deed.gone, deed.users = self._tick(), set(self.gone), self.users
            try:
                deed.outcome = self._outcome(deed)
            except KeyboardInterrupt:  # who is interrupted does it again
                sys.settrace(self.scheduler.trace)
                deed.outcome = self._outcome(deed)
            deed.ended = self._tick()
            if deed.outcome is None:
                self._note_end(deed, before)
            WORK.reset(work)

    def _note_end(self, deed: Deed, before: int) -> None:
        """Note what ended with a deed; `before` it so many tokens had been given."""
        if deed.name == "reset bob":
            self.users = {"bob"}
        if deed.name in ("revoke", "logout"):
            self.gone |= {ended for work, ended in self.thingspace.ended if work is deed}
        if self.thingspace.is_giving_others:
            self.gone |= {token for token, end in self.thingspace.ends.items() if end <= self.thingspace.time}
            self.gone |= (
                {f"token-{number + 1}" for number in range(before)} if deed.name == "reset" else set()
            )

    def _tick(self) -> int:
        self.time += 1
        return self.time

    def _outcome(self, deed: Deed) -> Any:
        """Do what the name says."""
        thingspace, auth = self.thingspace, self.auth
        works: dict[str, Callable[[], Any]] = {
            "get": lambda: self.session.get(API).status_code,
            "get m2m": lambda: self.session.get(M2M).status_code,
            "get away": self._get_away,
            "upload": lambda: self.session.put(API, data=io.BytesIO(UPLOAD)).status_code,
            "ask": lambda: deed.got.add(auth.get_token().access_token) or 200,
            "revoke": auth.revoke,
            "reset": auth.reset,
            "reset bob": lambda: auth.reset(username="bob", password="right"),
            "logout": auth.logout,
            "due": lambda: thingspace.advance(LIFE - 30.0),
            "expire": lambda: thingspace.advance(self.jump),
            "sleep": lambda: thingspace.advance(self.jump, slept=self.jump),
            "set-back": lambda: thingspace.advance(self.jump, set_back=2 * LIFE),
            "revoked elsewhere": thingspace.revoke_all,
            "fail": lambda: thingspace.failures.append(400),
            "break off": lambda: thingspace.failures.extend([requests.ConnectionError("broken")] * 3),
            "break provider": lambda: setattr(self, "broken", True),
            "hang": lambda: setattr(self, "hanging", True),
        }
        try:
            return works[deed.name]()
        except requests.RequestException as error:
            return error

    def _get_away(self) -> int:
        """Make a call whose replay is answered with a redirect to another host."""
        self.session.get(M2M)
        self.thingspace.revoke_all()
        return self.session.get(AWAY).status_code

    def _arrive(self, name: str) -> None:
        """A request has come to ThingSpace, or has been answered."""
        self.pause()
        if name == "login" and self.hanging:
            self.hanging = False
            self.scheduler.sleep(1.5 * TIMEOUT)

    def ask(self, last_token: Any, manager: Any) -> Any:
        """A token provider."""
        self.pause()
        if self.broken:
            self.broken = False
            raise ProviderError
        return manager.fetch_token()

    def _note(self, token: Any) -> None:
        self.telling += 1
        if self.telling > 1:
            self.faults.append("two tellings at once")
        is_disturbed = any(deed.name in DISTURBING for deed in self.deeds)
        if not is_disturbed and self.auth.token != token:
            self.faults.append("told before it is in place")
        self.pause()
        self.told.append(token.access_token)
        self.pause()
        self.telling -= 1

    def _judge(self) -> None:
        """Hold what happened against the laws."""
        thingspace, faults, names = self.thingspace, self.faults, [deed.name for deed in self.deeds]
        for name, most in (("token", 1), ("login", 2 if "reset bob" in names else 1)):
            if thingspace.most_at_once[name] > most:
                faults.append(f"{thingspace.most_at_once[name]} {name} calls at once")
        most = self.most_token_calls(names)
        if most is not None and thingspace.counts["token"] > most:
            faults.append(f"{thingspace.counts['token']} token calls, where {most} would do")
        numbers = [int(token.removeprefix("token-")) for token in self.told]
        is_twice = any(one == other for one, other in zip(numbers, numbers[1:]))
        if is_twice or (numbers != sorted(set(numbers)) and not self.went_back):
            faults.append(f"told of {self.told}")
        if thingspace.wrong_passwords > 1 + names.count("reset"):
            faults.append(f"{thingspace.wrong_passwords} logins with a wrong password")
        for deed in sorted(self.deeds, key=lambda deed: deed.ended):
            self._judge_deed(deed, [call for call in thingspace.calls if call.work is deed])

    def most_token_calls(self, names: list[str]) -> int | None:
        """How many token calls these deeds may need; ``None`` if that is not clear."""
        return None if any(name in (*DISTURBING, *FAILING, "due") for name in names) else 1

    def _judge_deed(self, deed: Deed, calls: list[Call]) -> None:
        """Hold one deed and the API calls that were made for it against the laws."""
        away = [call for call in calls if call.url == ELSEWHERE]
        calls = [call for call in calls if call not in away]
        used = {call.bearer for call in calls} | {call.session for call in calls} | deed.got
        if used & deed.gone and self.kept is None:  # else the provider may still have it
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
        is_call = deed.name.startswith(("get", "upload", "ask"))
        if is_call and deed.outcome != 200 and not self._is_excused(deed, calls):
            self.faults.append(f"lost: {deed}")

    def _is_excused(self, deed: Deed, calls: list[Call]) -> bool:
        """Whether so much happened to a call that it may fail: an error, or more than one loss of a token."""
        if any(other.name in FAILING for other in self.deeds) or self._was_refused(deed):
            return True
        if self.unlucky:
            return True  # for a minute a token that was refused when it was new is not tested again
        others = [
            o for o in self.deeds if o.name in DISTURBING and o.ended > deed.began and o.began < deed.ended
        ]
        lost = [call.bearer for call in calls if call.status == 401]  # each a newer one than the last
        is_unlucky = len(others) > 1 or (len(set(lost)) > 1 and lost == sorted(lost))
        self.unlucky = is_unlucky and deed.outcome == 401
        return is_unlucky

    def _was_refused(self, deed: Deed) -> bool:
        """Whether the password was wrong, without which no request goes out."""
        return self.thingspace.wrong_passwords > 0 and isinstance(deed.outcome, LoginRefusedError)

    def _settle(self) -> None:
        """When all is quiet again, calls succeed."""
        self.thingspace.failures.clear()
        self.broken = self.hanging = False
        self.thingspace.advance(61.0)
        last = Deed(self.last)
        self.scheduler.run(lambda: self._carry_out([last]))
        if last.outcome != 200 and not self._was_refused(last):
            self.faults.append(f"in the end: {last}")


class Seeded(Schedule):
    """A schedule by chance."""

    def __init__(self, seed: int):
        self.random = chance = random.Random(seed)
        gap = chance.choice((2.0, 20.0, 200.0, 1000.0))
        scheduler = Scheduler(chance.randrange, lambda: chance.expovariate(1 / gap))
        alice, m2m = chance.choice(("right", "right", "wrong")), chance.random() < 0.4
        super().__init__(
            [self._plan(number == 0, m2m) for number in range(chance.randint(2, 4))], scheduler, alice
        )
        source = chance.choice(("none", "none", "ask", "stored", "cache", "cache"))
        arguments: dict[str, Any] = {"timeout": TIMEOUT}
        if source == "cache":
            arguments["cache"] = Memory(scheduler.pause)
        elif source != "none":
            arguments["token_provider"] = self.ask if source == "ask" else self._stored
        if m2m:
            arguments |= {"username": "alice", "password": "right"}
        warm_up()
        self.connect(chance.choice(("auth", "adapter")), **arguments)
        random.seed(seed)  # for the pauses of the package

    def _plan(self, is_first: bool, m2m: bool) -> list[str]:
        """What one thread does. Only the first one resets, so that it is clear who is to be logged in."""
        names = ["get"] * 4 + [
            "ask", "revoke", "expire", "due", "revoked elsewhere", "fail", "break off",
            "break provider", "upload",
        ]  # fmt: skip
        names += ["reset"] * is_first
        if m2m:
            names += ["get m2m"] * 4 + ["get away", "logout", "hang"] + ["reset bob"] * is_first
        return [self.random.choice(names) for _ in range(self.random.randint(1, 4))]

    def _stored(self, last_token: Any, manager: Any) -> Any:
        """A provider with a database, which may offer what was rejected."""
        self.pause()
        if self.kept is None or self.random.random() < 0.7:
            self.kept = self.ask(last_token, manager)
        elif self.told and self.told[-1] != self.kept.access_token:
            self.went_back = True
        return self.kept


@cache
def warm_up() -> None:
    """Let the package do what it does once in a process, which is no part of a schedule."""
    for face in ("auth", "adapter"):
        arguments = {"username": "alice", "password": "right", "cache": Memory(lambda: None)}
        session, auth = connect(ThingSpace(), face, **arguments)
        session.get(M2M)
        auth.logout()
        auth.revoke()
