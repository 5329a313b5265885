"""Bodies too large to hold: each is made in pieces while it is sent, and knows its size beforehand."""

from __future__ import annotations

import functools
import gzip
import itertools
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Union

MEBIBYTE = 1024 * 1024


@dataclass(frozen=True)
class Repeated:
    """`head`, then `unit` some times over (None: without end), then `tail`."""

    unit: bytes
    times: int | None = None
    head: bytes = b""
    tail: bytes = b""

    def __len__(self) -> int:
        return len(self.head) + len(self.unit) * self.times + len(self.tail)


Payload = Union[bytes, Repeated]


def pieces_of(payload: Payload) -> Iterable[bytes]:
    """A payload in pieces, none of them empty."""
    if isinstance(payload, bytes):
        return filter(None, [payload])
    units = itertools.repeat(payload.unit, *(() if payload.times is None else (payload.times,)))
    return filter(None, itertools.chain([payload.head], units, [payload.tail]))


@functools.cache
def bomb(tail: bytes) -> Repeated:
    """800 MiB of blanks and then `tail` as correct gzip of many members, 1/1000 of that size."""
    return Repeated(gzip.compress(b" " * 10 * MEBIBYTE), 80, tail=gzip.compress(tail))
