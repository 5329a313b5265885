"""A scheduler that lets exactly one thread run at a time, and decides which.

The threads are real, and so is what they run. They change at any instruction of the package (by
`sys.settrace`), and where they wait. So that waiting is the scheduler's to decide as well, the package finds
its locks, threads and `sleep` in place of the standard ones while a schedule runs; time-outs
pass in virtual time, as soon as nobody can go on, and short ones at any time.

What decides is a function from n to 0..n-1: a seeded random number, or an enumeration.
"""

from __future__ import annotations

import _thread
import contextlib
import importlib
import math
import pkgutil
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from types import SimpleNamespace
from typing import Any

import requests_thingspace

from .moments import VisibleLock, in_package, standing_in

SHORT = 0.1  # seconds; time-outs up to that may pass while others run
MOST_STEPS = 300_000
"""Instructions after which a schedule counts as going round in circles; an ordinary one has 5,000."""


def import_all() -> None:
    """Import what the package imports when it is needed, since that is no part of a schedule."""
    for found in pkgutil.walk_packages(requests_thingspace.__path__, "requests_thingspace."):
        if not found.name.startswith(("requests_thingspace.cli", "requests_thingspace.sandbox")):
            with contextlib.suppress(ImportError):  # that of an extra
                importlib.import_module(found.name)


class StuckError(Exception):
    """No thread can go on, or they go on for ever without an end."""


class _Abandoned(BaseException):
    """Ends the threads of a schedule that is stuck."""


class Lock(VisibleLock):
    """As threading.Lock, but the scheduler decides who waits."""

    def __init__(self, scheduler: Scheduler):
        self.scheduler, self._held = scheduler, False

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        seconds = 0.0 if not blocking else None if timeout < 0 else timeout
        if self._held and not (blocking and self.scheduler.wait(lambda: not self._held, seconds)):
            return False
        self._held = True
        return True

    def release(self) -> None:
        self._held = False

    def locked(self) -> bool:
        return self._held


class Task:
    """One thread of a schedule."""

    def __init__(self, work: Callable[[], object]):
        self.work = work
        self.over = False
        self.waits_for: Callable[[], bool] | None = None
        self.deadline = math.inf
        self.turn = threading.Lock()
        self.turn.acquire()

    @property
    def is_ready(self) -> bool:
        """Whether it can go on."""
        return self.waits_for is None or self.waits_for()


