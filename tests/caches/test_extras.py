"""A cache whose extra is not installed says how to install it, and costs nothing until it is made."""

import os

import pytest

import requests_thingspace

from ..users import python

WITHOUT = """
import sys
sys.modules[{package!r}] = None  # as if it were not installed
import requests_thingspace
try:
    requests_thingspace.{cache}
except ImportError as error:
    print(error)
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("package", "cache", "extra"),
    [
        ("platformdirs", "FileTokenCache('tokens.json')", "file"),
        ("filelock", "FileTokenCache()", "file"),
        ("keyring", "KeyringTokenCache()", "keyring"),
        ("platformdirs", "KeyringTokenCache()", "keyring"),
        ("redis", "RedisTokenCache('redis://127.0.0.1')", "redis"),
    ],
)
def test_a_missing_package(package, cache, extra):
    """The error names the package and the extra that brings it."""
    script = WITHOUT.format(package=package, cache=cache)
    words = python("-c", script, env=dict(os.environ)).stdout
    assert words == f"{package} is needed for this cache: pip install 'requests-thingspace[{extra}]'\n"


@pytest.mark.slow
def test_nothing_is_imported_before_it_is_needed():
    """Neither the front door nor the caches import a package of an extra."""
    extras = {"filelock", "platformdirs", "keyring", "redis"}
    script = f"import sys, requests_thingspace.caches; print({extras} & sys.modules.keys())"
    assert python("-c", script, env=dict(os.environ)).stdout == "set()\n"


def test_what_does_not_exist_is_no_attribute():
    """A mistyped name is reported as Python reports it, though caches are imported late."""
    with pytest.raises(AttributeError, match=r"module .* has no attribute 'FileTokenCach'"):
        _ = requests_thingspace.FileTokenCach
