"""``thingspace run``: a script or module, in this process as ``python`` would run it, authenticated.

The program sees what python shows it: ``sys.argv``, ``sys.path[0]``, its name ``__main__``, tracebacks that
begin with its own lines; and its exit status is ours.
"""

from __future__ import annotations

import os
import sys
from argparse import Namespace
from collections.abc import Callable
from functools import partial
from importlib.machinery import SourceFileLoader
from types import CodeType, ModuleType, TracebackType
from typing import Any

from ._credentials import auth_of_user, shared_cache
from ._every_session import authenticate_every_session
from ._output import UsageError
from ._own_calls import OwnCalls

Load = Callable[[ModuleType], CodeType]
"""Gives the program's code, and its module ``__main__`` the attributes that python would give it."""


def run(options: Namespace) -> int:
    """Run a script, or a module, with every requests Session of it authenticated."""
    program, *arguments = options.program
    load: Load
    if options.module:
        load, shown, folder = partial(_load_module, program), "-m", os.getcwd()
    else:
        load, shown, folder = _read(program), program, os.path.dirname(os.path.realpath(program))
    _authenticate(options)
    sys.argv[:] = [shown, *arguments]
    if not getattr(sys.flags, "safe_path", False):  # python -P has put no folder there
        sys.path[0] = folder
    return _run(load)


def _authenticate(options: Namespace) -> None:
    """Stamp the program's requests with the user's tokens, or lead them to a sandbox."""
    if options.sandbox:
        from ._sandbox import sandbox_for_script

        auth, lead = sandbox_for_script(options.sandbox_faults or "")
        authenticate_every_session(OwnCalls(auth, adopts=True), lead)
    elif options.sandbox_faults:
        raise UsageError("--sandbox-faults needs --sandbox")
    else:
        auth = auth_of_user(login=None, cache=shared_cache, profile=options.profile)
        authenticate_every_session(OwnCalls(auth))


def _read(path: str) -> Load:
    """Read a script, before a secret is asked for."""
    file = os.path.abspath(path)
    loader = SourceFileLoader("__main__", file)
    try:
        source = loader.get_data(file)
    except OSError as wrong:
        raise UsageError(f"cannot read {path!r}: {wrong.strerror}") from None

    def load(main: ModuleType) -> CodeType:
        vars(main).update(__file__=file, __cached__=None, __loader__=loader)
        return loader.source_to_code(source, file)

    return load


def _load_module(name: str, main: ModuleType) -> CodeType:
    """Find a module, or the ``__main__`` of a package."""
    from importlib.util import find_spec

    spec = find_spec(name)
    if spec is not None and spec.submodule_search_locations is not None:
        spec = find_spec(f"{name}.__main__")
    loader: Any = None if spec is None else spec.loader
    code: CodeType | None = None if spec is None else loader.get_code(spec.name)
    if spec is None or code is None:
        raise UsageError(f"no module named {name!r} that can be run")
    sys.argv[0] = str(spec.origin)
    vars(main).update(__spec__=spec, __package__=spec.parent, __loader__=loader)
    vars(main).update(__file__=spec.origin, __cached__=spec.cached)
    return code


def _run(load: Load) -> int:
    """Run a program as ``__main__``, and report an exception as python does."""
    main = sys.modules["__main__"] = ModuleType("__main__")  # threads and atexit need it to the very end
    vars(main).update(__builtins__=sys.modules["builtins"])
    try:
        exec(load(main), vars(main))  # noqa: S102 - to run the user's own program is what is asked for
    except (SystemExit, UsageError):
        raise
    except BaseException as failure:  # noqa: BLE001 - whatever the program raises
        trace = _its_own_lines(failure.__traceback__)
        sys.excepthook(type(failure), failure.with_traceback(trace), trace)
        return 130 if isinstance(failure, KeyboardInterrupt) else 1
    return 0


def _its_own_lines(trace: TracebackType | None) -> TracebackType | None:
    """The traceback without the lines here and in importlib that lead to the program."""
    while trace is not None:
        module = trace.tb_frame.f_globals.get("__name__", "")
        if module != __name__ and module.partition(".")[0] != "importlib":
            break
        trace = trace.tb_next
    return trace
