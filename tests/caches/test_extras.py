"""A cache whose extra is not installed says how to install it, and costs nothing until it is made."""

import os
import sys

import pytest

import requests_thingspace
from requests_thingspace import FileTokenCache, KeyringTokenCache, RedisTokenCache

from ..users import python


@pytest.mark.parametrize(
    ("package", "kind", "arguments", "extra"),
    [
        ("platformdirs", FileTokenCache, ("tokens.json",), "file"),
        ("filelock", FileTokenCache, (), "file"),
        ("keyring", KeyringTokenCache, (), "keyring"),
        ("platformdirs", KeyringTokenCache, (), "keyring"),
        ("redis", RedisTokenCache, ("redis://127.0.0.1",), "redis"),
    ],
)
def test_a_missing_package(monkeypatch, package, kind, arguments, extra):
    """The error names the package and the extra that brings it."""
    monkeypatch.setitem(sys.modules, package, None)  # as if it were not installed
    with pytest.raises(ImportError) as caught:
        kind(*arguments)
    hint = f"pip install 'requests-thingspace[{extra}]'"
    assert (str(caught.value), caught.value.name) == (f"{package} is needed for this cache: {hint}", package)


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
