"""Whose tokens: of a profile, from the environment, from the system's keyring, or asked for without echo.

The key and its secret come from one source, and so do the user and the password. A secret never comes from
an argument, which ``ps`` shows, and what was kept for one ThingSpace is not sent to another. ``thingspace
login`` keeps credentials once ThingSpace has accepted them.
"""

from __future__ import annotations

import os
import sys
from argparse import Namespace
from contextlib import suppress
from getpass import getpass
from io import StringIO
from pathlib import Path
from typing import Any, Optional

import requests

from requests_thingspace import PRODUCTION, Environment, ThingspaceAuth, ThingspaceError

from ._words import UsageError, complain, explained, told

Sources = tuple[Optional[str], dict[str, str], dict[str, Any]]
"""The profile's name, where each credential comes from, and arguments for ThingspaceAuth."""
PAIRS = (("client_id", "client_secret"), ("username", "password"))
NOT_KEPT = 'no token is kept between calls: that takes a HOME and pip install "requests-thingspace[file]"'

_OWNERS = {secret: owner for owner, secret in PAIRS}
_PROMPTS = {
    "client_id": "Client ID (key): ",
    "client_secret": "Client secret of {}: ",
    "username": "UWS user of the M2M login: ",
    "password": "UWS password of {}: ",
}
_FIELDS = {
    "client_id": "Client ID (key): ",
    "client_secret": "Client secret: ",
    "username": "UWS user of the M2M login (Enter if you have none): ",
    "password": "UWS password: ",
}
_SERVICE = "requests-thingspace"  # of the keyring's entries


def auth_of_user(profile: str | None, *, login: bool | None = False, cached: bool = True) -> ThingspaceAuth:
    """An auth for whoever calls the command; `login`: with the M2M login, ``None``: if there is a user."""
    _, of, arguments = sources_of_user(profile, pairs=PAIRS[:1] if login is False else PAIRS)
    with_login = "username" in of if login is None else login
    needed = (*PAIRS[0], *PAIRS[1]) if with_login else PAIRS[0]
    for name in needed:
        if name not in arguments and profile is None:
            arguments[name] = _found_elsewhere(name, arguments)
    if missing := [name for name in needed if not arguments.get(name)]:
        raise UsageError(_missing(missing, arguments, profile))
    if not with_login:
        arguments |= {"username": None, "password": None}
    return auth_with(arguments, profile, shared_cache() if cached else None)


def auth_with(arguments: dict[str, Any], profile: str | None, cache: Any = None) -> ThingspaceAuth:
    """An auth with `arguments`, and with what the variables say unless ``--profile`` names a `profile`."""
    try:
        if profile is not None:
            return ThingspaceAuth(**arguments, cache=cache)
        # what from_env reads itself, its messages call by the variable
        its_own = {n for pair in PAIRS if all(map(_variable, pair)) and arguments.get(pair[0]) for n in pair}
        given = {name: arguments[name] for name in arguments if name not in its_own}
        return ThingspaceAuth.from_env(**given, cache=cache)
    except ValueError as wrong:
        raise UsageError(wrong) from None


def shared_cache() -> Any:
    """The file cache that this user's processes share; ``None`` without the extra or a home."""
    from requests_thingspace import FileTokenCache

    with suppress(ImportError, RuntimeError):
        return FileTokenCache()
    return None


def sources_of_user(profile: str | None, *, secrets: bool = True, pairs: Any = PAIRS) -> Sources:
    """What is set, and where; a keyring is opened for `secrets` only, a profile if variables lack `pairs`."""
    of = {} if profile else {name: v for pair in pairs for name in pair if (v := _variable(name))}
    arguments = {name: _said_by(of[name], is_secret=name in _OWNERS) for name in of}
    unset = [pair for pair in pairs if of.keys().isdisjoint(pair)]
    if not unset:
        return None, of, arguments
    from .. import _profiles

    name = profile or os.environ.get("THINGSPACE_PROFILE")
    name = name or ("default" if "default" in _profiles.names() else None)
    if name is None:
        return None, of, arguments
    try:
        kept = ({} if secrets else _profiles.without_secrets(name)) or _profiles.load(name)
    except (ValueError, OSError, ImportError) as wrong:
        raise UsageError(wrong) from None
    taken = [pair for pair in unset if pair[0] in kept]
    if not taken or (profile is None and not _is_for_here(name, kept, gives_key=PAIRS[0] in taken)):
        return None, of, arguments
    of |= {one: f"profile {name}" for pair in taken for one in pair}
    arguments |= {one: kept[one] for pair in taken for one in pair if one in kept}
    if "base_url" in kept:
        try:
            arguments["environment"] = Environment.at(kept["base_url"])
        except ValueError as wrong:
            raise UsageError(f"profile {name!r}: {wrong}") from None
    return name, of, arguments


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
            return getpass(prompt) or None
        sys.stderr.write(prompt)  # stdout is for the token
        return input().strip() or None
    except (EOFError, KeyboardInterrupt) as end:
        sys.stderr.write("\n")  # neither Ctrl-D nor Ctrl-C ends the line
        if isinstance(end, EOFError):
            return None
        raise


