"""The command ``thingspace``: tokens for other programs, a check, unmodified scripts, a sandbox.

The law here: whatever goes wrong is told on one line of stderr and by the exit status, and no output
holds a secret but the token that was asked for.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import requests

from ._failures import explained
from ._options import parser
from ._output import UsageError, complain
from ._report import check
from ._run import run
from ._sandbox import sandbox
from ._tokens import logout, revoke, token

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Carry out one command.

    Args:
        arguments: those of the command line where none are given.

    Returns:
        The exit status: 0, 1 (ThingSpace refused or could not be reached), 2 (called wrongly, or a
        credential is missing) or 130 (Ctrl-C).

    Raises:
        SystemExit: argparse ends after ``--help`` and mistakes, and a program of ``run`` as it likes.
    """
    commands = {
        "token": token,
        "check": check,
        "revoke": revoke,
        "logout": logout,
        "run": run,
        "sandbox": sandbox,
    }
    options = parser(commands).parse_args(arguments)
    try:
        status: int = options.command(options)
        sys.stdout.flush()
    except UsageError as wrong:
        complain(wrong)
        return 2
    except requests.RequestException as failure:
        said, hint = explained(failure)
        complain(f"{said.rstrip('.')}. {hint}")
        return 1
    except BrokenPipeError:  # whoever read our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for the flush at the end
        return 1
    except KeyboardInterrupt:
        return 130
    return status
