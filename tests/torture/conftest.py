"""How much of the torture: a sample, or with TORTURE=full in the environment all of it."""

import os

import pytest

FULL = os.environ.get("TORTURE") == "full"


@pytest.fixture
def amount():
    """A function that gives the first number, or in a full run the second."""
    return lambda sample, full: full if FULL else sample
