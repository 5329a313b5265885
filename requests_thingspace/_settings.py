"""What the user configured: arguments, ``THINGSPACE_*`` variables, files, and functions that give secrets.

Bad input is refused at once, with a message that names it, says what to give, and shows no secret.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import requests

from ._environment import Environment
from ._errors import ThingspaceError
from ._events import Events
from ._validity import Clock
from ._values import Secret, Value

_PAIRS = (("client_id", "client_secret"), ("username", "password"))
_SECRETS = ("client_secret", "password")
_MOST_SECONDS = 1e9  # 31 years; a socket's timeout can be nine times as long
NO_CLIENT = dict.fromkeys(_PAIRS[0])  # the constructor says which of the two it was not given


class Source(Value):
    """Where a secret comes from: a text, a file, or a function. The last two are read each time."""

    __match_args__ = ("_called", "_given")
    __slots__ = __match_args__

    def __init__(self, called: str, given: Secret[Any]) -> None:
        """Remember what was given, and what messages call it; ``None``: a password that is not set yet."""
        self._called, self._given = called, given
        if not (callable(self.given) or isinstance(self.given, os.PathLike) or self.given is None):
            require_text(called, given)

    @property
    def given(self) -> Any:
        return self._given.reveal()

    def ask(self) -> Secret[str]:
        """The current secret. White space around a file's content is stripped."""
        if isinstance(self.given, str):
            return self._given
        if self.given is None:
            raise ValueError(f"auth.username was set without a {self._called}: set auth.password too.")
        try:
            found = Secret(self.given() if callable(self.given) else _content(self.given))
        except requests.RequestException:
            raise
        except Exception as error:  # a function may raise anything
            said = str(error) if isinstance(error, OSError) else type(error).__name__
            raise ThingspaceError(f"{self._called} is not available: {said}", retryable=True) from error
        require_text(self._called, found, ThingspaceError)
        return found


class Settings(NamedTuple):
    """The arguments of :class:`ThingspaceAuth`."""

    client_id: str
    client_secret: Source
    scopes: tuple[str, ...]
    username: str | None
    password: Source | None
    clock_skew: float
    token_provider: Any
    on_token_update: Callable[[Any], object] | None
    on_event: Callable[[Any], object] | None
    cache: Any
    environment: Environment
    timeout: float
    session: requests.Session | None
    clock: Clock

    @property
    def events(self) -> Events:
        """Who is told what happens."""
        return Events(self.on_event, self.clock.wall)

    def checked(self) -> Settings:
        """These settings, if they are valid."""
        require_text("client_id", Secret(self.client_id), is_client_id=True)
        if self.client_secret is None:
            raise ValueError("client_secret must be a non-empty string, a path or a function.")
        if (self.username is None) != (self.password is None):
            raise ValueError("username and password go together: give both or neither.")
        if self.username is not None:
            require_text("username", Secret(self.username))
        for scope in self.scopes:
            require_text("each of scopes", Secret(scope))
        require_seconds("clock_skew", self.clock_skew)
        require_seconds("timeout", self.timeout, least=0.001)
        self._check_kinds()
        if self.cache is not None and self.token_provider is not None:
            raise ValueError("cache and token_provider exclude each other: a cache is a provider.")
        return self

    def _check_kinds(self) -> None:
        """Check types here, where the mistake is, and not where they are first used."""
        kinds: dict[str, tuple[Any, str]] = {
            "environment": (Environment, "PRODUCTION, STAGING or Environment.at(origin)"),
            "clock": (Clock, "Clock(wall, monotonic)"),
            "session": ((requests.Session, type(None)), "a requests.Session"),
            **dict.fromkeys(("token_provider", "on_token_update", "on_event"), (None, "callable")),
            "cache": (None, "a token cache such as FileTokenCache()"),
        }
        for name, (kind, example) in kinds.items():
            value = getattr(self, name)
            fits = value is None or callable(value) if kind is None else isinstance(value, kind)
            if not fits or (name == "cache" and isinstance(value, type)):
                raise TypeError(f"{name} must be {example}, not {_a(value)}.")


def scopes_of(given: Any) -> tuple[Any, ...]:
    """Scopes from a space-delimited string (RFC 6749 section 3.3) or a collection of strings."""
    if not isinstance(given, Iterable):
        raise TypeError(f"scopes must be a string or a collection of strings, not {_a(given)}.")
    return tuple(given.split() if isinstance(given, str) else given)


def source_of(called: str, given: Secret[Any]) -> Any:
    """Where a secret comes from, ``None`` if nothing was given."""
    is_source = given.reveal() is None or isinstance(given.reveal(), Source)
    return given.reveal() if is_source else Source(called, given)


def arguments_from(
    environ: Mapping[str, str], overrides: Mapping[str, Any], profile_of: Callable[[str], dict[str, Any]]
) -> dict[str, Any]:
    """The arguments of `overrides`, the variables, and the profile they name.

    What comes first wins; the two of a pair come from one source. An empty variable counts as not set.
    """
    given = {n: overrides[n] for n in overrides if overrides[n] is not None or n in _PAIRS[1]}
    if len(given.keys() & _PAIRS[0]) == 1:
        raise ValueError("client_id and client_secret go together: give both as arguments, or neither.")
    found = _from_variables(environ)
    found = {name: found[name] for name in found if name not in _pairs_in(given)}
    arguments, profile = {**found, **given}, environ.get("THINGSPACE_PROFILE")
    if profile and not arguments.keys() >= {*_PAIRS[0], *_PAIRS[1]}:  # else it would be loaded for nothing
        arguments = layered(arguments, profile_of(profile))
    missing = [f"THINGSPACE_{name.upper()}" for name in _PAIRS[0] if name not in arguments]
    if missing:
        hint = "after thingspace login, use from_profile() instead"
        raise ValueError(f"{' and '.join(missing)} must be set in the environment; {hint}.")
    if ("username" in found) != ("password" in found):
        raise ValueError("THINGSPACE_USERNAME and THINGSPACE_PASSWORD go together: set both or neither.")
    return arguments