def _missing(names: list[str], arguments: dict[str, Any], profile: str | None) -> str:
    if profile is not None:
        lacks = "no M2M login" if "username" in names else "an incomplete key pair or login"
        return f"profile {profile!r} has {lacks}: keep it again with thingspace login --profile {profile}"
    *most, last = (f"THINGSPACE_{name.upper()}" for name in names)
    listed, them = (f"{', '.join(most)} and {last} are", "them") if most else (f"{last} is", "it")
    owner = None if most else arguments.get(_OWNERS.get(names[0], ""))
    keep = f" (or keyring set {_SERVICE} {owner})" if owner else ""
    return f"{listed} not set: set {them}, or keep your credentials with: thingspace login{keep}"


def login(options: Namespace) -> int:
    from .. import _profiles

    name = options.profile or os.environ.get("THINGSPACE_PROFILE") or "default"
    try:
        _profiles.require_extra()
        if options.forget:
            if not _profiles.forget(name):
                existing = ", ".join(_profiles.names()) or "none"
                raise UsageError(f"there is no profile {name!r} to forget; those that exist: {existing}")
            said = "is forgotten; tokens that are stored live on until they expire."
            sys.stdout.write(f"Profile {name!r} {said}\n")
            return 0
        given, base_url = _given(), os.environ.get("THINGSPACE_BASE_URL", "")
        environment = Environment.at(base_url) if base_url else PRODUCTION
        auth = ThingspaceAuth(**given, environment=environment)  # type: ignore[arg-type]  # all are texts
        if not _accepted(auth, untested=options.untested):
            return 1
        place = _profiles.save(name, {**given, "base_url": base_url})
    except (ImportError, OSError, ValueError) as wrong:
        raise UsageError(wrong) from None
    option = "" if name == "default" else f" --profile {name}"
    sys.stdout.write(f"Profile {name!r} is kept in {place}. Next: thingspace status{option}\n")
    return 0


def _given() -> dict[str, str]:
    """Ask the person at the terminal, or read four lines of stdin."""
    stdin, given = sys.stdin or StringIO(), dict[str, str]()
    on_terminal = stdin.isatty()
    for name, prompt in _FIELDS.items():
        answer = (asked(prompt, secret=name in _OWNERS) or "") if on_terminal else stdin.readline()
        answer = answer.rstrip("\r\n") if name == "password" else answer.strip()
        if answer:
            given[name] = answer
        elif name == "username" or on_terminal:
            break  # no password is needed, or nothing would be kept, whatever else is said
    needed = ["client_id", "client_secret", *(["password"] if "username" in given else [])]
    if missing := [name for name in needed if name not in given]:
        words = " and ".join(_FIELDS[name].partition(" (")[0].rstrip(": ") for name in missing)
        lines = "" if on_terminal else " (four lines of stdin: key, secret, UWS user, password)"
        raise UsageError(f"nothing is kept, since this is missing: {words}{lines}")
    return given


def _accepted(auth: ThingspaceAuth, *, untested: bool) -> bool:
    """Try the credentials once; true if they should be kept, which refused ones never are."""
    try:
        auth.get_token()
        complain(f"{auth.environment.origins[0]} accepts the key and the secret")
        if auth.username is not None:
            once = "trying the M2M login once; a failed one counts"
            complain(f"{once}, and ThingSpace locks an account after five")
            auth.get_session_token()
    except requests.RequestException as failure:
        is_wrong = isinstance(failure, ThingspaceError) and not failure.retryable
        keep = untested and not is_wrong
        hint = "" if keep or is_wrong else " To keep them all the same: thingspace login --untested"
        complain(f"{'kept untested' if keep else 'nothing is kept'}: {told(failure)}{hint}")
        return keep
    try:
        auth.logout()
    except requests.RequestException as failure:
        complain(f"the login is accepted; its session ends by itself, since {explained(failure)[0]}")
    return True
