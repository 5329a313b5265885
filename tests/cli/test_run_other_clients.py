"""``thingspace run`` names an HTTP library whose calls it does not carry."""

from __future__ import annotations

import pytest

from .conftest import SCRIPTS


@pytest.mark.parametrize(
    ("client", "name"),
    [
        ("urllib", "urllib"),
        ("urllib3", "urllib3"),
        ("httpx", "httpx"),
        ("async_httpx", "httpx"),
        ("aiohttp", "aiohttp"),
        ("requests", None),
        ("socket", None),
    ],
)
def test_another_library_is_named_once(thingspace, sandbox, client, name):
    """Both of its calls are refused, and one line says why; requests and other hosts are not named."""
    by_name = sandbox.origin.replace("127.0.0.1", "localhost")  # it is looked up
    # without PYTHONWARNINGS, for what other libraries do with it
    variables = {"THINGSPACE_BASE_URL": by_name, "PYTHONWARNINGS": None}
    outcome = thingspace("run", SCRIPTS / "other_client.py", client, **variables)
    assert outcome.stdout == ("401 401\n" if name else "200 200\n"), outcome.stderr
    line = (
        f"thingspace: {name} is calling localhost: run authenticates requests only, so {name} gets no token\n"
    )
    assert outcome.stderr == (line if name else "")
