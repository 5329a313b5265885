"""What an answer of ThingSpace's auth endpoints means.

The law here: an answer is judged as a whole before anything is made of it, and what ThingSpace said
reaches the caller: its OAuth ``error``, WSO2 ``fault``, ``am:fault`` XML or M2M ``errorCode``, bounded
in length and scrubbed of secrets. Everything in this module is a pure function.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable
from typing import Any, NamedTuple
from urllib.parse import quote_plus

from ._errors import ThingspaceError

_LONGEST_DESCRIPTION = 300
_LONGEST_CODE = 100
_XML_FAULT = re.compile(r"<am:(code|message|description)>([^<]*)</am:\1>")
_SESSION_ERROR = ".SessionToken."
_WRAPPED_SESSION_ERROR = "UWS V1 REST accounts: [400]"


class Answer(NamedTuple):
    """One complete answer of an auth endpoint.

    Attributes:
        status: HTTP status.
        body: the decompressed body.
        sent_at: Unix time in seconds at which the request was sent.
        retry_after: seconds that the server asks to wait, ``None`` where it does not.
    """

    status: int
    body: bytes
    sent_at: float
    retry_after: float | None = None

    @property
    def retryable(self) -> bool:
        """Whether the status speaks of a passing trouble."""
        return self.status in (408, 425, 429) or self.status >= 500


def json_object(body: bytes) -> dict[str, Any] | None:
    """The JSON object in `body`, which is UTF-8 (RFC 8259 section 8.1); ``None`` for anything else."""
    try:
        document = json.loads(body.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


def judged(
    answer: Answer, who: str, error: type[ThingspaceError], secrets: Iterable[str], hint: str = ""
) -> dict[str, Any]:
    """The JSON object of a successful answer.

    Args:
        answer: what came back.
        who: the endpoint's name for the message, such as ``"token endpoint"``.
        error: the class to raise.
        secrets: what must not show up in a message.
        hint: what to do about a refusal.

    Raises:
        ThingspaceError: of class `error`: the answer is a refusal or not an answer at all.
    """
    document = json_object(answer.body)
    code, description = _complaint(document, answer.body)
    if 200 <= answer.status < 300 and document is not None and code is None:
        return document
    code, description = (scrubbed(t, secrets) for t in (code, description))
    words = f"HTTP {answer.status}" + (f" {code[:_LONGEST_CODE]}" if code else "")
    words += f" ({description})" if description else ""
    if 300 <= answer.status < 400:
        words += "; redirects of this endpoint are not followed"
    raise error(
        f"ThingSpace's {who} gave no usable answer: {words}. {hint}".rstrip(),
        status=answer.status,
        code=code and code[:_LONGEST_CODE],
        description=description,
        retryable=answer.retryable,
        retry_after=answer.retry_after,
    )


def scrubbed(text: str | None, secrets: Iterable[str]) -> str | None:
    """`text` on one line, bounded, with every secret blotted out."""
    if text is None:
        return None
    spellings = {spelling for secret in secrets for spelling in _spellings(secret)}
    for spelling in sorted(filter(None, spellings), key=len, reverse=True):
        text = text.replace(spelling, "***")
    text = text[: 8 * _LONGEST_DESCRIPTION]  # what follows looks at each character
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:_LONGEST_DESCRIPTION]


def _spellings(secret: str) -> tuple[str, ...]:
    """A secret as it is, and as it stands in a form, in JSON and in XML, which a server may echo."""
    from html import escape  # rare, so it does not weigh on the import

    return secret, quote_plus(secret, errors="replace"), json.dumps(secret)[1:-1], escape(secret)


def retry_after(value: str | None, now: float) -> float | None:
    """Seconds to wait from a ``Retry-After`` header (RFC 9110 section 10.2.3), never negative.

    Args:
        value: the header, a number of seconds or an HTTP date.
        now: Unix time in seconds, for the date.
    """
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        from email.utils import parsedate_to_datetime  # rare, so it does not weigh on the import

        try:
            seconds = parsedate_to_datetime(value).timestamp() - now
        except (ValueError, OverflowError):
            return None
    return max(seconds, 0.0) if math.isfinite(seconds) else None


def is_session_error(body: bytes) -> bool:
    """Whether an API's error body says that the M2M session token is the trouble.

    Verizon asks to code on the ``errorCode`` without its leading service name; Cloud Connector
    wraps the session's refusal in a text (facts: "Synchronous Error Messages" and Cloud Connector's
    "Error Messages" pages).
    """
    if b"SessionToken" not in body and b"UWS V1 REST" not in body:
        return False
    document = json_object(body) or {}
    code, wrapped = document.get("errorCode"), document.get("error_description")
    return (isinstance(code, str) and _SESSION_ERROR in f".{code}") or (
        isinstance(wrapped, str) and _WRAPPED_SESSION_ERROR in wrapped
    )


def _complaint(document: dict[str, Any] | None, body: bytes) -> tuple[str | None, str | None]:
    """Code and description of the complaint in an answer; no code where there is none."""
    if document is None:
        return _complaint_without_json(body)
    fault = document.get("fault")
    if isinstance(fault, dict):
        said = [_text(fault.get(name)) for name in ("message", "description")]
        return _text(fault.get("code")) or "fault", ": ".join(filter(None, said)) or None
    for code, description in (("error", "error_description"), ("errorCode", "errorMessage")):
        if document.get(code):
            return _text(document[code]) or code, _text(document.get(description))
    return None, None


def _complaint_without_json(body: bytes) -> tuple[str | None, str]:
    """The complaint of an answer that holds no JSON object, or at least what it holds."""
    start = body[:4096].decode("utf-8", "replace")
    fault = dict(_XML_FAULT.findall(start))
    if fault:
        said = [fault.get(name, "").strip() for name in ("message", "description")]
        return fault.get("code", "").strip() or "fault", ": ".join(filter(None, said))
    if not start.strip():
        return None, "an empty body"
    if start.lstrip().startswith("<"):
        return None, "a web page or XML instead of JSON"
    return None, "no JSON object"


def _text(value: object) -> str | None:
    """A short JSON value as text; containers say nothing worth showing."""
    return str(value) if isinstance(value, (str, int, float)) else None
