"""How much of the torture: a sample, or with TORTURE=full in the environment all of it."""

import logging
import os
import sys

import pytest

FULL = os.environ.get("TORTURE") == "full"


def pytest_addoption(parser):
    parser.addoption("--minutes", type=float, help="how long threads and a sandbox are in trouble")
    parser.addoption("--seed", type=int, default=1, help="of all that is random in these minutes")


@pytest.fixture
def quiet():
    """Warnings are expected, and not shown; what the interpreter ignores may be looked at by a test.

    An interrupt may lose logging's own lock while logging looks up a level (always before CPython 3.13, and
    again on 3.14, python/cpython#148874), and then all threads that log hang. It looks each level of a logger
    up once: here, before there are signals.
    """
    logging.disable(logging.ERROR)
    for logger in map(logging.getLogger, list(logging.root.manager.loggerDict)):
        for level in (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR):
            logger.isEnabledFor(level)
    hook = sys.unraisablehook
    yield
    sys.unraisablehook = hook
    logging.disable(logging.NOTSET)


@pytest.fixture
def amount():
    """A function that gives the first number, or in a full run the second."""
    return lambda sample, full: full if FULL else sample
