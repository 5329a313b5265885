"""A small account that never changes: what it holds depends on nothing but the request.

The fields are those of Verizon's pages; each function names its page. A request for what is not there raises
`M2MError`. A lenient sandbox has every account, with as many devices as `ACCOUNT`. ThingSpace does not have
what is under ``/sandbox/``: it is for tests, and never shows the value of a header.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta, timezone
from typing import Any

from ._http import Answer, Request, json_answer
from ._sessions import INPUT_INVALID, M2MError

ACCOUNT = "0000123456-00001"
"""The account name of Verizon's own samples."""

_MOST_DEVICES = 2000  # "Retrieve Device Information": "each response includes up to 2000 devices"
# The other account is that of Verizon's simulator (Connectivity Management, "API Console").
_DEVICES = {ACCOUNT: 250, "TestAccount-1": 5}
_FIRST_DEVICE_ID = 1000001
_FIRST_ADDED = datetime(2024, 1, 1, tzinfo=timezone.utc)
_REDIRECTS = (301, 302, 303, 307, 308)


def account(request: Request, *, lenient: bool) -> Answer:
    """``GET /api/m2m/v1/accounts/{name}``.

    https://thingspace.verizon.com/documentation/apis/connectivity-management/api-reference/get-account-information.html
    """
    name = request.path.rpartition("/")[2]
    _fleet(name, lenient)
    pool = {"poolName": "Dynamic IP", "poolType": "Dynamic IP", "isDefaultPool": True}
    plan = {"name": "2MSHR5GB", "code": "M2MSHR5GB", "sizeKb": 0, "carrierServicePlanCode": "84638"}
    described = {
        "accountName": name,
        "accountNumber": name,
        "organizationName": "Sandbox Telematics",
        "isProvisioningAllowed": True,
        "carriers": ["Verizon Wireless"],
        "features": ["Static IP", "Dynamic IP"],
        "ipPools": [pool],
        "servicePlans": [plan],
    }
    return json_answer(described)


def devices(request: Request, *, lenient: bool) -> Answer:
    """``POST /api/m2m/v1/devices/actions/list``.

    Paging as "Retrieve Device Information" tells it: up to 2000 devices (or ``maxNumberOfDevices``), and
    ``hasMoreData`` while there are more. With ``largestDeviceIdSeen`` they come by device ID from the next
    one on; without it by the date they were added, and ``earliest`` goes on from there. The device ID is the
    extended attribute ``DeviceId``. An answer with more to come has status 202 (SDK 2.0.0,
    ``verizon/models/account_device_list_result.py``).
    https://thingspace.verizon.com/documentation/apis/connectivity-management/api-reference/retrieve-device-information.html
    """
    query = _json_object(request) if request.length else {}
    most = _number(query, "maxNumberOfDevices", _MOST_DEVICES)
    if not 1 <= most <= _MOST_DEVICES:
        raise M2MError(INPUT_INVALID, f"maxNumberOfDevices is 1 to {_MOST_DEVICES}.")
    found = list(_matching(query, lenient))
    more = len(found) > most
    return json_answer({"hasMoreData": more, "devices": found[:most]}, 202 if more else 200)


def targets(_request: Request) -> Answer:
    """``POST /api/cc/v1/targets/actions/query``: an array of target resources.

    https://thingspace.verizon.com/content/thingspace-portal/documentation/apis/streaming-cloud-connector/api-reference/query-targets.html
    """
    target = {
        "id": "dd1682d3-2d80-cefc-f3ee-25154800beff",
        "kind": "ts.target",
        "name": "Sandbox target",
        "addressscheme": "streamrest",
        "billingaccountid": ACCOUNT,
    }
    return json_answer([target])


def service_endpoints(_request: Request) -> Answer:
    """``GET /api/mec/eds/serviceendpoints`` (``ListOptimalServiceEndpointsResult`` of Verizon's SDK)."""
    endpoint = {
        "ern": "us-east-1-wl1-bos-wlz-1",
        "serviceEndpoint": {"FQDN": "edge.example.com", "IPv4Address": "192.0.2.10", "port": 443},
        "applicationServerProviderId": "AWS",
        "applicationId": "sandbox-application",
        "serviceDescription": "Sandbox service",
    }
    return json_answer({"serviceEndpoints": [endpoint]})


def registration(request: Request) -> Answer:
    """``POST /api/v2/clients/registration`` on ``imp.`` (``ClientRegistrationResponse`` of the SDK).

    The device's certificate is left out: the sandbox has no message exchange to connect to.
    """
    given = repr(sorted(_json_object(request).items()))
    return json_answer({"DeviceID": str(uuid.uuid5(uuid.NAMESPACE_URL, given))})


