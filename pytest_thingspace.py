"""pytest fixtures: a local ThingSpace for your own tests.

A test run that does not ask for it pays nothing. pytest imports its plugins at every start, and before
coverage begins; so this module stands beside the package, whose import would bring requests along, and
imports the sandbox when the first test asks for a fixture.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from requests_thingspace.sandbox import Sandbox


@pytest.fixture(scope="session")
def _running_thingspace() -> Iterator[Sandbox]:
    """One server for all tests of a run."""
    try:
        from requests_thingspace.sandbox import Sandbox
    except ImportError as missing:
        pytest.fail(str(missing), pytrace=False)  # it says what to install
    with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def thingspace(_running_thingspace: Sandbox) -> Iterator[Sandbox]:
    """A ThingSpace on loopback (``requests_thingspace.sandbox.Sandbox``), in a clean state for each test.

    ``thingspace.session()`` is a Session that is logged in to it; ``advance()`` moves its clock,
    ``fail_next()``, ``revoke_tokens()`` and others are its faults, ``calls`` counts.
    """
    _running_thingspace.reset()
    yield _running_thingspace
    _running_thingspace.reset()


@pytest.fixture
def thingspace_env(thingspace: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    """The fixture ``thingspace``, with the environment set so that ``ThingspaceAuth.from_env()`` finds it.

    It sets ``THINGSPACE_*`` and ``REQUESTS_CA_BUNDLE`` for this test and the processes that it starts, and
    clears every other ``THINGSPACE_*`` variable and the machine's proxies.
    """
    for name in list(os.environ):
        if name.startswith("THINGSPACE_") or name.lower() in ("https_proxy", "all_proxy"):
            monkeypatch.delenv(name)
    values = {
        "THINGSPACE_BASE_URL": thingspace.origin,
        "THINGSPACE_CLIENT_ID": thingspace.client_id,
        "THINGSPACE_CLIENT_SECRET": thingspace.client_secret,
        "THINGSPACE_USERNAME": thingspace.username,
        "THINGSPACE_PASSWORD": thingspace.password,
        "REQUESTS_CA_BUNDLE": thingspace.ca_file,
    }
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    return thingspace
