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


Payload = Union[bytes, Repeated]


def size_of(payload: Payload) -> int:
    """Bytes of a payload on the wire, which ends."""
    if isinstance(payload, bytes):
        return len(payload)
    return len(payload.head) + len(payload.unit) * payload.times + len(payload.tail)


def pieces_of(payload: Payload) -> Iterable[bytes]:
    """A payload in pieces, none of them empty."""
    if isinstance(payload, bytes):
        return filter(None, [payload])
    times = () if payload.times is None else (payload.times,)
    return filter(
        None, itertools.chain([payload.head], itertools.repeat(payload.unit, *times), [payload.tail])
    )


def zipped(data: bytes) -> bytes:
    """Small data as correct gzip."""
    return gzip.compress(data, mtime=0)


@functools.cache
def bomb(tail: bytes) -> Repeated:
    """800 MiB of blanks and then `tail` as correct gzip of many members, 1/1000 of that size."""
    return Repeated(zipped(b" " * 10 * MEBIBYTE), 80, tail=zipped(tail))
