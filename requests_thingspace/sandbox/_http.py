"""Requests and answers. A request is read to its last byte before anything else happens to it.

So a refused upload leaves a connection on which the next request is understood. Only the start of a body is
kept; the rest is measured and hashed.
"""

from __future__ import annotations

import errno
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from http.client import responses
from typing import Any
from urllib.parse import parse_qs

from requests.structures import CaseInsensitiveDict

_BLOCK = 65536
_KEPT = 1024 * 1024
_NO_BODY = (204, 205, 304)


@dataclass(frozen=True)
class Request:
    """One HTTP request; headers and body hold secrets, so they are not shown."""

    method: str
    path: str  # percent-decoded
    query: Mapping[str, str] = field(repr=False)  # the first value of each parameter
    headers: Mapping[str, str] = field(repr=False)  # by name in lower case
    length: int  # of the body
    sha256: str  # of the body, in hex
    start: bytes = field(repr=False)  # the first MiB of the body

    def json(self) -> Any:
        """The body as JSON, or ``None``."""
        try:
            return json.loads(self.start)
        except (ValueError, RecursionError):
            return None


@dataclass(frozen=True)
class Answer:
    """One HTTP answer; its body may hold a token, so it is not shown."""

    status: int
    body: bytes | Iterable[bytes] = field(default=b"", repr=False)  # a stream's length is in the headers
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)

    def send(self, method: str, start_response: Callable[..., object]) -> Iterable[bytes]:
        """Hand it to the server; a body that is shorter than its headers say breaks off."""
        headers, body = CaseInsensitiveDict(self.headers), self.body
        if isinstance(body, bytes) and self.status not in _NO_BODY:
            headers.setdefault("Content-Length", str(len(body)))
        start_response(f"{self.status} {responses.get(self.status, '')}", list(headers.items()))
        if method == "HEAD" or self.status in _NO_BODY:
            return ()
        if not isinstance(body, bytes):
            return body
        return (body,) if headers["Content-Length"] == str(len(body)) else _cut_off(body)


def json_answer(value: Any, status: int = 200) -> Answer:
    """`value` as JSON."""
    return Answer(status, json.dumps(value).encode(), {"Content-Type": "application/json"})


def read_request(environ: Mapping[str, Any]) -> Request:
    """The request of a WSGI environ (PEP 3333)."""
    length, digest, start = 0, hashlib.sha256(), bytearray()
    while block := environ["wsgi.input"].read(_BLOCK):
        length += len(block)
        digest.update(block)
        start += block[: max(_KEPT - len(start), 0)]
    bare = ("CONTENT_TYPE", "CONTENT_LENGTH")  # the headers that WSGI keeps without the prefix
    names = [name for name in environ if name.startswith("HTTP_") or name in bare]
    return Request(
        method=environ["REQUEST_METHOD"],
        path=environ["PATH_INFO"],
        query={name: values[0] for name, values in parse_qs(environ["QUERY_STRING"]).items()},
        headers={name.removeprefix("HTTP_").replace("_", "-").lower(): environ[name] for name in names},
        length=length,
        sha256=digest.hexdigest(),
        start=bytes(start),
    )


def _cut_off(body: bytes) -> Iterator[bytes]:
    yield body
    raise ConnectionResetError(errno.ECONNRESET, "The answer is shorter than it promised.")
