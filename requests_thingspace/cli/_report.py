"""How ``thingspace check`` tells what it found: a line for each step, or one JSON document."""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from collections.abc import Iterable
from dataclasses import asdict

from ._check import Step, steps
from ._credentials import auth_of_user
from ._output import DIM, GREEN, RED, coloured, complain

_COLOURS = {"ok": GREEN, "failed": RED, "not tried": DIM}


def check(options: Namespace) -> int:
    """Take all steps, and tell of each."""
    auth = auth_of_user(login=options.login)
    if options.login:
        complain("--login logs in once; a failed login counts, and ThingSpace locks an account after five")
    found = steps(auth, login=options.login)
    taken = list(found) if options.json else _told(found)
    well = all(step.outcome != "failed" for step in taken)
    if options.json:
        document = {"ok": well, "origin": auth.environment.origins[0], "steps": [asdict(s) for s in taken]}
        sys.stdout.write(f"{json.dumps(document, indent=2)}\n")
    return 0 if well else 1


def _told(found: Iterable[Step]) -> list[Step]:
    """The steps, each told when it is taken."""
    taken = []
    for step in found:
        outcome = coloured(f"{step.outcome:<9}", _COLOURS[step.outcome], sys.stdout)
        sys.stdout.write(f"{outcome}  {step.name:<14}  {step.text}\n")
        if step.hint:
            sys.stdout.write(f"{'':<11}{'':<16}{step.hint}\n")
        sys.stdout.flush()
        taken.append(step)
    return taken
