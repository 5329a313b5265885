"""Whose tokens: of a profile, from the environment, from the system's keyring, or asked for without echo.

The key and its secret come from one source, and so do the user and the password. A secret never comes from
an argument, which every user of the machine can read with ``ps``; nothing is asked if nobody can answer; and
what was kept for one ThingSpace is not sent to another.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from requests_thingspace import PRODUCTION, Environment, ThingspaceAuth

from ._output import UsageError, complain

PAIRS = (("client_id", "client_secret"), ("username", "password"))
"""Both halves of a pair come from one source."""

NOT_KEPT = 'no token is kept between calls: pip install "requests-thingspace[file]"'

_OWNERS = {secret: owner for owner, secret in PAIRS}
_PROMPTS = {
    "client_id": "Client ID (key): ",
    "client_secret": "Client secret of {}: ",
    "username": "UWS user of the M2M login: ",
    "password": "UWS password of {}: ",
}
_SERVICE = "requests-thingspace"  # of the keyring's entries


class Sources(NamedTuple):
    """Where the credentials come from: variables, and a profile."""

    profile: str | None  # its name
    of: dict[str, str]  # where each comes from, in words
    arguments: dict[str, Any]  # for ThingspaceAuth


def auth_of_user(
    *, login: bool | None = False, cache: Callable[[], Any] = lambda: None, profile: str | None = None
) -> ThingspaceAuth:
    """An auth for whoever calls the command.

    Args:
        login: whether the M2M login is needed; ``None``: used if there is a user.
        cache: makes the token cache, once nothing is missing.
        profile: the name that ``--profile`` gave.
    """
    _, of, arguments = sources_of_user(profile, pairs=PAIRS[:1] if login is False else PAIRS)
    with_login = "username" in of if login is None else login
    needed = (*PAIRS[0], *PAIRS[1]) if with_login else PAIRS[0]
    for name in needed:
        if name not in arguments and profile is None:
            arguments[name] = _found_elsewhere(name, arguments)
    missing = [name for name in needed if not arguments.get(name)]
    if missing:
        raise UsageError(_missing(missing, arguments, profile))
    if not with_login:
        arguments |= {"username": None, "password": None}
    return auth_with(arguments, profile, cache())


def auth_with(arguments: dict[str, Any], profile: str | None, cache: Any = None) -> ThingspaceAuth:
    """An auth with `arguments`, and with what the variables say unless ``--profile`` names a `profile`."""
    try:
        if profile is not None:
            return ThingspaceAuth(**arguments, cache=cache)
        # without a place from_env would ask THINGSPACE_PROFILE for one
        place = {} if os.environ.get("THINGSPACE_BASE_URL") else {"environment": PRODUCTION}
        # what it reads itself, its messages call by the variable
        its_own = {n for pair in PAIRS if all(map(_variable, pair)) and arguments.get(pair[0]) for n in pair}
        given = {name: arguments[name] for name in arguments if name not in its_own}
        return ThingspaceAuth.from_env(**{**place, **given}, cache=cache)
    except ValueError as wrong:
        raise UsageError(wrong) from None


def shared_cache(*, or_notice: bool = False) -> Any:
    """The file cache that this user's processes share; ``None`` without the extra, and stderr may say so."""
    from requests_thingspace import FileTokenCache

    try:
        return FileTokenCache()
    except ImportError:
        if or_notice:
            complain(NOT_KEPT)
        return None


def sources_of_user(
    profile: str | None, *, secrets: bool = True, pairs: Sequence[tuple[str, str]] = PAIRS
) -> Sources:
    """What is set, and where: the `profile` of ``--profile`` alone, or else variables, then a profile.

    A keyring may have to be unlocked for `secrets`; no profile is read if variables give all `pairs`.
    """
    of = {} if profile else {name: v for pair in pairs for name in pair if (v := _variable(name))}
    given = Sources(None, of, {name: _said_by(of[name], is_secret=name in _OWNERS) for name in of})
    unset = [pair for pair in pairs if not any(name in of for name in pair)]
    if not unset:
        return given
    from .. import _profiles

    name = profile or os.environ.get("THINGSPACE_PROFILE")
    name = name or ("default" if "default" in _profiles.names() else None)
    if name is None:
        return given
    try:
        kept = ({} if secrets else _profiles.without_secrets(name)) or _profiles.load(name)
    except (ValueError, OSError, ImportError) as wrong:
        raise UsageError(wrong) from None
    taken = [pair for pair in unset if pair[0] in kept]
    if not taken or (profile is None and not _is_for_here(name, kept, gives_key="client_id" not in of)):
        return given
    of |= {one: f"profile {name}" for pair in taken for one in pair}
    given.arguments.update({one: kept[one] for pair in taken for one in pair if one in kept})
    if "base_url" in kept:
        given.arguments["environment"] = Environment.at(kept["base_url"])
    return given._replace(profile=name)


