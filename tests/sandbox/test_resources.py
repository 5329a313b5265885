"""The resources: accounts, devices page by page, edge, imp, and what is not there."""

import pytest

from .client import refusal


@pytest.fixture
def devices(client, sandbox):
    """A function that lists devices."""
    headers = client.both()
    url = f"{sandbox.origin}/api/m2m/v1/devices/actions/list"
    return lambda query: client.http.post(url, headers=headers, json=query)


def device_id(device):
    """The number that largestDeviceIdSeen speaks of."""
    return next(int(x["value"]) for x in device["extendedAttributes"] if x["key"] == "DeviceId")


def test_an_account_is_described(client):
    """Its name and carriers, as ThingSpace gives them; another one is a 400 with ThingSpace's own code."""
    headers = client.both()
    for name in ("0000123456-00001", "TestAccount-1"):
        answer = client.account(headers, name)
        assert (answer.status_code, answer.json()["accountName"]) == (200, name)
        assert answer.json()["carriers"] == ["Verizon Wireless"]
    assert refusal(client.account(headers, "TestAccount-9")) == (400, "REQUEST_FAILED.AccountNotFound")


def test_devices_come_page_by_page_after_the_largest_id_seen(devices, sandbox):
    """Until there are no more, and none twice."""
    found, seen, statuses, more = [], 0, [], True
    while more:
        query = {"accountName": sandbox.account, "maxNumberOfDevices": 100, "largestDeviceIdSeen": seen}
        answer = devices(query)
        found += answer.json()["devices"]
        statuses.append(answer.status_code)
        seen, more = device_id(found[-1]), answer.json()["hasMoreData"]
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


def test_a_query_that_makes_no_sense_is_refused(devices):
    """With a 400, before any device is looked for."""
    wrong = [{"maxNumberOfDevices": value} for value in (0, 2001, "many")]
    wrong += [{"accountName": value} for value in ("other", ["x"])]
    for query in ([], "x", {"largestDeviceIdSeen": None}, *wrong):
        status, code = refusal(devices(query))
        assert (status, code.split(".")[0]) in [(400, "INPUT_INVALID"), (400, "REQUEST_FAILED")]


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
    assert refusal(refused) == (400, "REQUEST_FAILED.SessionToken.Format")


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
    described = answer.json()["fault"]
    assert refusal(answer) == (400, "900906")
    assert described["message"] == "No matching resource found in the API for the given request"
    assert described["description"].startswith(f"Access failure for API: {api}")
