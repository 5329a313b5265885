"""``thingspace run``: ThingSpace authentication for a program that knows nothing of it."""

from __future__ import annotations

import os
from argparse import Namespace

from ._credentials import auth_of_user
from ._every_session import authenticate_every_session
from ._program import run_module, run_script
from ._stored import shared_cache


def run(options: Namespace) -> int:
    """Run a script, or a module, with every requests Session of it authenticated.

    Raises:
        UsageError: a credential is missing, or there is no such program.
    """
    auth = auth_of_user(login=None, cache=shared_cache)
    authenticate_every_session(auth, own_login=bool(os.environ.get("THINGSPACE_USERNAME")))
    program, *arguments = options.program
    return run_module(program, arguments) if options.module else run_script(program, arguments)
