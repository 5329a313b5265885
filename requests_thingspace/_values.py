"""What makes an object a value.

The law here: a value never changes, equals every value of its class with the same fields, and can be
hashed, copied and pickled. A frozen dataclass does the same, but the import of ``dataclasses`` takes
longer than that of this whole library.
"""

from __future__ import annotations

from typing import Any


class Value:
    """An object that never changes. `__match_args__` names what its `__init__` takes, in that order."""

    __slots__: tuple[str, ...] = ()
    __match_args__: tuple[str, ...] = ()

    def _set(self, **fields: Any) -> None:
        """Fill the slots; only for `__init__`."""
        for name, value in fields.items():
            object.__setattr__(self, name, value)

    def _fields(self) -> tuple[Any, ...]:
        """What makes it what it is; all else follows from that."""
        return tuple(getattr(self, name) for name in self.__match_args__)

    def __setattr__(self, name: str, value: object) -> None:
        """Refuse: it would change under everyone who holds it."""
        raise AttributeError(f"a {type(self).__name__} never changes: make another one.")

    def __delattr__(self, name: str) -> None:
        """Refuse, for the same reason."""
        raise AttributeError(f"a {type(self).__name__} never changes: make another one.")

    def __eq__(self, other: object) -> bool:
        """Whether `other` is of the same class and has the same fields."""
        return type(other) is type(self) and self._fields() == other._fields()

    def __hash__(self) -> int:
        """The same for equal values."""
        return hash(self._fields())

    def __reduce__(self) -> tuple[Any, ...]:
        """Copy and pickle through `__init__`, so that what was pickled is checked again."""
        return type(self), self._fields()

    def __replace__(self, **changes: Any) -> Any:
        """A copy with other fields: :func:`copy.replace` of Python 3.13."""
        return type(self)(**{**dict(zip(self.__match_args__, self._fields(), strict=True)), **changes})
