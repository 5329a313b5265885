"""The resources: accounts, devices page by page, edge, imp, and what is not there."""

import pytest


@pytest.fixture
def devices(client, sandbox):
    """A function that lists devices."""
    headers = client.both()

    def devices(query):
        url = f"{sandbox.origin}/api/m2m/v1/devices/actions/list"
        return client.http.post(url, headers=headers, json=query)

    return devices


def device_id(device):
    """The number that largestDeviceIdSeen speaks of."""
    return next(int(x["value"]) for x in device["extendedAttributes"] if x["key"] == "DeviceId")


@pytest.mark.parametrize("name", ["0000123456-00001", "TestAccount-1"])
def test_an_account_is_described(client, name):
    """Its name and carriers, as ThingSpace gives them."""
    answer = client.account(client.both(), name)
    assert answer.status_code == 200
    assert answer.json()["accountName"] == name
    assert answer.json()["carriers"] == ["Verizon Wireless"]


def test_another_account_is_not_found(client):
    """A 400 with ThingSpace's own code."""
    answer = client.account(client.both(), "TestAccount-9")
    assert answer.status_code == 400
    assert answer.json()["errorCode"] == "UnifiedWebService.REQUEST_FAILED.AccountNotFound"


def test_devices_come_page_by_page_after_the_largest_id_seen(devices, sandbox):
    """Until there are no more, and none twice."""
    found, seen, statuses = [], 0, []
    while True:
        query = {"accountName": sandbox.account, "maxNumberOfDevices": 100, "largestDeviceIdSeen": seen}
        answer = devices(query)
        found += answer.json()["devices"]
        statuses.append(answer.status_code)
        if not answer.json()["hasMoreData"]:
            break
        seen = device_id(found[-1])
    ids = [device_id(device) for device in found]
    assert len(ids) == len(set(ids)) == 250
    assert ids == sorted(ids)
    assert statuses == [202, 202, 200]


def test_devices_come_by_date_after_the_earliest(devices):
    """The 200 with the last page; a 202 says that there are more."""
    first = devices({"maxNumberOfDevices": 200})
    assert first.status_code == 202
    second = devices({"earliest": first.json()["devices"][-1]["createdAt"]})
    assert second.status_code == 200
    assert len(second.json()["devices"]) == 55


def test_without_parameters_all_devices_are_listed(devices):
    """One is found by any of its identifiers."""
    found = devices(None).json()["devices"]
    assert len(found) == 255
    for identifier in found[7]["deviceIds"]:
        assert devices({"deviceId": identifier}).json()["devices"] == [found[7]]


@pytest.mark.parametrize(
    "query",
    [
        [],
        "x",
        {"maxNumberOfDevices": 0},
        {"maxNumberOfDevices": 2001},
        {"maxNumberOfDevices": "many"},
        {"largestDeviceIdSeen": None},
        {"accountName": "other"},
        {"accountName": ["x"]},
    ],
)
def test_a_query_that_makes_no_sense_is_refused(devices, query):
    """With a 400, before any device is looked for."""
    answer = devices(query)
    assert answer.status_code == 400
    assert answer.json()["errorCode"].startswith("UnifiedWebService.")


def test_5gedge_wants_the_bearer_only(client, sandbox):
    """No session is needed there."""
    url = f"{sandbox.edge_origin}/api/mec/eds/serviceendpoints"
    assert client.http.get(url).status_code == 401
    answer = client.http.get(url, headers=client.bearer())
    assert answer.status_code == 200
    assert answer.json()["serviceEndpoints"][0]["serviceEndpoint"]["port"] == 443


def test_imp_registers_a_client_whose_session_is_in_another_header(client, sandbox):
    """It reads SessionToken, not VZ-M2M-Token."""
    url = f"{sandbox.imp_origin}/api/v2/clients/registration"
    headers = client.both("SessionToken")
    body = {"ClientType": "Vehicle", "ClientSubtype": "PassengerCar", "VendorID": "Sandbox"}
    first, again = (client.http.post(url, headers=headers, json=body).json()["DeviceID"] for _ in "ab")
    assert first == again
    assert client.http.post(url, headers=headers, json=[]).status_code == 400
    refused = client.http.post(url, headers=client.both(), json=body)
    assert refused.status_code == 400
    assert refused.json()["errorCode"] == "UnifiedWebService.REQUEST_FAILED.SessionToken.Format"


@pytest.mark.parametrize(
    ("origin", "path", "api"),
    [
        ("origin", "/api/m2m/v1/nothing", "/m2m/v1, version: v1"),
        ("origin", "/api/m2m/v2/session/token", "/m2m/v2, version: v2"),
        ("origin", "/api/m2m/v1/session/login", "/m2m/v1, version: v1"),
        ("origin", "/", "/, version: v1"),
        ("origin", "/api/mec/eds/serviceendpoints", "/mec/eds"),
        ("edge_origin", "/api/m2m/v1/accounts/0000123456-00001", "/m2m/v1"),
    ],
)
def test_what_is_not_there_is_fault_900906(client, sandbox, origin, path, api):
    """A resource is on its own origin only."""
    answer = client.http.get(getattr(sandbox, origin) + path, headers=client.both())
    assert answer.status_code == 400
    described = answer.json()["fault"]
    assert described["code"] == "900906"
    assert described["message"] == "No matching resource found in the API for the given request"
    assert described["description"].startswith(f"Access failure for API: {api}")
