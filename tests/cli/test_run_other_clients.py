"""``thingspace run`` names an HTTP library whose calls it does not carry."""

from __future__ import annotations

import pytest

from .conftest import SCRIPTS


@pytest.fixture
def start(thingspace, sandbox):
    """A function that runs the script; the sandbox has a name that is looked up."""
    by_name = sandbox.origin.replace("127.0.0.1", "localhost")
    # without PYTHONWARNINGS, for what other libraries do with it
    variables = {"THINGSPACE_BASE_URL": by_name, "PYTHONWARNINGS": None}
    return lambda *names: thingspace("run", SCRIPTS / "other_client.py", *names, **variables)


@pytest.mark.parametrize(
    ("client", "name"),
    [
        ("urllib", "urllib"),
        ("urllib3", "urllib3"),
        ("httpx", "httpx"),
        ("async_httpx", "httpx"),
        ("aiohttp", "aiohttp"),
    ],
)
def test_another_library_is_named_once(start, client, name):
    """Both of its calls are refused, and one line says why."""
    outcome = start(client)
    assert outcome.stdout == "401 401\n", outcome.stderr
    assert outcome.stderr == (
        f"thingspace: {name} is calling localhost: run authenticates requests only, so {name} gets no token\n"
    )


@pytest.mark.parametrize("client", ["requests", "elsewhere"])
def test_requests_and_other_hosts_are_not_named(start, client):
    """Our own look-ups, token call included, and those of a place that is not ThingSpace."""
    outcome = start(client)
    assert (outcome.stdout, outcome.stderr) == ("200 200\n", "")
