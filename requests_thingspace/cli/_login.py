"""``thingspace login``: keep credentials, once ThingSpace has accepted them."""

from __future__ import annotations

import os
import sys
from argparse import Namespace

import requests

from requests_thingspace import PRODUCTION, Environment, ThingspaceAuth, ThingspaceError

from .. import _profiles
from ._credentials import asked
from ._failures import explained, is_refusal, told
from ._output import UsageError, complain

_FIELDS = {
    "client_id": "Client ID (key): ",
    "client_secret": "Client secret: ",
    "username": "UWS user of the M2M login (Enter if you have none): ",
    "password": "UWS password: ",
}


def login(options: Namespace) -> int:
    """Ask for credentials, try them once, and keep them."""
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
    on_terminal = sys.stdin is not None and sys.stdin.isatty()
    given: dict[str, str] = {}
    for name, prompt in _FIELDS.items():
        if on_terminal:
            answer = asked(prompt, secret=name in ("client_secret", "password")) or ""
        else:
            answer = "" if sys.stdin is None else sys.stdin.readline().rstrip("\r\n")
        answer = answer if name == "password" else answer.strip()
        if answer:
            given[name] = answer
        elif name == "username" or on_terminal:
            break  # no password is needed, or nothing would be kept, whatever else is said
    needed = ["client_id", "client_secret", *(["password"] if "username" in given else [])]
    missing = [name for name in needed if name not in given]
    if missing:
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
            complain(
                "trying the M2M login once; a failed one counts, and ThingSpace locks an account after five"
            )
            auth.get_session_token()
    except requests.RequestException as failure:
        is_wrong = is_refusal(failure) or (isinstance(failure, ThingspaceError) and not failure.retryable)
        keep = untested and not is_wrong
        hint = "" if keep or is_wrong else " To keep them all the same: thingspace login --untested"
        complain(f"{'kept untested' if keep else 'nothing is kept'}: {told(failure)}{hint}")
        return keep
    try:
        auth.logout()
    except requests.RequestException as failure:
        complain(f"the login is accepted; its session ends by itself, since {explained(failure)[0]}")
    return True
