"""What ThingSpace says, word for word where Verizon documents it, and marked where it does not.

The faults are those of Verizon's page "Synchronous Error Messages", table "List of WS02 Error Messages
used in oAuth V1 Portal":
https://thingspace.verizon.com/resources/documentation/connectivity/API_Reference/Synchronous_Error_Messages/
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

_AM_FAULT = (
    '<am:fault xmlns:am="http://wso2.org/apimanager"><am:code>404</am:code>'
    "<am:type>Status report</am:type><am:message>Not Found</am:message>"
    "<am:description>The requested resource is not available.</am:description></am:fault>"
)


@dataclass(frozen=True)
class Answer:
    """One HTTP answer: its body may hold a token, so that it is not shown.

    Attributes:
        status: the HTTP status.
        body: the bytes, or the chunks of a stream whose length the headers give.
        headers: all headers but those that the server adds itself.
    """

    status: int
    body: bytes | Iterable[bytes] = field(default=b"", repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


def json_answer(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    """`value` as JSON."""
    return Answer(status, json.dumps(value).encode(), {"Content-Type": "application/json", **(headers or {})})


def text_answer(text: str, status: int, media_type: str) -> Answer:
    """`text` as it is."""
    return Answer(status, text.encode(), {"Content-Type": f"{media_type}; charset=utf-8"})


def no_such_resource(path: str) -> Answer:
    """400 fault 900906: the gateway knows no such path or method."""
    hint = "Check the API documentation and add a proper REST resource path to the invocation URL"
    return _fault(
        400, "900906", "No matching resource found in the API for the given request", _access(path, hint)
    )


def missing_credentials(scheme: str) -> Answer:
    """401 fault 900902: no ``Authorization`` header of the wanted scheme.

    Verizon prints the body for ``Basic``; that of a missing bearer is the same with its own scheme
    (the cell of the table is blank).
    """
    hint = f'Make sure your API invocation call has a header: "Authorization: {scheme} ACCESS_TOKEN"'
    return _fault(401, "900902", "Missing Credentials", f"Required OAuth credentials not provided. {hint}")


def wrong_bearer(path: str) -> Answer:
    """401 fault 900901: the bearer is wrong, expired or revoked; ThingSpace does not say which."""
    return _fault(
        401,
        "900901",
        "Invalid Credentials",
        _access(path, "Make sure you have given the correct access token"),
    )


def m2m_error(code: str, message: str, status: int = 400) -> Answer:
    """The error of all M2M resources: ``errorCode`` and ``errorMessage``, status 400 (same page)."""
    return json_answer({"errorCode": code, "errorMessage": message}, status)


def cloud_connector_refusal() -> Answer:
    """How Cloud Connector reports a dead M2M session.

    The body is Verizon's; it prints no status with it, so the 401 is read from the word "unauthorized".
    https://thingspace.verizon.com/documentation/apis/streaming-cloud-connector/api-reference/error-messages.html
    """
    body = {
        "error": "unauthorized",
        "error_description": "Failure response received for UWS V1 REST accounts: [400]",
        "cause": "Requested service is unauthorized for given token",
    }
    return json_answer(body, 401)


def oauth_error(status: int, error: str, description: str) -> Answer:
    """The error of the token endpoint (RFC 6749 section 5.2)."""
    return json_answer({"error": error, "error_description": description}, status)


def typical_failure(endpoint: str, status: int) -> Answer:
    """What `endpoint` says with `status` when it fails and the test does not care how.

    400, 401 and 403 are documented; the page of the other statuses stands for the proxies and load
    balancers in front of ThingSpace, whose words Verizon does not document.
    """
    at_token = endpoint in ("token", "revoke")
    if status == 401 and at_token:
        return oauth_error(401, "invalid_client", "Client Authentication failed.")
    if status == 401:
        return wrong_bearer("/api/m2m/v1")
    if status == 400 and at_token:
        return oauth_error(400, "invalid_request", "The sandbox was told to refuse this request.")
    if status == 400:
        return m2m_error("UnifiedWebService.REQUEST_FAILED.AccountName", "The sandbox was told to refuse.")
    if status == 403:
        return text_answer(_AM_FAULT, 403, "application/xml")
    title = f"{status} {reason(status)}".strip()
    page = f"<html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>"
    return text_answer(page, status, "text/html")


def reason(status: int) -> str:
    """The reason phrase of `status`, empty where HTTP knows none."""
    return HTTPStatus(status).phrase if status in list(HTTPStatus) else ""


def _fault(status: int, code: str, message: str, description: str) -> Answer:
    """A fault of the WSO2 gateway; its code is a JSON string."""
    return json_answer({"fault": {"code": code, "message": message, "description": description}}, status)


def _access(path: str, hint: str) -> str:
    """The description of a fault: the API is the first two segments after ``/api``."""
    segments = [segment for segment in path.split("/") if segment]
    if segments[:1] == ["api"]:
        segments = segments[1:]
    context, version = "/" + "/".join(segments[:2]), (segments[1:2] or ["v1"])[0]
    return f"Access failure for API: {context}, version: {version}. {hint}"
