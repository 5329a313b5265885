"""``thingspace run`` names an HTTP library whose calls it does not carry."""

import pytest


@pytest.mark.parametrize(
    "client", ["urllib", "urllib3", "httpx", "async_httpx", "aiohttp", "requests", "socket"]
)
def test_another_library_is_named_once(run, sandbox, client):
    """Both of its calls are refused, and one line says why; requests and other hosts are not named."""
    by_name = sandbox.origin.replace("127.0.0.1", "localhost")  # it is looked up
    # without PYTHONWARNINGS, for what other libraries do with it
    variables = {"THINGSPACE_BASE_URL": by_name, "PYTHONWARNINGS": None}
    outcome = run("other_client.py", client, **variables)
    name = client.replace("async_", "")
    line = (
        f"thingspace: {name} is calling localhost: run authenticates requests only, so {name} gets no token\n"
    )
    expected = (["200"] * 2, "") if client in ("requests", "socket") else (["401"] * 2, line)
    assert (outcome.out.split(), outcome.err) == expected
