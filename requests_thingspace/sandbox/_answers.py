"""What ThingSpace says, word for word where Verizon documents it, and marked where it does not.

The faults are those of Verizon's page "Synchronous Error Messages", table "List of WS02 Error Messages
used in oAuth V1 Portal":
https://thingspace.verizon.com/resources/documentation/connectivity/API_Reference/Synchronous_Error_Messages/
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from http.client import responses
from typing import Any, Union

from ._http import Answer, json_answer

Body = Union[str, bytes, dict[str, Any], list[Any], None]

_AM_FAULT = (
    '<am:fault xmlns:am="http://wso2.org/apimanager"><am:code>404</am:code>'
    "<am:type>Status report</am:type><am:message>Not Found</am:message>"
    "<am:description>The requested resource is not available.</am:description></am:fault>"
)


def no_such_resource(path: str) -> Answer:
    """400 fault 900906: the gateway knows no such path or method."""
    hint = "Check the API documentation and add a proper REST resource path to the invocation URL"
    message = "No matching resource found in the API for the given request"
    return _fault(400, "900906", message, _access(path, hint))


def missing_credentials(scheme: str) -> Answer:
    """401 fault 900902: no ``Authorization`` header of this scheme.

    Verizon prints the body for ``Basic``; that of a missing bearer is the same with its own scheme
    (the cell of the table is blank).
    """
    hint = f'Make sure your API invocation call has a header: "Authorization: {scheme} ACCESS_TOKEN"'
    return _fault(401, "900902", "Missing Credentials", f"Required OAuth credentials not provided. {hint}")


def wrong_bearer(path: str) -> Answer:
    """401 fault 900901: the bearer is wrong, expired or revoked; ThingSpace does not say which."""
    hint = "Make sure you have given the correct access token"
    return _fault(401, "900901", "Invalid Credentials", _access(path, hint))


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
        oauth = {"error": "invalid_client", "error_description": "Client Authentication failed."}
        return json_answer(oauth, 401) if at_token else wrong_bearer("/api/m2m/v1")
    if status == 400:
        oauth = {"error": "invalid_request", "error_description": told}
        m2m = {"errorCode": "UnifiedWebService.REQUEST_FAILED.AccountName", "errorMessage": told}
        return json_answer(oauth if at_token else m2m, 400)
    title = f"{status} {responses.get(status, '')}".strip()
    page = f"<html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>"
    text, kind = (_AM_FAULT, "application/xml") if status == 403 else (page, "text/html")
    return Answer(status, text.encode(), {"Content-Type": f"{kind}; charset=utf-8"})


def _fault(status: int, code: str, message: str, description: str) -> Answer:
    """A fault of the WSO2 gateway; its code is a JSON string."""
    return json_answer({"fault": {"code": code, "message": message, "description": description}}, status)


def _access(path: str, hint: str) -> str:
    """The description of a fault: the API is the first two segments after ``/api``."""
    segments = [segment for segment in path.removeprefix("/api/").split("/") if segment][:2]
    version = segments[1] if segments[1:] else "v1"
    return f"Access failure for API: /{'/'.join(segments)}, version: {version}. {hint}"
