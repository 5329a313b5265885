"""Whose tokens: from the environment, from the keyring of the system, or asked for without echo.

The law here: a secret never comes from an argument, which every user of the machine can read with ``ps``,
and nothing is asked where nobody can answer.
"""

from __future__ import annotations

import getpass
import os
import sys
from collections.abc import Callable
from typing import Any

from requests_thingspace import ThingspaceAuth

from ._output import UsageError

SERVICE = "requests-thingspace"
"""The service of the keyring's entries: ``keyring set requests-thingspace ID``."""


def auth_of_user(*, login: bool | None = False, cache: Callable[[], Any] = lambda: None) -> ThingspaceAuth:
    """An auth for whoever calls the command.

    Args:
        login: whether the M2M login is needed; ``None``: used if ``THINGSPACE_USERNAME`` is set.
        cache: makes the token cache, once nothing is missing.

    Raises:
        UsageError: a credential is missing or cannot be used; the message says which.
    """
    client_id = _found("CLIENT_ID") or _asked("Client ID: ") or _missing("client ID", "CLIENT_ID")
    secret = _secret("client secret", "CLIENT_SECRET", client_id)
    username = None if login is False else _found("USERNAME")
    if login and username is None:
        username = _asked("Username of the M2M login: ") or _missing("M2M username", "USERNAME")
    password = None if username is None else _secret("M2M password", "PASSWORD", username)
    try:
        return ThingspaceAuth.from_env(
            client_id=client_id, client_secret=secret, username=username, password=password, cache=cache()
        )
    except ValueError as wrong:
        raise UsageError(wrong) from None


def _found(name: str) -> str | None:
    """A variable of the environment; an empty one counts as one that is not set."""
    return os.environ.get(f"THINGSPACE_{name}") or None


def _secret(what: str, name: str, owner: str) -> str:
    """A secret of `owner`, from wherever it is kept."""
    return (
        _found(name)
        or _kept(owner)
        or _asked(f"{what[0].upper()}{what[1:]} of {owner}: ", secret=True)
        or _missing(what, name, owner)
    )


def _kept(owner: str) -> str | None:
    """What the keyring holds for `owner`; nothing where there is none, or it does not open."""
    try:
        import keyring

        return keyring.get_password(SERVICE, owner)
    except Exception:  # noqa: BLE001 - an ImportError, and whatever a backend raises
        return None


def _asked(prompt: str, *, secret: bool = False) -> str | None:
    """The answer of the person at the terminal; nothing where there is no terminal."""
    if sys.stdin is None or not sys.stdin.isatty():
        return None
    try:
        if secret:
            return getpass.getpass(prompt)
        sys.stderr.write(prompt)  # stdout is for the token
        sys.stderr.flush()
        return sys.stdin.readline().strip()
    except EOFError:
        return None


def _missing(what: str, name: str, owner: str | None = None) -> str:
    """Say what is missing.

    Raises:
        UsageError: always.
    """
    keep = f", or keep it with: keyring set {SERVICE} {owner}" if owner else ""
    raise UsageError(f"no {what}: set THINGSPACE_{name}{keep}")
