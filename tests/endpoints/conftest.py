"""A hostile server, and the way to it."""

import threading

import pytest
import requests

from requests_thingspace import Environment, ThingspaceAuth

from ..catalogue import CLIENT_ID, CLIENT_SECRET, SECRETS
from ..hostile import HostileServer


@pytest.fixture
def server(log_without_secrets):
    """A server that does as it is told; its end is the end of every call that was left behind."""
    log_without_secrets |= SECRETS
    with HostileServer() as running:
        yield running
    for thread in threading.enumerate():
        if thread.name == "thingspace-call" and thread.is_alive():
            thread.join(10)
            assert not thread.is_alive(), "a call outlives its connection"


@pytest.fixture
def session(server):
    """A Session that trusts the server and nothing from the environment."""
    with requests.Session() as session:
        session.verify, session.trust_env = server.ca_file, False
        yield session


@pytest.fixture
def new_auth(server, session):
    """A function that makes an auth whose ThingSpace is the server."""
    known = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, "timeout": 5.0, "session": session}
    known["environment"] = Environment.at(server.origin)
    return lambda **given: ThingspaceAuth(**{**known, **given})
