"""How much of the torture: a sample, or with TORTURE=full in the environment all of it."""

import logging
import os
import sys

import pytest

FULL = os.environ.get("TORTURE") == "full"


@pytest.fixture
def quiet():
    """Warnings are expected, and not shown; what the interpreter ignores may be looked at by a test."""
    logging.disable(logging.ERROR)
    hook = sys.unraisablehook
    yield
    sys.unraisablehook = hook
    logging.disable(logging.NOTSET)


@pytest.fixture
def amount():
    """A function that gives the first number, or in a full run the second."""
    return lambda sample, full: full if FULL else sample
