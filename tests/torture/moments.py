"""A tool that acts at each moment of a call at which CPython may run a signal handler.

CPython looks for signals when a function is entered or a generator resumed, when a loop jumps back, and after
each call (ceval's "eval breaker"); nowhere else, so that two stores in a row cannot be torn apart. `Moments`
finds the same places by `sys.settrace`. On CPython 3.14 there is one more, after a lock's `__enter__`:
the lock is taken, and `__exit__` is not yet certain (python/cpython#148874). `with_visible_locks` makes that
one visible on every version.

    how_many = count(call)
    for at in range(how_many):
        with Moments(at, act) as moments: call()
"""

from __future__ import annotations

import contextlib
import dis
import os
import random
import re
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import requests_thingspace
from requests_thingspace._endpoints.worker import frames

PACKAGE = str(Path(requests_thingspace.__file__).parent) + os.sep
_TOOLS = tuple(f"{PACKAGE}{name}{os.sep}" for name in ("sandbox", "cli"))
_HELPERS = {str(module.__file__) for module in (contextlib, threading)}
_AFTER_CALLS = ("CALL", "CALL_FUNCTION", "CALL_METHOD", "CALL_KW", "CALL_FUNCTION_KW", "CALL_FUNCTION_EX")
_JUMPS_BACK = ("JUMP_BACKWARD", "JUMP_ABSOLUTE")
_READERS = ("_values.py", "_tokens.py", "answers.py", "_cache.py", "_entries.py", "_file.py", "_private.py")
_SHOWN = re.compile(r"'(secret|right|wrong)'|id:secret|aWQ6c2VjcmV0|\b(token|session)-\d")  # those of `wire`
_names: dict[CodeType, dict[int, str]] = {}


def in_package(filename: str) -> bool:
    return filename.startswith(PACKAGE) and not filename.startswith(_TOOLS)


def _is_watched(code: CodeType) -> bool:
    """Whether moments of `code` count: the package's, and those of the helpers that it uses."""
    name = code.co_filename
    return in_package(name) or name in _HELPERS or "filelock" in name or code is _VISIBLE_ENTER


def _operations(code: CodeType) -> dict[int, str]:
    """The name of each instruction of `code` by its offset."""
    if code not in _names:
        _names[code] = {found.offset: found.opname for found in dis.get_instructions(code)}
    return _names[code]


class Moments:
    """Counts the moments of a block, and acts at one of them.

    Attributes:
        count: how many moments there were so far.
        where: the place of the moment that was acted at; ``None`` if there were not so many.
        stack: the functions under way at that moment, innermost first.
        shown: the locals that show a secret at that moment.
    """

    def __init__(self, at: int | None = None, act: Callable[[], object] = lambda: None):
        self.count = 0
        self.where: str | None = None
        self.stack: list[str] = []
        self.shown: list[str] = []
        self._at = at
        self._act = act

    def __enter__(self) -> Moments:
        self._before = sys.gettrace()
        sys.settrace(self._enter_frame)
        return self

    def __exit__(self, *_: object) -> None:
        sys.settrace(self._before)

    def _enter_frame(self, frame: FrameType, event: str, _: object) -> Any:
        """Trace a frame from its entry or resumption on."""
        code = frame.f_code
        if not _is_watched(code):
            return None
        operations, last = _operations(code), ""
        is_enter = code is _VISIBLE_ENTER

        def in_frame(frame: FrameType, event: str, _: object) -> Any:
            nonlocal last
            if event == "opcode":
                was, last = last, operations.get(frame.f_lasti, "")
                if was in _AFTER_CALLS or last in _JUMPS_BACK:
                    self._moment(frame, f"after {was}" if was in _AFTER_CALLS else last)
            elif event == "return" and is_enter:
                self._moment(frame, "return")
            return in_frame

        frame.f_trace_lines, frame.f_trace_opcodes = False, True
        # A generator that is closed does not resume, and looks here like one that does before CPython 3.11.
        is_closed = operations.get(frame.f_lasti, "") not in ("", "RESUME") and frame.f_lasti > 0
        if not is_enter and not is_closed:
            self._moment(frame, "entry")
        return in_frame

    def _moment(self, frame: FrameType, kind: str) -> None:
        """Count a moment, and act if it is the one."""
        self.count += 1
        if self.count - 1 != self._at:
            return
        name = Path(frame.f_code.co_filename).name
        self.where = f"{name}:{frame.f_lineno} {frame.f_code.co_name}, {kind}"
        self.stack, self.shown = functions_of(frame), shown_by(frame)
        self._act()


