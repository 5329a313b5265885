"""The command ``thingspace``: credentials, tokens for other programs, a check, unmodified scripts, a sandbox.

Whatever goes wrong is told on one line of stderr and by the exit status, and no output holds a secret but
the token that was asked for. A command's module is imported when that command is called.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module

import requests

from ._options import parser
from ._output import UsageError, complain

__all__ = ["main"]

_OF_TOKENS = ("token", "revoke", "logout")  # they share a module; any other has one of its own name


def main(arguments: Sequence[str] | None = None) -> int:
    """Carry out one command.

    Args:
        arguments: by default those of the command line.

    Returns:
        The exit status: 0, 1 (ThingSpace refused or could not be reached), 2 (called wrongly, or a
        credential is missing) or 130 (Ctrl-C).

    Raises:
        SystemExit: argparse ends after ``--help`` and mistakes, and a program of ``run`` as it likes.
    """
    root = parser()
    options = root.parse_args(arguments)
    if options.version or options.command is None:
        from importlib.metadata import version  # it takes a while

        text = f"thingspace {version('requests-thingspace')}\n" if options.version else root.format_help()
        sys.stdout.write(text)
        return 0
    try:
        with _log_shown(options.command):
            module = "_tokens" if options.command in _OF_TOKENS else f"_{options.command}"
            status: int = getattr(import_module(f".{module}", __name__), options.command)(options)
        sys.stdout.flush()
    except UsageError as wrong:
        complain(wrong)
        return 2
    except requests.RequestException as failure:
        from ._failures import told

        complain(told(failure))
        return 1
    except BrokenPipeError:  # whoever read our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for the flush at the end
        return 1
    except KeyboardInterrupt:
        return 130
    return status


@contextmanager
def _log_shown(command: str) -> Iterator[None]:
    """Show the library's log on stderr: warnings, or what ``THINGSPACE_LOG`` says.

    The program of ``run`` has a log of its own. A refused login is what the command itself complains of.
    """
    wanted = os.environ.get("THINGSPACE_LOG")
    levels = {"info": logging.INFO, "debug": logging.DEBUG}
    if wanted and wanted.lower() not in levels:
        raise UsageError(f"THINGSPACE_LOG is {wanted!r}: set it to info or debug")
    if not wanted and command == "run":
        yield
        return
    log, handler = logging.getLogger("requests_thingspace"), logging.StreamHandler()
    before = log.level
    if wanted:
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
        log.setLevel(levels[wanted.lower()])
    else:
        handler.setFormatter(logging.Formatter("thingspace: %(message)s"))
        handler.setLevel(logging.WARNING)
        refused = "login_refused"
        handler.addFilter(lambda record: all(getattr(a, "name", "") != refused for a in record.args or ()))
    log.addHandler(handler)
    try:
        yield
    finally:
        log.removeHandler(handler)
        log.setLevel(before)
