"""A hostile server, and the way to it."""

import pytest

from requests_thingspace._endpoints.exchange import Transport

from ..catalogue import SECRETS, hostile_server, session_of


@pytest.fixture
def server(log_without_secrets):
    """A server that does as it is told, in a test whose log must not hold what travels."""
    log_without_secrets |= SECRETS
    with hostile_server() as running:
        yield running


@pytest.fixture
def session(server):
    """A Session that trusts the server."""
    with session_of(server) as session:
        yield session


@pytest.fixture
def route(session):
    """The way to the server."""
    return Transport(session)
