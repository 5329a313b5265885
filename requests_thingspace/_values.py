"""Immutable values, and secrets that never print themselves.

A :class:`Value` equals every value of its class with the same fields and can be hashed, copied and
pickled. (A frozen dataclass does the same, but importing ``dataclasses`` takes longer than importing
this whole library.) A :class:`Secret` keeps what it holds out of every log, error and crash report.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Iterable
from typing import Any, Generic, TypeVar

S = TypeVar("S")

_WORDS_OF_ERRORS = (
    "account bad error failed incorrect invalid login name password refused unknown user username wrong"
)
_NO_SECRETS = {"", *_WORDS_OF_ERRORS.split()}  # stars in their place would reveal them


class Value:
    """An immutable object. `__match_args__` names its constructor arguments, in order."""

    __slots__: tuple[str, ...] = ()
    __match_args__: tuple[str, ...] = ()

    def _fields(self) -> tuple[Any, ...]:
        """Its constructor arguments, which decide equality, hash and pickle."""
        return tuple(getattr(self, name) for name in self.__match_args__)

    def __setattr__(self, name: str, value: Any) -> None:
        """Let `__init__` set each attribute once; a change would reach everyone who holds the object."""
        if hasattr(self, name):
            raise AttributeError(f"{type(self).__name__} is immutable: make a new one.")
        object.__setattr__(self, name, value)

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"{type(self).__name__} is immutable: make a new one.")

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and self._fields() == other._fields()

    def __hash__(self) -> int:
        return hash(self._fields())

    def __reduce__(self) -> tuple[Any, ...]:
        """Copy and pickle through `__init__`, so that what was pickled is checked again."""
        return type(self), self._fields()


class Secret(Value, Generic[S]):
    """A value that no log, error or crash report (they print local variables) may show."""

    __match_args__ = ("_hidden",)
    __slots__ = __match_args__

    def __init__(self, hidden: S) -> None:
        self._hidden = hidden

    def reveal(self) -> S:
        """The value itself. Use it inside an expression; never keep it in a variable."""
        return self._hidden

    def __repr__(self) -> str:
        return "***"


def keyed_hash(key: Secret[str], words: Secret[list[Any]]) -> str:
    """A hash by which `words` are known again without being held; who lacks `key` cannot guess them."""
    return hmac.new(key.reveal().encode(), json.dumps(words.reveal()).encode(), hashlib.sha256).hexdigest()


def redacted(text: str, secrets: Iterable[Secret[str]]) -> str:
    """`text` with every secret replaced by stars, however a server or a log may spell it."""
    for secret in sorted(secrets, key=lambda one: len(one.reveal()), reverse=True):  # it may hold another
        if secret.reveal().lower() not in _NO_SECRETS:
            text = re.sub(_spelled(secret), "***", text)
    return text


def one_line(text: str, secrets: Iterable[Secret[str]], longest: int = 300) -> str:
    """`text` on one line, without secrets and what cannot be printed, and cut to `longest` characters."""
    text = redacted(text, secrets)[: 8 * longest]  # what follows looks at each character
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:longest]


def _spelled(secret: Secret[str]) -> str:
    """A pattern of a secret as it is, and as URLs, forms, JSON, HTML, XML and program text write it."""
    return re.sub(r"\\+|[^A-Za-z0-9]", _ways_to_write, secret.reveal())


def _ways_to_write(found: re.Match[str]) -> str:
    """A pattern of a character as it is, and escaped; what holds another way to write it comes first."""
    character = found[0][0]
    if character == "\\":  # one, or several
        return r"(?i:\\(?:[ux]0*5c)?|%5c|&#0*92;|&#x0*5c;){1,8}"  # each JSON doubles them
    in_url = "".join(f"%{byte:02x}" for byte in character.encode(errors="replace"))
    ways = dict.fromkeys((in_url, json.dumps(character)[1:-1], character, character.replace(" ", "+")))
    # any entity will do; the backslashes are those of quoted text, and of JSON within JSON
    escaped = rf"\\[ux]0*{ord(character):x}|&#?[a-z0-9]{{1,9}};"
    return rf"(?i:\\{{0,3}}(?:{escaped}|{'|'.join(map(re.escape, ways))}))"
