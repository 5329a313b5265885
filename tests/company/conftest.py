"""What the tests of this folder share: two URLs of the sandbox, and ways to bring an auth to a Session."""

import pytest
import requests

from requests_thingspace import mount


@pytest.fixture
def account(sandbox):
    """The URL of a resource that wants both tokens."""
    return f"{sandbox.origin}/api/m2m/v1/accounts/{sandbox.account}"


@pytest.fixture
def echo(sandbox):
    """The URL of a resource that tells what arrived; it wants the bearer."""
    return f"{sandbox.origin}/sandbox/echo"


@pytest.fixture
def plain(sandbox):
    """A Session without any auth that trusts the sandbox and hears nothing of the machine's settings."""
    with requests.Session() as session:
        session.trust_env, session.verify = False, sandbox.ca_file
        yield session


@pytest.fixture(params=["auth with session=", "adapter"])
def share_the_way(request, auth):
    """A function that gives a Session an auth whose first token call already takes the Session's way."""

    def share_the_way(session, **arguments):
        if request.param == "adapter":
            return mount(session, auth(session=None, **arguments))
        session.auth = auth(session=session, **arguments)
        return session

    return share_the_way
