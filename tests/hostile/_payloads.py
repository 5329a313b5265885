"""Bodies too large to hold: each is made in pieces while it is sent, and knows its size beforehand."""

from __future__ import annotations

import functools
import gzip
import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Union

MEBIBYTE = 1024 * 1024
BLANKS = 10  # MiB of blanks in one member of a bomb


@dataclass(frozen=True)
class Repeated:
    """`head`, then `unit` some times over (None: without end), then `tail`."""

    unit: bytes
    times: int | None = None
    head: bytes = b""
    tail: bytes = b""

    @property
    def size(self) -> int | None:
        """Bytes in all, None if endless."""
        return None if self.times is None else len(self.head) + len(self.unit) * self.times + len(self.tail)

    def pieces(self) -> Iterator[bytes]:
        """The bytes, a unit at a time."""
        times = () if self.times is None else (self.times,)
        return itertools.chain([self.head], itertools.repeat(self.unit, *times), [self.tail])


Payload = Union[bytes, Repeated]


def size_of(payload: Payload) -> int | None:
    """Bytes of a payload on the wire, None if endless."""
    return len(payload) if isinstance(payload, bytes) else payload.size


def pieces_of(payload: Payload) -> Iterable[bytes]:
    """A payload in pieces, none of them empty."""
    return filter(None, [payload] if isinstance(payload, bytes) else payload.pieces())


def zipped(data: bytes) -> bytes:
    """Small data as correct gzip."""
    return gzip.compress(data, mtime=0)


@functools.cache
def bomb(tail: bytes, mebibytes: int) -> Repeated:
    """So many MiB of blanks and then `tail` as correct gzip of many members, 1/1000 of that size."""
    return Repeated(zipped(b" " * BLANKS * MEBIBYTE), mebibytes // BLANKS, tail=zipped(tail))
