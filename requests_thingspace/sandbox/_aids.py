"""Resources that ThingSpace has not, for tests: they show what arrived, and never the value of a header."""

from __future__ import annotations

from collections.abc import Iterator

from ._answers import Answer, json_answer
from ._requests import Request

_BLOCK = bytes(range(256)) * 256
_REDIRECTS = (301, 302, 303, 307, 308)


def echo(request: Request) -> Answer:
    """``/sandbox/echo``: method, length and SHA-256 of the body, and the names of the headers."""
    return json_answer(
        {
            "method": request.method,
            "length": request.length,
            "sha256": request.sha256,
            "headers": sorted(request.headers),
        }
    )


def redirect(request: Request) -> Answer:
    """``/sandbox/redirect?to=URL&status=302``: a redirect to anywhere."""
    to, status = request.query.get("to", ""), _whole_number(request.query.get("status", "302"))
    if status not in _REDIRECTS or not to or not to.isascii() or not to.isprintable():
        return _misused(f"Give to=URL, and status= one of {_REDIRECTS}.")
    return Answer(status, headers={"Location": to})


def download(request: Request) -> Answer:
    """``/sandbox/bytes?n=1000``: that many bytes, 0 to 255 and again, as a stream."""
    size = _whole_number(request.query.get("n", ""))
    if size is None:
        return _misused("Give n= a number of bytes.")
    headers = {"Content-Type": "application/octet-stream", "Content-Length": str(size)}
    return Answer(200, _blocks(size), headers)


def status(request: Request) -> Answer:
    """``/sandbox/status/503``: an answer with this HTTP status, and JSON that says so."""
    code = _whole_number(request.path.rpartition("/")[2])
    if code is None or not 200 <= code <= 599:
        return _misused("Give a final HTTP status, 200 to 599.")
    return json_answer({"status": code}, code)


def _blocks(size: int) -> Iterator[bytes]:
    while size > 0:
        yield _BLOCK[:size]
        size -= len(_BLOCK)


def _whole_number(text: str) -> int | None:
    # Nine digits are enough for everything here, and keep int() from long texts.
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


def _misused(hint: str) -> Answer:
    return json_answer({"error": hint}, 400)
