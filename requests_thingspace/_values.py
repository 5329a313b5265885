"""Immutable values, and secrets that never print themselves.

A :class:`Value` equals every value of its class with the same fields and can be hashed, copied and
pickled. (A frozen dataclass does the same, but importing ``dataclasses`` takes longer than importing
this whole library.) A :class:`Secret` keeps what it holds out of every log, error and crash report.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterable
from typing import Any, Generic, TypeVar
from urllib.parse import quote, quote_plus

S = TypeVar("S")

_WORDS_OF_ERRORS = (
    "account bad error failed incorrect invalid login name password refused unknown user username wrong"
)


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
    spellings = {spelling for secret in secrets for spelling in _spellings(secret.reveal())}
    for spelling in sorted(spellings, key=len, reverse=True):  # one may be a part of another
        text = text.replace(spelling, "***")
    return text


def one_line(text: str, secrets: Iterable[Secret[str]], longest: int = 300) -> str:
    """`text` on one line, without secrets and what cannot be printed, and cut to `longest` characters."""
    text = redacted(text, secrets)[: 8 * longest]  # what follows looks at each character
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:longest]


def _spellings(secret: str) -> set[str]:
    """A secret as it is, and as URLs, forms, JSON, HTML, XML and Python source write it."""
    if secret.lower() in _WORDS_OF_ERRORS.split():  # stars in their place would reveal it
        return set()
    in_url = {quote(secret, safe=safe, errors="replace") for safe in ("", "/")}
    in_form = quote_plus(secret, errors="replace")
    in_html = secret.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    in_attribute = in_html.replace('"', "&quot;").replace("'", "&#x27;")
    in_source = {json.dumps(secret)[1:-1], repr(secret)[1:-1]}
    return {secret, in_form, in_html, in_attribute, *in_url, *in_source} - {""}
