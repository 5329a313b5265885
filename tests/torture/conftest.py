"""How much of the torture: a sample, or with TORTURE=full in the environment all of it."""

import logging
import os
import sys

import pytest

FULL = os.environ.get("TORTURE") == "full"


@pytest.fixture
def quiet():
    """Warnings are expected, and not shown; what the interpreter ignores may be looked at by a test.

    Before CPython 3.13 an interrupt may lose logging's own lock while it looks up a level. It does so once
    for each level of a logger, here before there are signals.
    """
    logging.disable(logging.ERROR)
    for name in ("filelock", "requests_thingspace", "urllib3.connectionpool"):
        for level in (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR):
            logging.getLogger(name).isEnabledFor(level)
    hook = sys.unraisablehook
    yield
    sys.unraisablehook = hook
    logging.disable(logging.NOTSET)


@pytest.fixture
def amount():
    """A function that gives the first number, or in a full run the second."""
    return lambda sample, full: full if FULL else sample
