"""A small account that never changes: what it holds depends on nothing but the request.

The fields are those of Verizon's pages; each function names its page. What is not there is a `RefusedError`.
A lenient sandbox has every account, with as many devices as `ACCOUNT`. ThingSpace does not have what is under
``/sandbox/``: it is for tests, and never shows the value of a header.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Container
from contextlib import suppress
from datetime import datetime, timedelta, timezone
from typing import Any, NoReturn

from ._messages import Answer, RefusedError, Request, gateway_fault, json_answer, m2m_refusal
from ._state import State

ACCOUNT = "0000123456-00001"
"""The account name of Verizon's own samples."""

_MOST_DEVICES = 2000  # "Retrieve Device Information": "each response includes up to 2000 devices"
# Which devices an account has; the other account is that of Verizon's simulator ("API Console").
_FLEETS = {ACCOUNT: range(250), "TestAccount-1": range(250, 255)}
_FLEET_OF_ANY_OTHER = range(255, 505)
_FIRST_ID = 1000001
_FIRST_ADDED = datetime(2024, 1, 1, tzinfo=timezone.utc)
_REDIRECTS = (301, 302, 303, 307, 308)


def account(request: Request, state: State) -> Answer:
    """``GET /api/m2m/v1/accounts/{name}``.

    https://thingspace.verizon.com/documentation/apis/connectivity-management/api-reference/get-account-information.html
    """
    name = request.path.rpartition("/")[2]
    _fleet(name, state)
    plan = {"name": "2MSHR5GB", "code": "M2MSHR5GB", "sizeKb": 0, "carrierServicePlanCode": "84638"}
    described = {
        "accountName": name,
        "accountNumber": name,
        "organizationName": "Sandbox Telematics",
        "isProvisioningAllowed": True,
        "carriers": ["Verizon Wireless"],
        "features": ["Static IP", "Dynamic IP"],
        "ipPools": [{"poolName": "Dynamic IP", "poolType": "Dynamic IP", "isDefaultPool": True}],
        "servicePlans": [plan],
    }
    return json_answer(described)


def devices(request: Request, state: State) -> Answer:
    """``POST /api/m2m/v1/devices/actions/list``.

    Paging as "Retrieve Device Information" tells it: up to 2000 devices (or ``maxNumberOfDevices``), and
    ``hasMoreData`` while there are more. With ``largestDeviceIdSeen`` they come by device ID from the next
    one on; without it by the date they were added, and ``earliest`` goes on from there. The device ID is the
    extended attribute ``DeviceId``. An answer with more to come has status 202 (SDK 2.0.0,
    ``verizon/models/account_device_list_result.py``).
    https://thingspace.verizon.com/documentation/apis/connectivity-management/api-reference/retrieve-device-information.html
    """
    query = request.json() if request.body else {}
    wrong = m2m_refusal(f"maxNumberOfDevices is 1 to {_MOST_DEVICES}.")
    most = _number(query.get("maxNumberOfDevices", _MOST_DEVICES), range(1, _MOST_DEVICES + 1), wrong)
    wrong = m2m_refusal("largestDeviceIdSeen is a device ID.")
    seen = _number(query.get("largestDeviceIdSeen", 0), range(10**9), wrong)
    name, wanted, earliest = query.get("accountName"), query.get("deviceId"), str(query.get("earliest", ""))
    fleets = _FLEETS if name is None else {str(name): _fleet(str(name), state)}
    later = [_device(owner, n) for owner, fleet in fleets.items() for n in fleet if _FIRST_ID + n > seen]
    found = [one for one in later if one["createdAt"] > earliest and wanted in (None, *one["deviceIds"])]
    more = len(found) > most
    return json_answer({"hasMoreData": more, "devices": found[:most]}, 202 if more else 200)


def targets(_request: Request, _state: State) -> Answer:
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


