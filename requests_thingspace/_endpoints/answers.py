"""What an answer of ThingSpace's auth endpoints means.

An answer is judged as a whole before anything is made of it, and what ThingSpace said reaches the
caller: its OAuth ``error``, WSO2 ``fault``, ``am:fault`` XML or M2M ``errorCode``, bounded in length and
free of secrets. Everything in this module is a pure function.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import requests

from .._errors import ThingspaceError
from .._tokens import seconds_from
from .._values import Secret, one_line, redacted

_PASSING_STATUSES = (408, 425, 429)  # and all from 500
_LONGEST_CODE = 100
_LONGEST_BODY = 4096  # characters of a refusal that are looked at, and that an error carries
_XML_FAULT = r"<am:(code|message|description)>([^<]*)</am:\1>"
_WRAPPED_SESSION_ERROR = "UWS V1 REST accounts: [400]"
_SESSION_ERROR = ".SessionToken."  # in every M2M errorCode about it, without the leading service name


class Answer(NamedTuple):
    """One complete answer of an auth endpoint."""

    status: int
    body: Secret[bytes]  # decompressed
    sent_at: float  # Unix time in seconds at which the request was sent
    retry_after: float | None = None  # seconds
    headers: Mapping[str, str] = {}  # those that an error may show
    secrets: tuple[Secret[str], ...] = ()  # what an error must not show

    @property
    def is_success(self) -> bool:
        """Whether the status says so."""
        return 200 <= self.status < 300

    def shown(self) -> requests.Response:
        """A bare Response for an error: what came, without request and secrets."""
        response = requests.Response()
        response.status_code = self.status
        response.headers.update(self.headers)
        text = self.body.reveal()[: 2 * _LONGEST_BODY].decode("utf-8", "replace")
        response._content = redacted(text, self.secrets)[:_LONGEST_BODY].encode()
        response.encoding = "utf-8"
        return response


def json_object(text: str | bytes) -> dict[str, Any] | None:
    """The JSON object in `text`; bytes are UTF-8 (RFC 8259 section 8.1). ``None`` for anything else."""
    try:
        document = json.loads(text if isinstance(text, str) else text.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


def json_or_raise(
    answer: Answer, who: str, error: type[ThingspaceError], hint: str = ""
) -> Secret[dict[str, Any]]:
    """The JSON object of a successful answer to `who`, such as ``"token request"``; else raise `error`."""
    document: Secret[Any] = Secret(json_object(answer.body.reveal()))
    code, description = _complaint(document.reveal(), answer.body.reveal())
    if answer.is_success and document.reveal() is not None and code is None:
        return document
    code = code and one_line(code, answer.secrets, _LONGEST_CODE)
    description = description and one_line(description, answer.secrets)
    words = f"HTTP {answer.status}" + (f" {code}" if code else "")
    words += f" ({description.rstrip('.')})" if description else ""
    words += "; redirects of this endpoint are not followed" if 300 <= answer.status < 400 else ""
    refused = code is not None and 400 <= answer.status < 500
    said = f"ThingSpace refused the {who}" if refused else f"ThingSpace gave no usable answer to the {who}"
    raise error(
        f"{said}: {words}. {hint}".rstrip(),
        status=answer.status,
        code=code,
        description=description,
        retryable=answer.status in _PASSING_STATUSES or answer.status >= 500,
        retry_after=answer.retry_after,
        response=answer.shown(),
    )


def retry_after(value: str | None, now: float) -> float | None:
    """Seconds from `now` by a ``Retry-After`` header (RFC 9110 section 10.2.3): a number or a date."""
    seconds = seconds_from(value)
    if seconds is None and value is not None:
        from email.utils import parsedate_to_datetime  # rare, so it does not weigh on the import

        try:
            seconds = parsedate_to_datetime(value).timestamp() - now
        except (TypeError, ValueError, OverflowError):  # TypeError before Python 3.10
            return None
    return None if seconds is None else max(seconds, 0.0)


def is_session_error(body: bytes) -> bool:
    """Whether an API's error body says that the M2M session token is the trouble.

    Verizon asks to code on the ``errorCode`` without its leading service name; Cloud Connector
    wraps the session's refusal in a text (facts: "Synchronous Error Messages" and Cloud Connector's
    "Error Messages" pages).
    """
    document = json_object(body) or {}
    code, wrapped = (str(_text(document.get(name))) for name in ("errorCode", "error_description"))
    return _SESSION_ERROR in f".{code}" or _WRAPPED_SESSION_ERROR in wrapped


def _complaint(document: dict[str, Any] | None, body: bytes) -> tuple[str | None, str | None]:
    """Code and description of the complaint in an answer, both ``None`` without one."""
    start = body[:_LONGEST_BODY].decode("utf-8", "replace").strip()
    fault = _xml_fault(start) if document is None else document.get("fault")
    if isinstance(fault, dict):
        said = [_text(fault.get(name)) for name in ("message", "description")]
        return _text(fault.get("code")) or "fault", ": ".join(filter(None, said)) or None
    if document is None:
        kind = "a web page or XML instead of JSON" if start.startswith("<") else "no JSON object"
        return None, kind if start else "an empty body"
    for code, description in (("error", "error_description"), ("errorCode", "errorMessage")):
        if document.get(code):
            return _text(document[code]) or code, _text(document.get(description))
    return None, None


def _xml_fault(text: str) -> dict[str, str] | None:
    """The parts of an ``am:fault``, ``None`` if `text` is none."""
    found = re.findall(_XML_FAULT, text)
    return {name: re.sub(r"&(\w+);", _character_of, said) for name, said in found} or None


def _character_of(entity: re.Match[str]) -> str:
    """What an entity of XML stands for; any other stays."""
    return {"amp": "&", "lt": "<", "gt": ">", "quot": '"', "apos": "'"}.get(entity[1], entity[0])


def _text(value: object) -> str | None:
    """A short JSON value as text; containers say nothing worth showing."""
    return str(value).strip() if isinstance(value, (str, int, float)) else None