def plausible(request: Request) -> Answer:
    """What many M2M resources answer: the ID of a request whose outcome a callback would tell."""
    asked = f"{request.method} {request.path}"
    return json_answer({"requestId": str(uuid.uuid5(uuid.NAMESPACE_URL, asked))})


def echo(request: Request) -> Answer:
    """``/sandbox/echo``: method, length and SHA-256 of the body, and the names of the headers."""
    told = {"method": request.method, "length": request.length, "sha256": request.sha256}
    return json_answer({**told, "headers": sorted(request.headers)})


def redirect(request: Request) -> Answer:
    """``/sandbox/redirect?to=URL&status=302``: a redirect to anywhere."""
    to, status = request.query.get("to", ""), _whole_number(request.query.get("status", "302"))
    if status not in _REDIRECTS or not to or not to.isascii() or not to.isprintable():
        return _misused(f"Give to=URL, and status= one of {_REDIRECTS}.")
    return Answer(status, headers={"Location": to})


def download(request: Request) -> Answer:
    """``/sandbox/bytes?n=1000``: that many bytes, 0 to 255 and again, as a stream."""
    size = _whole_number(request.query.get("n", ""))
    if size < 0:
        return _misused("Give n= a number of bytes.")
    block = bytes(range(256)) * 256
    blocks = (block[: size - start] for start in range(0, size, len(block)))
    headers = {"Content-Type": "application/octet-stream", "Content-Length": str(size)}
    return Answer(200, blocks, headers)


def status(request: Request) -> Answer:
    """``/sandbox/status/503``: an answer with this HTTP status, and JSON that says so."""
    code = _whole_number(request.path.rpartition("/")[2])
    if not 200 <= code <= 599:
        return _misused("Give a final HTTP status, 200 to 599.")
    return json_answer({"status": code}, code)


def _fleet(name: str, lenient: bool) -> dict[str, int]:
    """The account `name`, with the number of its devices."""
    if name not in _DEVICES and not lenient:
        raise M2MError("UnifiedWebService.REQUEST_FAILED.AccountNotFound", "The account was not found.")
    return {name: _DEVICES.get(name, _DEVICES[ACCOUNT])}


def _matching(query: Mapping[str, Any], lenient: bool) -> Iterator[dict[str, Any]]:
    """The devices that match the body's parameters, in the order of their IDs and dates."""
    name = query.get("accountName")
    chosen = _DEVICES if name is None else _fleet(str(name), lenient)
    seen = _number(query, "largestDeviceIdSeen", 0)
    earliest, wanted = str(query.get("earliest", "")), query.get("deviceId")
    everyone = {**_DEVICES, **chosen}
    for number, owner in enumerate(owner for owner, count in everyone.items() for _ in range(count)):
        device = _device(number, owner)
        if owner not in chosen or _FIRST_DEVICE_ID + number <= seen or device["createdAt"] <= earliest:
            continue
        if wanted is None or wanted in device["deviceIds"]:
            yield device


def _device(number: int, owner: str) -> dict[str, Any]:
    added = f"{_FIRST_ADDED + timedelta(minutes=number):%Y-%m-%dT%H:%M:%SZ}"
    return {
        "accountName": owner,
        "carrierInformations": [{"carrierName": "Verizon Wireless", "state": "active"}],
        "connected": number % 2 == 0,
        "createdAt": added,
        "deviceIds": [
            {"id": f"99000{number:010d}", "kind": "imei"},
            {"id": f"8914800000{number:010d}", "kind": "iccid"},
        ],
        "extendedAttributes": [{"key": "DeviceId", "value": str(_FIRST_DEVICE_ID + number)}],
        "groupNames": [f"Default: {owner}"],
        "ipAddress": f"10.0.{number // 256}.{number % 256}",
        "lastActivationDate": added,
    }


def _json_object(request: Request) -> dict[str, Any]:
    given = request.json()
    if not isinstance(given, dict):
        raise M2MError(INPUT_INVALID, "The request body is a JSON object.")
    return given


def _number(query: Mapping[str, Any], name: str, default: int) -> int:
    try:
        return int(query.get(name, default))
    except (TypeError, ValueError, OverflowError):
        raise M2MError(INPUT_INVALID, f"{name} is a whole number.") from None


def _whole_number(text: str) -> int:
    """The number, or -1; nine digits are enough for everything here, and keep int() from long texts."""
    return int(text) if text.isdecimal() and len(text) < 10 else -1


def _misused(hint: str) -> Answer:
    return json_answer({"error": hint}, 400)
