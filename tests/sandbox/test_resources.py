"""The resources: accounts, devices page by page, edge, imp, what is not there, and the aids for tests."""

import hashlib

import pytest


@pytest.fixture
def devices(client, sandbox):
    """A function that lists devices."""
    headers = client.both()
    url = f"{sandbox.origin}/api/m2m/v1/devices/actions/list"
    return lambda query: client.http.post(url, headers=headers, json=query)


def device_id(device):
    """The number that largestDeviceIdSeen speaks of."""
    return next(int(x["value"]) for x in device["extendedAttributes"] if x["key"] == "DeviceId")


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


def test_each_origin_has_its_own_resources(client, sandbox):
    """Accounts want both tokens, 5gedge. the bearer only, and imp. the session in another header."""
    headers = client.both()
    for name in ("0000123456-00001", "TestAccount-1"):
        answer = client.account(headers, name)
        assert (answer.status_code, answer.json()["accountName"]) == (200, name)
        assert answer.json()["carriers"] == ["Verizon Wireless"]
    answer = client.http.get(f"{sandbox.edge_origin}/api/mec/eds/serviceendpoints", headers=client.bearer())
    assert answer.json()["serviceEndpoints"][0]["serviceEndpoint"]["port"] == 443
    url, headers = f"{sandbox.imp_origin}/api/v2/clients/registration", client.both("SessionToken")
    body = {"ClientType": "Vehicle", "ClientSubtype": "PassengerCar", "VendorID": "Sandbox"}
    first, again = (client.http.post(url, headers=headers, json=body).json()["DeviceID"] for _ in "ab")
    assert first == again


# The aids


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


PATTERN = bytes(range(256)) * 1000
ELSEWHERE = "https://other.example/x?a=1"
TO = "redirect?to=https%3A%2F%2Fother.example%2Fx%3Fa%3D1"


@pytest.mark.parametrize(
    ("asked", "status", "content", "location"),
    [
        *[
            (f"status/{code}", code, b'{"status": %d}' % code, None)
            for code in (200, 401, 404, 429, 503, 599)
        ],
        *[(f"status/{code}", code, b"", None) for code in (204, 304)],  # which allow no body
        *[(f"bytes?n={size}", 200, PATTERN[:size], None) for size in (0, 1, 65_536, 200_001)],
        *[(f"{TO}&status={code}", code, b"", ELSEWHERE) for code in (301, 303, 307, 308)],
        (TO, 302, b"", ELSEWHERE),
    ],
)
def test_an_aid_answers_as_the_test_says(client, asked, status, content, location):
    """With any status, as many bytes, or a redirect to anywhere; to HEAD, with the headers alone."""
    answer, head = client.aid(asked, "POST", data=b"abc"), client.aid(asked, "HEAD")
    assert (answer.status_code, answer.content, answer.headers.get("Location")) == (status, content, location)
    assert answer.headers["Content-Length"] == head.headers["Content-Length"] == str(len(content))
    assert (head.status_code, head.content) == (status, b"")


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
