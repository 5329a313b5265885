"""The resources: accounts, devices page by page, edge, imp, what is not there, and the aids for tests."""

import hashlib

import pytest

from .conftest import refusal


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
    """The 200 with the last page; a 202 says that there are more. One is found by any of its identifiers."""
    first = devices({"maxNumberOfDevices": 200})
    assert first.status_code == 202
    second = devices({"earliest": first.json()["devices"][-1]["createdAt"]})
    assert second.status_code == 200
    assert len(second.json()["devices"]) == 55
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


# The aids


@pytest.mark.parametrize("path", ["echo", "redirect?to=/", "bytes?n=1", "status/200"])
def test_all_of_them_want_the_bearer(client, sandbox, path):
    """The aids are part of the API."""
    for origin in (sandbox.origin, sandbox.imp_origin, sandbox.edge_origin):
        assert client.http.get(f"{origin}/sandbox/{path}").status_code == 401


@pytest.mark.parametrize("method", ["POST", "PUT"])
@pytest.mark.parametrize("how", ["whole", "chunked"])
def test_echo_tells_what_arrived_and_no_value_of_a_header(client, how, method):
    """A large upload as well, after one that was refused on the same connection."""
    body = bytes(range(251)) * 20_000
    pieces = [body[at : at + 100_000] for at in range(0, len(body), 100_000)]
    refused = client.http.post(f"{client.sandbox.origin}/sandbox/echo", data=iter(pieces))
    assert refused.status_code == 401
    data = body if how == "whole" else iter(pieces)
    answer = client.aid("echo", method, data=data, headers={"X-Secret": "the-value"})
    told = answer.json()
    assert (told["method"], told["length"]) == (method, len(body))
    assert told["sha256"] == hashlib.sha256(body).hexdigest()
    assert {"authorization", "x-secret", "host"} <= set(told["headers"])
    assert "the-value" not in answer.text


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_goes_where_the_test_says(client, status):
    """To any URL, with any status of a redirect."""
    to = "https%3A%2F%2Fother.example%2Fx%3Fa%3D1"
    answer = client.aid(f"redirect?to={to}" + f"&status={status}" * (status != 302), "POST", data=b"abc")
    assert (answer.status_code, answer.headers["Location"]) == (status, "https://other.example/x?a=1")


@pytest.mark.parametrize(
    "wrong",
    [
        "redirect",
        *[f"redirect?to={wrong}" for wrong in ("", "/x&status=200", "/x&status=6", "/x%0d%0aA:b", "%C3%A4")],
        *[f"bytes{wrong}" for wrong in ("", "?n=-1", "?n=%C2%B2")],
        *[f"status/{wrong}" for wrong in ("", "199", "600", "x")],
    ],
)
def test_a_misused_aid_says_how_to_use_it(client, wrong):
    """The answer names the parameter."""
    answer = client.aid(wrong)
    assert answer.status_code == 400
    assert answer.json()["error"].startswith("Give ")


@pytest.mark.parametrize("size", [0, 1, 65_536, 200_001])
def test_a_download_has_as_many_bytes_as_were_asked_for(client, size):
    """Whole, or in chunks."""
    answer = client.aid(f"bytes?n={size}", stream=True)
    content = b"".join(answer.iter_content(10_000))
    assert int(answer.headers["Content-Length"]) == len(content) == size
    assert content == (bytes(range(256)) * (size // 256 + 1))[:size]


@pytest.mark.parametrize("status", [200, 204, 304, 401, 404, 429, 503, 599])
def test_any_status_can_be_had(client, status):
    """With its number in the body, where a body is allowed; to HEAD, with the headers alone."""
    answer = client.aid(f"status/{status}")
    assert answer.status_code == status
    assert answer.content == b"" if status in (204, 304) else answer.json() == {"status": status}
    head = client.aid(f"status/{status}", "HEAD")
    assert (head.status_code, head.content) == (status, b"")
    assert head.headers["Content-Length"] == answer.headers["Content-Length"]
    assert client.aid("status/200").status_code == 200