def _is_for_here(name: str, kept: dict[str, str], *, gives_key: bool) -> bool:
    """Whether a profile is for the ThingSpace that the variables are for."""
    production, wanted = PRODUCTION.origins[0], os.environ.get("THINGSPACE_BASE_URL")
    its_own = kept.get("base_url") or production
    is_same = (wanted or production).rstrip("/") == its_own.rstrip("/")
    if gives_key and wanted and not is_same:
        raise UsageError(
            f"THINGSPACE_BASE_URL is {wanted}, but profile {name!r} is for {its_own}: unset "
            f"THINGSPACE_BASE_URL, set the other THINGSPACE_* variables too, or choose a --profile"
        )
    return is_same or gives_key


def _variable(name: str) -> str | None:
    """The variable that gives a credential; an empty one counts as one that is not set."""
    variable = f"THINGSPACE_{name.upper()}"
    return next((v for v in (variable, f"{variable}_FILE") if os.environ.get(v)), None)


def _said_by(variable: str, *, is_secret: bool) -> Any:
    """What a variable says, or the file that it names; the file of a secret is read when it is needed."""
    value = os.environ[variable]
    if not variable.endswith("_FILE"):
        return value
    try:
        return Path(value) if is_secret else Path(value).read_text(encoding="utf-8").strip()
    except (OSError, ValueError) as wrong:
        raise UsageError(f"{variable} cannot be used: {wrong}") from None


def secret_now(secret: Any) -> str:
    """The secret as it is now: a text, the content of a file, or what a function gives; empty without it."""
    with suppress(Exception):  # whatever a function raises
        if isinstance(secret, os.PathLike):
            return Path(secret).read_text(encoding="utf-8").strip()
        return str(secret() if callable(secret) else secret)
    return ""


def _found_elsewhere(name: str, arguments: dict[str, Any]) -> str | None:
    """What the keyring holds for the owner of a secret, or the person at the terminal says."""
    if name not in _OWNERS:
        return asked(_PROMPTS[name])
    owner = arguments[_OWNERS[name]]
    if not owner:
        return None
    with suppress(Exception):  # an ImportError, and whatever a backend raises
        import keyring

        if kept := keyring.get_password(_SERVICE, owner):
            return kept
    return asked(_PROMPTS[name].format(owner), secret=True)


def asked(prompt: str, *, secret: bool = False) -> str | None:
    """The answer of the person at the terminal; ``None`` if there is no terminal, or no answer."""
    if sys.stdin is None or not sys.stdin.isatty():
        return None
    try:
        if secret:
            from getpass import getpass

            return getpass(prompt) or None
        sys.stderr.write(prompt)  # stdout is for the token
        sys.stderr.flush()
        if line := sys.stdin.readline():
            return line.strip() or None
    except EOFError:
        pass
    except KeyboardInterrupt:
        sys.stderr.write("\n")
        raise
    sys.stderr.write("\n")  # Ctrl-D ends no line, and neither does Ctrl-C
    return None


def _missing(names: list[str], arguments: dict[str, Any], profile: str | None) -> str:
    if profile is not None:
        lacks = "no M2M login" if "username" in names else "an incomplete key pair or login"
        return f"profile {profile!r} has {lacks}: keep it again with thingspace login --profile {profile}"
    *most, last = (f"THINGSPACE_{name.upper()}" for name in names)
    listed, them = (f"{', '.join(most)} and {last} are", "them") if most else (f"{last} is", "it")
    owner = None if most else arguments.get(_OWNERS.get(names[0], ""))
    keep = f" (or keyring set {_SERVICE} {owner})" if owner else ""
    return f"{listed} not set: set {them}, or keep your credentials with: thingspace login{keep}"
