"""A small account that never changes: what it holds depends on nothing but the request.

The fields are those of Verizon's pages; each function names its page.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta, timezone
from typing import Any

from ._sessions import M2MError

ACCOUNT = "0000123456-00001"
"""The account name of Verizon's own samples."""

TEST_ACCOUNT = "TestAccount-1"
"""The account of Verizon's simulator (Connectivity Management, "API Console")."""

MOST_DEVICES = 2000
"""Devices in one answer ("Retrieve Device Information": "each response includes up to 2000 devices")."""

ACCOUNT_UNKNOWN = "UnifiedWebService.REQUEST_FAILED.AccountNotFound"

INPUT_INVALID = "UnifiedWebService.INPUT_INVALID.Request.Invalid"
"""The sandbox's own, for a body that it cannot read."""

_DEVICES = {ACCOUNT: 250, TEST_ACCOUNT: 5}
_FIRST_DEVICE_ID = 1000001
_FIRST_ADDED = datetime(2024, 1, 1, tzinfo=timezone.utc)


def account(name: str) -> dict[str, Any]:
    """``GET /api/m2m/v1/accounts/{name}``.

    https://thingspace.verizon.com/documentation/apis/connectivity-management/api-reference/get-account-information.html

    Raises:
        M2MError: there is no such account.
    """
    if name not in _DEVICES:
        raise M2MError(ACCOUNT_UNKNOWN, "The account was not found.")
    return {
        "accountName": name,
        "accountNumber": name,
        "organizationName": "Sandbox Telematics",
        "isProvisioningAllowed": True,
        "carriers": ["Verizon Wireless"],
        "features": ["Static IP", "Dynamic IP"],
        "ipPools": [{"poolName": "Dynamic IP", "poolType": "Dynamic IP", "isDefaultPool": True}],
        "servicePlans": [
            {"name": "2MSHR5GB", "code": "M2MSHR5GB", "sizeKb": 0, "carrierServicePlanCode": "84638"}
        ],
    }


def devices(query: Any) -> tuple[int, dict[str, Any]]:
    """``POST /api/m2m/v1/devices/actions/list``: HTTP status and body.

    Paging as "Retrieve Device Information" tells it: up to 2000 devices (or ``maxNumberOfDevices``), and
    ``hasMoreData`` while there are more. With ``largestDeviceIdSeen`` they come by device ID from the next
    one on; without it by the date they were added, and ``earliest`` goes on from there. The device ID is the
    extended attribute ``DeviceId``. An answer with more to come has status 202 (SDK 2.0.0,
    ``verizon/models/account_device_list_result.py``).
    https://thingspace.verizon.com/documentation/apis/connectivity-management/api-reference/retrieve-device-information.html

    Raises:
        M2MError: the account is unknown, or the body is not what the page describes.
    """
    if not isinstance(query, Mapping):
        raise M2MError(INPUT_INVALID, "The request body is a JSON object.")
    most = _number(query, "maxNumberOfDevices", MOST_DEVICES)
    if not 1 <= most <= MOST_DEVICES:
        raise M2MError(INPUT_INVALID, f"maxNumberOfDevices is 1 to {MOST_DEVICES}.")
    found = list(_matching(query))
    more = len(found) > most
    return (202 if more else 200), {"hasMoreData": more, "devices": found[:most]}


def targets() -> list[dict[str, Any]]:
    """``POST /api/cc/v1/targets/actions/query``: an array of target resources.

    https://thingspace.verizon.com/content/thingspace-portal/documentation/apis/streaming-cloud-connector/api-reference/query-targets.html
    """
    return [
        {
            "id": "dd1682d3-2d80-cefc-f3ee-25154800beff",
            "kind": "ts.target",
            "name": "Sandbox target",
            "addressscheme": "streamrest",
            "billingaccountid": ACCOUNT,
        }
    ]


def service_endpoints() -> dict[str, Any]:
    """``GET /api/mec/eds/serviceendpoints`` (``ListOptimalServiceEndpointsResult`` of Verizon's SDK)."""
    endpoint = {"FQDN": "edge.example.com", "IPv4Address": "192.0.2.10", "port": 443}
    return {
        "serviceEndpoints": [
            {
                "ern": "us-east-1-wl1-bos-wlz-1",
                "serviceEndpoint": endpoint,
                "applicationServerProviderId": "AWS",
                "applicationId": "sandbox-application",
                "serviceDescription": "Sandbox service",
            }
        ]
    }


def registration(request: Any) -> dict[str, Any]:
    """``POST /api/v2/clients/registration`` on ``imp.`` (``ClientRegistrationResponse`` of the SDK).

    The device's certificate is left out: the sandbox has no message exchange to connect to.

    Raises:
        M2MError: the body is no JSON object.
    """
    if not isinstance(request, Mapping):
        raise M2MError(INPUT_INVALID, "The request body is a JSON object.")
    return {"DeviceID": str(uuid.uuid5(uuid.NAMESPACE_URL, repr(sorted(request.items(), key=str))))}


def _matching(query: Mapping[Any, Any]) -> Iterator[dict[str, Any]]:
    """The devices that match the body's parameters, in the order of their IDs and dates."""
    name = query.get("accountName")
    if name is not None:
        account(str(name))
    seen = _number(query, "largestDeviceIdSeen", 0)
    earliest, wanted = str(query.get("earliest", "")), query.get("deviceId")
    for number, owner in enumerate(owner for owner, count in _DEVICES.items() for _ in range(count)):
        device = _device(number, owner)
        if name not in (None, owner) or _FIRST_DEVICE_ID + number <= seen or device["createdAt"] <= earliest:
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


def _number(query: Mapping[Any, Any], name: str, default: int) -> int:
    try:
        return int(query.get(name, default))
    except (TypeError, ValueError, OverflowError):
        raise M2MError(INPUT_INVALID, f"{name} is a whole number.") from None
