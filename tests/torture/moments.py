"""A tool that acts at each moment of a call at which CPython may run a signal handler.

CPython looks for signals when a function is entered or a generator resumed, when a loop jumps back, and after
each call (ceval's "eval breaker"); nowhere else, so that two stores in a row cannot be torn apart. `Moments`
finds the same places by `sys.settrace`. On CPython 3.14 there is one more, after a lock's `__enter__`:
the lock is taken, and `__exit__` is not yet certain (python/cpython#148874). `VisibleLock` makes that one
visible on every version.

    with Moments() as moments: call()
    for at in range(moments.count):
        with Moments(at, act): call()
"""

from __future__ import annotations

import contextlib
import dis
import os
import re
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import CodeType, FrameType, ModuleType, SimpleNamespace
from typing import Any

import requests_thingspace

PACKAGE = str(Path(requests_thingspace.__file__).parent) + os.sep
_TOOLS = tuple(f"{PACKAGE}{name}{os.sep}" for name in ("sandbox", "cli"))
_HELPERS = {str(module.__file__) for module in (contextlib, threading)}
_AFTER_CALLS = ("CALL", "CALL_FUNCTION", "CALL_METHOD", "CALL_KW", "CALL_FUNCTION_KW", "CALL_FUNCTION_EX")
_JUMPS_BACK = ("JUMP_BACKWARD", "JUMP_ABSOLUTE")
_READERS = ("_values.py", "_tokens.py", "answers.py", "_cache.py", "_entries.py", "_file.py", "_private.py")
_SHOWN = re.compile(r"'(secret|right|wrong)'|id:secret|aWQ6c2VjcmV0|\b(token|session)-\d")  # of `thingspace`
_names: dict[CodeType, dict[int, str]] = {}


def in_package(filename: str) -> bool:
    return filename.startswith(PACKAGE) and not filename.startswith(_TOOLS)


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


def _is_watched(code: CodeType) -> bool:
    """Whether moments of `code` count: the package's, and those of the helpers that it uses."""
    name = code.co_filename
    return in_package(name) or name in _HELPERS or "filelock" in name or code is _VISIBLE_ENTER


def _operations(code: CodeType) -> dict[int, str]:
    """The name of each instruction of `code` by its offset."""
    if code not in _names:
        _names[code] = {found.offset: found.opname for found in dis.get_instructions(code)}
    return _names[code]


def raising(error):
    """What happens at a moment: this error."""

    def act():
        raise error

    return act


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
        self._at, self._act = at, act

    def __enter__(self) -> Moments:
        self._before = sys.gettrace()
        sys.settrace(self.enter_frame)
        return self

    def __exit__(self, *_: object) -> None:
        sys.settrace(self._before)

    def enter_frame(self, frame: FrameType, event: str, _: object) -> Any:
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
                    self.come(frame, f"after {was}" if was in _AFTER_CALLS else last)
            elif event == "return" and is_enter:
                self.come(frame, "return")
            return in_frame

        frame.f_trace_lines, frame.f_trace_opcodes = False, True
        # A generator that is closed does not resume, and looks here like one that does before CPython 3.11.
        is_closed = operations.get(frame.f_lasti, "") not in ("", "RESUME") and frame.f_lasti > 0
        if not is_enter and not is_closed:
            self.come(frame, "entry")
        return in_frame

    def come(self, frame: FrameType, kind: str) -> None:
        """Count a moment, and act if it is the one."""
        self.count += 1
        if self.count - 1 == self._at:
            name = Path(frame.f_code.co_filename).name
            self.where = f"{name}:{frame.f_lineno} {frame.f_code.co_name}, {kind}"
            self.stack, self.shown = functions_of(frame), _shown_by(frame)
            self._act()


def _frames_of(frame: FrameType | None) -> Iterator[tuple[FrameType, str, str]]:
    """A frame and those that called it, each with the names of its file and its function."""
    while frame is not None:
        yield frame, Path(frame.f_code.co_filename).name, frame.f_code.co_name
        frame = frame.f_back


def functions_of(frame: FrameType | None) -> list[str]:
    return [f"{file} {function}" for _, file, function in _frames_of(frame)]


def _shown_by(frame: FrameType) -> list[str]:
    """The locals of the package's frames that show a secret to whoever prints them, at this moment.

    What reads or writes a document has it in its hands, and so has a constructor what it keeps.
    """
    return [
        f"a secret in {file} {function}: {local}"
        for one, file, function in _frames_of(frame)
        if in_package(one.f_code.co_filename) and file not in _READERS and function != "__init__"
        for local, value in one.f_locals.items()
        if _SHOWN.search(_printed(value))
    ]


def _printed(value: object) -> str:
    """Its repr; an object in the making may have none yet."""
    try:
        return repr(value)
    except AttributeError:
        return ""


@contextlib.contextmanager
def standing_in(module: ModuleType, **names: Any) -> Iterator[None]:
    """Let every module of the package find other things under these names of `module`."""
    name, stand_in = module.__name__, SimpleNamespace(**{**vars(module), **names})
    users = [
        one
        for key, one in list(sys.modules.items())
        if key.startswith("requests_thingspace")
        and in_package(str(one.__file__))
        and vars(one).get(name) is module
    ]
    for user in users:
        setattr(user, name, stand_in)
    try:
        yield
    finally:
        for user in users:
            setattr(user, name, module)
