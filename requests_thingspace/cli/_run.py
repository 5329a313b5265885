"""``thingspace run``: a script or module, in this process as ``python`` would run it, authenticated.

It sees what python shows it: ``sys.argv``, ``sys.path[0]``, its name ``__main__``, tracebacks that begin with
its own lines. Its exit status is ours.
"""

from __future__ import annotations

import os
import sys
from argparse import Namespace
from collections.abc import Callable
from functools import partial
from importlib.machinery import SourceFileLoader
from types import CodeType, ModuleType
from typing import Any

from ._credentials import auth_of_user
from ._every_session import authenticate_every_session
from ._own_calls import OwnCalls
from ._words import UsageError

Load = Callable[[ModuleType], CodeType]  # gives the module ``__main__`` its attributes, and us its code


def run(options: Namespace) -> int:
    program, *arguments = options.program
    load: Load = partial(_load_module, program) if options.module else _read(program)
    if options.sandbox:
        from ._sandbox import sandbox_for_script

        auth, lead = sandbox_for_script(options.sandbox_faults or "")
        authenticate_every_session(OwnCalls(auth, adopts=True), lead)
    elif options.sandbox_faults:
        raise UsageError("--sandbox-faults needs --sandbox")
    else:
        authenticate_every_session(OwnCalls(auth_of_user(options.profile, login=None)))
    sys.argv[:] = ["-m" if options.module else program, *arguments]
    if not getattr(sys.flags, "safe_path", False):  # python -P has put no folder there
        sys.path[0] = os.getcwd() if options.module else os.path.dirname(os.path.realpath(program))
    return _run(load)


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

    spec = None
    try:
        spec = find_spec(name)
    except ModuleNotFoundError as missing:
        if not f"{name}.".startswith(f"{missing.name}."):
            raise  # it is there, and lacks another
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
        trace = failure.__traceback__
        while trace and trace.tb_frame.f_globals.get("__name__", "").startswith((__name__, "importlib.")):
            trace = trace.tb_next  # the program's own lines come after ours and importlib's
        sys.excepthook(type(failure), failure.with_traceback(trace), trace)
        return 130 if isinstance(failure, KeyboardInterrupt) else 1
    return 0