def functions_of(frame: FrameType | None) -> list[str]:
    names = []
    while frame is not None:
        names.append(f"{Path(frame.f_code.co_filename).name} {frame.f_code.co_name}")
        frame = frame.f_back
    return names


def _printed(value: object) -> str:
    """Its repr; an object in the making may have none yet."""
    try:
        return repr(value)
    except AttributeError:
        return ""


def shown_by(frame: FrameType | None) -> list[str]:
    """The locals of the package's frames that show a secret to whoever prints them, at this moment.

    What reads or writes a document has it in its hands, and so has a constructor what it keeps.
    """
    found = []
    while frame is not None:
        code, name = frame.f_code, Path(frame.f_code.co_filename).name
        if in_package(code.co_filename) and name not in _READERS and code.co_name != "__init__":
            shown = [local for local, value in frame.f_locals.items() if _SHOWN.search(_printed(value))]
            found += [f"{name} {code.co_name}: {local}" for local in shown]
        frame = frame.f_back
    return found


class VisibleLock:
    """A lock whose `__enter__` is Python, so that a moment can come directly after it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.acquire, self.release, self.locked = self._lock.acquire, self._lock.release, self._lock.locked

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()


_VISIBLE_ENTER = VisibleLock.__enter__.__code__


class StandIn:
    """A module with some names replaced."""

    def __init__(self, module: Any, **names: Any):
        self.__dict__.update(names)
        self._module = module

    def __getattr__(self, name: str) -> Any:
        return getattr(self._module, name)


def package_modules() -> list[Any]:
    """The modules of the library proper that are imported."""
    return [
        module
        for name, module in list(sys.modules.items())
        if name.startswith("requests_thingspace") and in_package(str(module.__file__))
    ]


@contextlib.contextmanager
def standing_in(**modules: StandIn) -> Iterator[None]:
    """Let every module of the package find stand-ins in place of these modules."""
    taken = []
    for module in package_modules():
        for name, stand_in in modules.items():
            if module.__dict__.get(name) is stand_in._module:
                taken.append((module, name))
                setattr(module, name, stand_in)
    try:
        yield
    finally:
        for module, name in taken:
            setattr(module, name, modules[name]._module)


def with_visible_locks() -> contextlib.AbstractContextManager[None]:
    """Let the package make locks with a moment after `__enter__`, as on CPython 3.14."""
    return standing_in(threading=StandIn(threading, Lock=VisibleLock))


def raising(error: BaseException) -> Callable[[], object]:
    def act() -> None:
        raise error

    return act


@contextlib.contextmanager
def real_signal(seed: int, longest: float, act: Callable[[], object]) -> Iterator[None]:
    """Let a real SIGALRM come at a time that `seed` decides, and `act` be its handler.

    Args:
        seed: decides the time.
        longest: seconds, the latest time.
        act: what the handler does, once.
    """
    came = False

    def handler(*_: object) -> None:
        nonlocal came
        if not came:
            came = True
            act()

    before = signal.signal(signal.SIGALRM, handler)
    try:
        signal.setitimer(signal.ITIMER_REAL, random.Random(seed).uniform(1e-6, longest))
        yield
    finally:
        came = True
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def until_blocked(*threads: threading.Thread) -> None:
    """Give each thread time to end, or to come to where it waits for another."""
    end, seen = time.monotonic() + 0.05, {}
    while time.monotonic() < end:
        time.sleep(0)
        now = {ident: (f.f_code, f.f_lasti) for ident, f in frames().items()}
        running = [
            t for t in threads if t.is_alive() and (t.ident not in now or seen.get(t.ident) != now[t.ident])
        ]
        if not running:
            return
        seen = now
