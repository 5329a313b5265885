"""Requests, answers and refusals: word for word where Verizon documents them, and marked where it does not.

The faults are those of Verizon's page "Synchronous Error Messages", table "List of WS02 Error Messages
used in oAuth V1 Portal":
https://thingspace.verizon.com/resources/documentation/connectivity/API_Reference/Synchronous_Error_Messages/
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from email.message import Message
from enum import Enum
from http.client import responses
from typing import Any, Union

Body = Union[str, bytes, dict[str, Any], list[Any], None]
Place = Enum("Place", "MAIN IMP EDGE")  # the three origins

_ACCESS = "Access failure for API: {api}, version: {version}. "
_GATEWAY_FAULTS = {
    # The bearer is wrong, expired or revoked; ThingSpace does not say which.
    "900901": (401, "Invalid Credentials", f"{_ACCESS}Make sure you have given the correct access token"),
    # No Authorization of this scheme. Verizon prints it for Basic; the cell for a missing bearer is blank.
    "900902": (
        401,
        "Missing Credentials",
        "Required OAuth credentials not provided. Make sure your API invocation call has a header: "
        '"Authorization: {scheme} ACCESS_TOKEN"',
    ),
    # The gateway knows no such path or method.
    "900906": (
        400,
        "No matching resource found in the API for the given request",
        f"{_ACCESS}Check the API documentation and add a proper REST resource path to the invocation URL",
    ),
}
_AM_FAULT = (
    '<am:fault xmlns:am="http://wso2.org/apimanager"><am:code>404</am:code>'
    "<am:type>Status report</am:type><am:message>Not Found</am:message>"
    "<am:description>The requested resource is not available.</am:description></am:fault>"
)
CLOUD_CONNECTOR_REFUSAL = {
    "error": "unauthorized",
    "error_description": "Failure response received for UWS V1 REST accounts: [400]",
    "cause": "Requested service is unauthorized for given token",
}
"""How Cloud Connector reports a dead M2M session. Verizon prints no status: "unauthorized" is read as 401.

https://thingspace.verizon.com/documentation/apis/streaming-cloud-connector/api-reference/error-messages.html
"""


@dataclass(frozen=True, repr=False)  # it holds secrets
class Request:
    method: str
    path: str  # percent-decoded
    query: Mapping[str, str]  # the first value of each parameter
    headers: Message  # by name in upper or lower case
    body: bytes

    def json(self) -> dict[str, Any]:
        """The body, which has to be a JSON object."""
        with suppress(ValueError, RecursionError):
            value = json.loads(self.body)
            if isinstance(value, dict):
                return value
        raise m2m_refusal("The request body is a JSON object.")


@dataclass(frozen=True, repr=False)  # it may hold a token
class Answer:
    status: int  # 0 drops the connection
    body: bytes | Iterable[bytes] = b""  # a stream's length is in the headers
    headers: Mapping[str, str] = field(default_factory=dict)


def json_answer(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    return Answer(status, json.dumps(value).encode(), {"Content-Type": "application/json", **(headers or {})})


class RefusedError(Exception):
    """A request is refused, with this JSON."""

    def __init__(self, document: dict[str, Any], status: int = 400) -> None:
        super().__init__(status)
        self.answer = json_answer(document, status)


def gateway_fault(code: str, path: str = "", *, scheme: str = "Bearer") -> RefusedError:
    """A fault of the WSO2 gateway; its code is text, and an API is the first two segments after ``/api``."""
    status, message, description = _GATEWAY_FAULTS[code]
    segments = [segment for segment in path.removeprefix("/api/").split("/") if segment][:2]
    version = segments[1] if segments[1:] else "v1"
    description = description.format(api=f"/{'/'.join(segments)}", version=version, scheme=scheme)
    return RefusedError({"fault": {"code": code, "message": message, "description": description}}, status)


def oauth_refusal(error: str, description: str = "Client Authentication failed.") -> RefusedError:
    """An error of RFC 6749 section 5.2; Verizon documents none. The words of a wrong client are WSO2's."""
    status = 401 if error == "invalid_client" else 400
    return RefusedError({"error": error, "error_description": description}, status)


def m2m_refusal(message: str, code: str = "INPUT_INVALID.Request.Invalid") -> RefusedError:
    """Verizon documents the codes of the session token; those of other refusals are the sandbox's own."""
    return RefusedError({"errorCode": f"UnifiedWebService.{code}", "errorMessage": message})


def failure(endpoint: str, status: int, body: Body, headers: Mapping[str, str]) -> Answer:
    """What `Sandbox.fail_next` describes."""
    if not 200 <= status <= 599:
        raise ValueError(f"{status} is no final HTTP status: it is one of 200 to 599.")
    if body is None:
        answer = _typical_failure(endpoint, status)
    elif isinstance(body, (dict, list)):
        answer = json_answer(body, status)
    else:
        content = body.encode() if isinstance(body, str) else bytes(body)
        answer = Answer(status, content, {"Content-Type": "text/plain; charset=utf-8"})
    return replace(answer, headers={**answer.headers, **headers})


def _typical_failure(endpoint: str, status: int) -> Answer:
    """What `endpoint` says with `status` if the test does not care.

    400, 401 and 403 are documented; the page of the other statuses is that of a proxy or load balancer.
    """
    told, bearer = "The sandbox was told to refuse this request.", gateway_fault("900901", "/api/m2m/v1")
    by_oauth = {400: oauth_refusal("invalid_request", told), 401: oauth_refusal("invalid_client")}
    by_api = {400: m2m_refusal(told, "REQUEST_FAILED.AccountName"), 401: bearer}
    refusals = by_oauth if endpoint in ("token", "revoke") else by_api
    if status in refusals:
        return refusals[status].answer
    title = f"{status} {responses.get(status, '')}".strip()
    page = f"<html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>"
    text, kind = (_AM_FAULT, "application/xml") if status == 403 else (page, "text/html")
    return Answer(status, text.encode(), {"Content-Type": f"{kind}; charset=utf-8"})
