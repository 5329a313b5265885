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
from typing import Any, NoReturn, Union

Body = Union[str, bytes, dict[str, Any], list[Any], None]
Place = Enum("Place", "MAIN IMP EDGE")  # the three origins

_AM_FAULT = (
    '<am:fault xmlns:am="http://wso2.org/apimanager"><am:code>404</am:code>'
    "<am:type>Status report</am:type><am:message>Not Found</am:message>"
    "<am:description>The requested resource is not available.</am:description></am:fault>"
)


@dataclass(frozen=True, repr=False)  # it holds secrets
class Request:
    """One HTTP request."""

    method: str
    path: str  # percent-decoded
    query: Mapping[str, str]  # the first value of each parameter
    headers: Message  # by name in upper or lower case
    body: bytes

    def json(self) -> dict[str, Any]:
        """The body, which is a JSON object.

        Raises:
            RefusedError: it is not.
        """
        with suppress(ValueError, RecursionError):
            value = json.loads(self.body)
            if isinstance(value, dict):
                return value
        raise invalid_request("The request body is a JSON object.")


@dataclass(frozen=True, repr=False)  # it may hold a token
class Answer:
    """One HTTP answer."""

    status: int
    body: bytes | Iterable[bytes] = b""  # a stream's length is in the headers
    headers: Mapping[str, str] = field(default_factory=dict)


def json_answer(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    headers = {"Content-Type": "application/json", **(headers or {})}
    return Answer(status, json.dumps(value).encode(), headers)


class RefusedError(Exception):
    """A request is refused, with this answer."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


def no_such_resource(request: Request) -> NoReturn:
    """400 fault 900906: the gateway knows no such path or method."""
    hint = "Check the API documentation and add a proper REST resource path to the invocation URL"
    message = "No matching resource found in the API for the given request"
    raise _fault(400, "900906", message, _access(request.path, hint))


def missing_credentials(scheme: str) -> RefusedError:
    """401 fault 900902: no ``Authorization`` header of this scheme.

    Verizon prints the body for ``Basic``; that of a missing bearer is the same with its own scheme
    (the cell of the table is blank).
    """
    hint = f'Make sure your API invocation call has a header: "Authorization: {scheme} ACCESS_TOKEN"'
    return _fault(401, "900902", "Missing Credentials", f"Required OAuth credentials not provided. {hint}")


def wrong_bearer(path: str) -> RefusedError:
    """401 fault 900901: the bearer is wrong, expired or revoked; ThingSpace does not say which."""
    hint = "Make sure you have given the correct access token"
    return _fault(401, "900901", "Invalid Credentials", _access(path, hint))


def oauth_refusal(error: str, description: str) -> RefusedError:
    """An error of RFC 6749 section 5.2; Verizon documents neither these nor their words."""
    status = 401 if error == "invalid_client" else 400
    return RefusedError(json_answer({"error": error, "error_description": description}, status))


def wrong_client() -> RefusedError:
    """A wrong key or secret, in WSO2's words."""
    return oauth_refusal("invalid_client", "Client Authentication failed.")


def m2m_refusal(code: str, message: str) -> RefusedError:
    """A refusal by the M2M platform.

    Verizon documents the codes of the session token; those of other refusals are the sandbox's own.
    """
    body = {"errorCode": f"UnifiedWebService.{code}", "errorMessage": message}
    return RefusedError(json_answer(body, 400))


def invalid_request(message: str) -> RefusedError:
    return m2m_refusal("INPUT_INVALID.Request.Invalid", message)


def cloud_connector_refusal() -> RefusedError:
    """How Cloud Connector reports a dead M2M session.

    The body is Verizon's; it prints no status with it, so the 401 is read from the word "unauthorized".
    https://thingspace.verizon.com/documentation/apis/streaming-cloud-connector/api-reference/error-messages.html
    """
    body = {
        "error": "unauthorized",
        "error_description": "Failure response received for UWS V1 REST accounts: [400]",
        "cause": "Requested service is unauthorized for given token",
    }
    return RefusedError(json_answer(body, 401))


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

    400, 401 and 403 are documented; the page of the other statuses stands for the proxies and load
    balancers in front of ThingSpace, whose words Verizon does not document.
    """
    at_token, told = endpoint in ("token", "revoke"), "The sandbox was told to refuse this request."
    if status == 401:
        return (wrong_client() if at_token else wrong_bearer("/api/m2m/v1")).answer
    if status == 400 and at_token:
        return oauth_refusal("invalid_request", told).answer
    if status == 400:
        return m2m_refusal("REQUEST_FAILED.AccountName", told).answer
    title = f"{status} {responses.get(status, '')}".strip()
    page = f"<html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>"
    text, kind = (_AM_FAULT, "application/xml") if status == 403 else (page, "text/html")
    return Answer(status, text.encode(), {"Content-Type": f"{kind}; charset=utf-8"})


def _fault(status: int, code: str, message: str, description: str) -> RefusedError:
    """A fault of the WSO2 gateway; its code is a JSON string."""
    fault = {"code": code, "message": message, "description": description}
    return RefusedError(json_answer({"fault": fault}, status))


def _access(path: str, hint: str) -> str:
    """The description of a fault: the API is the first two segments after ``/api``."""
    segments = [segment for segment in path.removeprefix("/api/").split("/") if segment][:2]
    version = segments[1] if segments[1:] else "v1"
    return f"Access failure for API: /{'/'.join(segments)}, version: {version}. {hint}"