class Scheduler:
    """Runs functions in threads of their own, one at a time.

    Attributes:
        now: virtual seconds that have passed.
        steps: instructions of the package so far.
        current: who runs.
    """

    def __init__(self, choose: Callable[[int], int], gap: Callable[[], float], *, impatient: bool = True):
        """Let `choose` pick one of n that can go on, after as many instructions of the package as `gap` says.

        If it is `impatient`, short time-outs may pass while others can run.
        """
        self.now = 0.0
        self.steps = 0
        self._choose, self._gap, self._left = choose, gap, gap()
        self._impatient = impatient
        self.current: Task | None = None
        self._tasks: list[Task] = []
        self._here = threading.local()
        self._stuck: StuckError | None = None
        self._finished = threading.Event()

    def run(self, *works: Callable[[], object]) -> None:
        """Run `works` until all are over, and all threads that they start.

        Raises:
            StuckError: some are not.
        """
        import_all()
        self._finished.clear()
        with self.standing_in():
            for work in works:
                self.spawn(work)
            self.current = self._tasks[self._choose(len(works))]
            self.current.turn.release()
            ended = self._finished.wait(60)
        if self._stuck is not None or not ended:
            raise self._stuck or StuckError("a thread does not come back")

    def standing_in(self) -> contextlib.ExitStack:
        """Let the package wait by this scheduler."""
        stack = contextlib.ExitStack()

        def thread(target: Callable[[], object], **_: object) -> SimpleNamespace:
            return SimpleNamespace(start=lambda: self.spawn(target))

        stack.enter_context(standing_in(threading, Lock=partial(Lock, self), Thread=thread))
        stack.enter_context(standing_in(time, sleep=self.sleep, monotonic=lambda: 1000.0 + self.now))
        stack.enter_context(standing_in(_thread, start_new_thread=lambda work, arguments: work(*arguments)))
        return stack

    def spawn(self, work: Callable[[], object]) -> Task:
        """Add a thread, which begins when it is chosen."""
        task = Task(work)
        self._tasks.append(task)
        threading.Thread(target=self._live, args=(task,), daemon=True).start()
        return task

    def pause(self) -> None:
        """Let another thread go on, if that is chosen."""
        me = self._me()
        if me is not None:
            self._hand_over(me)

    def sleep(self, seconds: float) -> None:
        """Wait in virtual time."""
        self.wait(lambda: False, seconds) if seconds > 0 else self.pause()

    def wait(self, test: Callable[[], bool], seconds: float | None = None) -> bool:
        """Wait until `test` holds or the time has passed; whether it holds."""
        me = self._me()
        if me is not None and not test():
            me.waits_for = test
            me.deadline = math.inf if seconds is None else self.now + seconds
            try:
                self._hand_over(me)
            finally:
                me.waits_for, me.deadline = None, math.inf
        return test()

    def trace(self, frame: Any, event: str, arg: object) -> Any:
        """Trace the frames of the package by instruction."""
        if not in_package(frame.f_code.co_filename):
            return None
        frame.f_trace_lines, frame.f_trace_opcodes = False, True
        return self._step

    def _step(self, frame: Any, event: str, arg: object) -> Any:
        """One instruction."""
        if event == "opcode":
            self._left -= 1
            self.count_step(MOST_STEPS)
            if self._left <= 0:
                self._left = self._gap()
                self.pause()
        return self._step

    def count_step(self, most: int) -> None:
        self.steps += 1
        if self.steps > most:
            self._give_up("they go round in circles")

    def _me(self) -> Task | None:
        """The calling thread's task; ``None`` outside of a schedule."""
        if self._stuck is not None:
            raise _Abandoned
        return getattr(self._here, "task", None)

    def _live(self, task: Task) -> None:
        """The life of a thread."""
        task.turn.acquire()
        self._here.task = task
        sys.settrace(self.trace)
        try:
            if self._stuck is None:
                task.work()
        except _Abandoned:
            pass
        except BaseException as error:  # noqa: BLE001 - whatever it is, nobody expected it
            with contextlib.suppress(_Abandoned):
                self._give_up(f"a thread ended with {error!r}")
        finally:
            sys.settrace(None)
            task.over = True
            self._tasks.remove(task)
            if self._stuck is None and self._tasks:
                self.current = self._next()
                self.current.turn.release()
            elif not self._tasks:
                self._finished.set()

    def _hand_over(self, me: Task) -> None:
        """Let the next thread go on, and wait for one's turn."""
        other = self._next()
        if other is not me:
            self.current = other
            other.turn.release()
            me.turn.acquire()
        if self._stuck is not None:
            raise _Abandoned

    def _next(self) -> Task:
        """Choose who goes on."""
        able = [task for task in self._tasks if task.is_ready]
        able.sort(key=lambda task: task is not self.current)  # the first choice is to go on
        soon = [task for task in self._tasks if task not in able and task.deadline - self.now <= SHORT]
        if able:
            options = [*able * 30, *soon] if self._impatient else able
            chosen = options[self._choose(len(options))]
        else:
            chosen = min(self._tasks, key=lambda task: task.deadline)
        if chosen not in able:
            if math.isinf(chosen.deadline):
                self._give_up("each waits for another")
            self.now = max(self.now, chosen.deadline)
        return chosen

    def _give_up(self, why: str) -> None:
        """End all threads."""
        self._stuck = StuckError(why)
        for task in self._tasks:
            with contextlib.suppress(RuntimeError):
                task.turn.release()
        raise _Abandoned