def service_endpoints(_request: Request, _state: State) -> Answer:
    """``GET /api/mec/eds/serviceendpoints`` (``ListOptimalServiceEndpointsResult`` of Verizon's SDK)."""
    endpoint = {
        "ern": "us-east-1-wl1-bos-wlz-1",
        "serviceEndpoint": {"FQDN": "edge.example.com", "IPv4Address": "192.0.2.10", "port": 443},
        "applicationServerProviderId": "AWS",
        "applicationId": "sandbox-application",
        "serviceDescription": "Sandbox service",
    }
    return json_answer({"serviceEndpoints": [endpoint]})


def registration(request: Request, _state: State) -> Answer:
    """``POST /api/v2/clients/registration`` on ``imp.`` (``ClientRegistrationResponse`` of the SDK).

    The device's certificate is left out: the sandbox has no message exchange to connect to.
    """
    described = repr(sorted(request.json().items()))
    return json_answer({"DeviceID": str(uuid.uuid5(uuid.NAMESPACE_URL, described))})


def plausible(request: Request, _state: State) -> Answer:
    """What many M2M resources answer: the ID of a request whose outcome a callback would tell."""
    asked = f"{request.method} {request.path}"
    return json_answer({"requestId": str(uuid.uuid5(uuid.NAMESPACE_URL, asked))})


def echo(request: Request, _state: State) -> Answer:
    """``/sandbox/echo``: method, length and SHA-256 of the body, and the names of the headers."""
    names, digest = sorted(map(str.lower, request.headers)), hashlib.sha256(request.body).hexdigest()
    told = {"method": request.method, "length": len(request.body), "sha256": digest, "headers": names}
    return json_answer(told)


def redirect(request: Request, _state: State) -> Answer:
    """``/sandbox/redirect?to=URL&status=302``: a redirect to anywhere."""
    wrong = RefusedError({"error": f"Give to=URL, and status= one of {_REDIRECTS}."})
    to, status = request.query.get("to", ""), _number(request.query.get("status", 302), _REDIRECTS, wrong)
    if not to or not to.isascii() or not to.isprintable():
        raise wrong
    return Answer(status, headers={"Location": to})


def download(request: Request, _state: State) -> Answer:
    """``/sandbox/bytes?n=1000``: that many bytes, 0 to 255 and again, as a stream."""
    size = _number(
        request.query.get("n"), range(10**9), RefusedError({"error": "Give n= a number of bytes."})
    )
    block = bytes(range(256)) * 256
    blocks = (block[: size - start] for start in range(0, size, len(block)))
    headers = {"Content-Type": "application/octet-stream", "Content-Length": str(size)}
    return Answer(200, blocks, headers)


def status(request: Request, _state: State) -> Answer:
    """``/sandbox/status/503``: an answer with this HTTP status, and JSON that says so."""
    wrong = RefusedError({"error": "Give a final HTTP status, 200 to 599."})
    code = _number(request.path.rpartition("/")[2], range(200, 600), wrong)
    return json_answer({"status": code}, code)


def nowhere(request: Request, _state: State) -> NoReturn:
    """Every other method and path."""
    raise gateway_fault("900906", request.path)


def _fleet(name: str, state: State) -> range:
    """The numbers of the devices of this account."""
    if name not in _FLEETS and not state.lenient:
        raise m2m_refusal("The account was not found.", "REQUEST_FAILED.AccountNotFound")
    return _FLEETS.get(name, _FLEET_OF_ANY_OTHER)


def _device(owner: str, number: int) -> dict[str, Any]:
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
        "extendedAttributes": [{"key": "DeviceId", "value": str(_FIRST_ID + number)}],
        "groupNames": [f"Default: {owner}"],
        "ipAddress": f"10.0.{number // 256}.{number % 256}",
        "lastActivationDate": added,
    }


def _number(given: Any, allowed: Container[int], otherwise: RefusedError) -> int:
    """The whole number that a request gives."""
    with suppress(TypeError, ValueError, OverflowError):
        if int(given) in allowed:
            return int(given)
    raise otherwise
