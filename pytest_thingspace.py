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

    Processes that a test starts find it too, and trust it: requests by ``REQUESTS_CA_BUNDLE``, other clients
    by ``CURL_CA_BUNDLE`` and ``SSL_CERT_FILE``. Other ``THINGSPACE_*`` and the machine's proxies are cleared.
    """
    for name in list(os.environ):
        if name.startswith("THINGSPACE_") or name.lower() in ("https_proxy", "all_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("THINGSPACE_BASE_URL", thingspace.origin)
    for name in ("client_id", "client_secret", "username", "password"):
        monkeypatch.setenv(f"THINGSPACE_{name.upper()}", getattr(thingspace, name))
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
        monkeypatch.setenv(name, thingspace.ca_file)
    return thingspace
