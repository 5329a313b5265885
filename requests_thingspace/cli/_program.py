"""Run a script or module in this process as ``python`` would.

The law here: the program sees what python shows it: ``sys.argv``, ``sys.path[0]``, its name
``__main__``, tracebacks that begin with its own lines; and its exit status is ours.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Callable
from importlib.machinery import SourceFileLoader
from types import CodeType, ModuleType, TracebackType
from typing import Any

from ._output import UsageError


def run_script(path: str, arguments: list[str]) -> int:
    """Run a file as ``python path arguments`` does.

    Returns:
        The exit status, unless the script raises SystemExit itself.

    Raises:
        UsageError: the file cannot be read.
    """
    file = os.path.abspath(path)
    loader = SourceFileLoader("__main__", file)
    try:
        source = loader.get_data(file)
    except OSError as wrong:
        raise UsageError(f"cannot read {path!r}: {wrong.strerror}") from None
    _prepare(path, os.path.dirname(os.path.realpath(path)), arguments)
    main = _new_main(__file__=file, __cached__=None, __loader__=loader)
    return _run(main, lambda: loader.source_to_code(source, file))


def run_module(name: str, arguments: list[str]) -> int:
    """Run a module, or the ``__main__`` of a package, as ``python -m name arguments`` does.

    Returns:
        The exit status, unless the module raises SystemExit itself.
    """
    _prepare("-m", os.getcwd(), arguments)
    main = _new_main()
    return _run(main, lambda: _code_of_module(name, main))


def _prepare(program: str, folder: str, arguments: list[str]) -> None:
    """Give the program its arguments, and its folder in place of ours."""
    sys.argv[:] = [program, *arguments]
    if not getattr(sys.flags, "safe_path", False):  # python -P has put no folder there
        sys.path[0] = folder


def _new_main(**attributes: Any) -> ModuleType:
    """The module ``__main__`` from now on; threads and atexit functions need it to the very end."""
    main = sys.modules["__main__"] = ModuleType("__main__")
    vars(main).update(__builtins__=sys.modules["builtins"], **attributes)
    return main


def _code_of_module(name: str, main: ModuleType) -> CodeType:
    """The code of a module, and what `main` has to say about itself when it runs that.

    Raises:
        UsageError: there is no such module, or it cannot be run.
    """
    spec = importlib.util.find_spec(name)
    if spec is not None and spec.submodule_search_locations is not None:
        spec = importlib.util.find_spec(f"{name}.__main__")
    loader: Any = None if spec is None else spec.loader
    code: CodeType | None = None if spec is None else loader.get_code(spec.name)
    if spec is None or code is None:
        raise UsageError(f"no module named {name!r} that can be run")
    sys.argv[0] = str(spec.origin)
    vars(main).update(
        __spec__=spec,
        __package__=spec.parent,
        __loader__=loader,
        __file__=spec.origin,
        __cached__=spec.cached,
    )
    return code


def _run(main: ModuleType, code: Callable[[], CodeType]) -> int:
    """Run `code` in `main`, and tell of an exception as python does."""
    try:
        exec(code(), vars(main))  # noqa: S102 - to run the user's own program is what is asked for
    except (SystemExit, UsageError):
        raise
    except BaseException as failure:  # noqa: BLE001 - whatever the program raises
        trace = _its_own_lines(failure.__traceback__)
        sys.excepthook(type(failure), failure.with_traceback(trace), trace)
        return 130 if isinstance(failure, KeyboardInterrupt) else 1
    return 0


def _its_own_lines(trace: TracebackType | None) -> TracebackType | None:
    """The traceback without the lines here and in importlib that lead to the program."""
    while trace is not None and _leads_to_it(trace.tb_frame.f_globals.get("__name__", "")):
        trace = trace.tb_next
    return trace


def _leads_to_it(module: str) -> bool:
    return module == __name__ or module.partition(".")[0] == "importlib"
