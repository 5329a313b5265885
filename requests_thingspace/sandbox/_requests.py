"""A request is read to its last byte before anything else happens to it.

So a refused upload leaves a connection on which the next request is understood. Only the start of a body is
kept, the rest is measured and hashed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

_BLOCK = 65536
_KEPT = 1024 * 1024


@dataclass(frozen=True)
class Request:
    """One HTTP request.

    Attributes:
        method: the HTTP method.
        path: the path, percent-decoded.
        query: the first value of each query parameter.
        headers: by name in lower case.
        length: the bytes of the body.
        sha256: the hash of the body, in hex.
        start: the first MiB of the body.
    """

    method: str
    path: str
    query: Mapping[str, str] = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    length: int
    sha256: str
    start: bytes = field(repr=False)

    @property
    def authorization(self) -> str:
        """The ``Authorization`` header, empty where there is none."""
        return self.headers.get("authorization", "")

    def json(self) -> Any:
        """The body as JSON; ``None`` where it is none."""
        try:
            return json.loads(self.start)
        except (ValueError, RecursionError):
            return None


def read_request(environ: Mapping[str, Any]) -> Request:
    """The request of a WSGI environ (PEP 3333)."""
    length, digest, start = 0, hashlib.sha256(), bytearray()
    while block := environ["wsgi.input"].read(_BLOCK):
        length += len(block)
        digest.update(block)
        start += block[: max(_KEPT - len(start), 0)]
    return Request(
        method=environ["REQUEST_METHOD"],
        path=environ["PATH_INFO"],
        query={name: values[0] for name, values in parse_qs(environ["QUERY_STRING"]).items()},
        headers=dict(_headers(environ)),
        length=length,
        sha256=digest.hexdigest(),
        start=bytes(start),
    )


def _headers(environ: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The request headers; WSGI keeps two of them without the prefix."""
    names = {name: name.removeprefix("HTTP_") for name in environ if name.startswith("HTTP_")}
    names.update((name, name) for name in ("CONTENT_TYPE", "CONTENT_LENGTH") if name in environ)
    return [(short.replace("_", "-").lower(), environ[name]) for name, short in names.items()]