def layered(over: Mapping[str, Any], under: Mapping[str, Any]) -> dict[str, Any]:
    """`under`, overridden by `over`; the two of a pair come from one of them.

    Another client id may belong to another environment.
    """
    taken = _pairs_in(over)
    taken |= {"environment"} if _PAIRS[0][0] in taken else set()
    return {**{name: under[name] for name in under if name not in taken}, **over}


def _pairs_in(arguments: Mapping[str, Any]) -> set[str]:
    """The names of the pairs of which at least one half is in `arguments`."""
    return {name for pair in _PAIRS if any(one in arguments for one in pair) for name in pair}


def _from_variables(environ: Mapping[str, str]) -> dict[str, Any]:
    """The arguments that the variables give; errors name the variable."""
    readers: dict[str, Any] = {"clock_skew": float, "environment": Environment.at}
    found: dict[str, Any] = {}
    for name in (*_PAIRS[0], *_PAIRS[1], *readers):
        variable = "THINGSPACE_BASE_URL" if name == "environment" else f"THINGSPACE_{name.upper()}"
        value, path = environ.get(variable), None if name in readers else environ.get(f"{variable}_FILE")
        if value and path:
            raise ValueError(f"{variable} and {variable}_FILE are both set: keep one of them.")
        try:
            if value:
                found[name] = readers.get(name, str)(value)
            elif path:  # a secret is read again whenever it is needed
                found[name] = Source(variable, Secret(Path(path))) if name in _SECRETS else _content(path)
        except (OSError, ValueError) as error:
            what = "is not a number of seconds" if name == "clock_skew" else "cannot be used"
            raise ValueError(f"{variable}{'_FILE' if path else ''} {what}: {error}") from None
        if name == "clock_skew" and value:
            require_seconds(variable, found[name])
        elif isinstance(found.get(name), str):
            require_text(variable, Secret(found[name]), is_client_id=name == "client_id")
    return found


def arguments_of(source: Secret[Any]) -> dict[str, Any]:
    """The arguments that a mapping or Verizon's credentials give, in the SDKs' spellings or ours."""
    is_mapping = isinstance(source.reveal(), Mapping)
    names = list(source.reveal()) if is_mapping else [n for n in dir(source.reveal()) if _our_name(n)]
    if not names and not is_mapping:
        raise TypeError(
            f"{_a(source.reveal())} holds no credentials: give ThingspaceOauthCredentials or a mapping."
        )
    unknown = [str(name) for name in names if _our_name(name) is None]
    if unknown:
        raise ValueError(f"unknown credentials: {', '.join(unknown)}.")
    read = source.reveal().get if is_mapping else lambda name: getattr(source.reveal(), name)
    return {str(_our_name(name)): _in_snake_case(read(name)) for name in names if read(name) is not None}


def _our_name(name: object) -> str | None:
    """What an SDK's name is called here, ``None`` if it means nothing here."""
    ours = re.sub("^oauth_", "", _snake_case(name))
    return ours if ours in Settings._fields or ours in ("token", "session_token") else None


def _snake_case(name: object) -> str:
    """``oauthClientId`` as ``oauth_client_id``."""
    return re.sub("(?<=[a-z])([A-Z])", r"_\1", str(name)).lower()


def _in_snake_case(value: Any) -> Any:
    """A token with its camelCase keys in snake case; any other value unchanged."""
    return {_snake_case(key): value[key] for key in value} if isinstance(value, Mapping) else value


def require_text(
    name: str, text: Secret[Any], error: type[Exception] = ValueError, *, is_client_id: bool = False
) -> None:
    """Refuse what is not a text, empty, or not valid Unicode; the message never shows it."""
    if not isinstance(text.reveal(), str) or not text.reveal():
        raise error(f"{name} must be a non-empty string.")
    if any("\ud800" <= character <= "\udfff" for character in text.reveal()):
        raise error(f"{name} contains surrogates, or bytes that are not UTF-8.")
    if is_client_id and ":" in text.reveal():
        raise error(f"{name} contains a colon, which HTTP Basic cannot carry (RFC 7617).")


def require_seconds(name: str, value: object, *, least: float = 0.0) -> None:
    """Require a number of seconds that clocks and sockets can count."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) <= _MOST_SECONDS:
        raise ValueError(f"{name} must be a finite number of seconds, at most {_MOST_SECONDS:.0f}.")
    if value < least:
        raise ValueError(f"{name} must be at least {least:g} seconds.")


def _content(path: str | os.PathLike[str]) -> str:
    """The text of a file without the white space around it; bytes that are not UTF-8 become surrogates."""
    return Path(path).read_text(encoding="utf-8", errors="surrogateescape").strip()


def _a(value: object) -> str:
    """What kind of thing `value` is."""
    return f"the class {value.__name__}" if isinstance(value, type) else f"a {type(value).__name__}"
