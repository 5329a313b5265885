"""A client of the sandbox for each test."""

import pytest

from .client import Client


@pytest.fixture
def client(sandbox):
    with Client(sandbox) as client:
        yield client
