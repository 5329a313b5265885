"""The test aids: what arrived, redirects, downloads and statuses."""

import hashlib

import pytest

from .client import Client


@pytest.fixture
def client(sandbox):
    with Client(sandbox) as client:
        yield client


@pytest.mark.parametrize("path", ["echo", "redirect?to=/", "bytes?n=1", "status/200"])
def test_all_of_them_want_the_bearer(client, sandbox, path):
    for origin in (sandbox.origin, sandbox.imp_origin, sandbox.edge_origin):
        assert client.http.get(f"{origin}/sandbox/{path}").status_code == 401


@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_echo_tells_what_arrived_and_no_value_of_a_header(client, method):
    answer = client.aid("echo", method, data=b"abc", headers={"X-Secret": "the-value"})
    told = answer.json()
    assert told["method"] == method
    assert (told["length"], told["sha256"]) == (3, hashlib.sha256(b"abc").hexdigest())
    assert {"authorization", "x-secret", "content-length", "host"} <= set(told["headers"])
    assert "the-value" not in answer.text


@pytest.mark.parametrize("how", ["whole", "chunked"])
def test_a_large_upload_arrives_whole(client, how):
    body = bytes(range(251)) * 20_000
    data = body if how == "whole" else (body[at : at + 100_000] for at in range(0, len(body), 100_000))
    told = client.aid("echo", "POST", data=data).json()
    assert told["length"] == len(body)
    assert told["sha256"] == hashlib.sha256(body).hexdigest()


@pytest.mark.parametrize("how", ["whole", "chunked"])
def test_after_a_refused_upload_the_connection_is_good_for_the_next_request(client, sandbox, how):
    data = b"x" * 3_000_000 if how == "whole" else iter([b"x" * 70_000] * 20)
    refused = client.http.post(f"{sandbox.origin}/sandbox/echo", data=data)
    assert refused.status_code == 401
    assert client.aid("echo").status_code == 200


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_goes_where_the_test_says(client, status):
    answer = client.aid(f"redirect?to=https%3A%2F%2Fother.example%2Fx%3Fa%3D1&status={status}")
    assert (answer.status_code, answer.headers["Location"]) == (status, "https://other.example/x?a=1")


def test_a_redirect_is_302_by_itself_and_answers_any_method(client):
    assert client.aid("redirect?to=/x", "POST", data=b"abc").status_code == 302


@pytest.mark.parametrize(
    "wrong",
    [
        "redirect",
        "redirect?to=",
        "redirect?to=/x&status=200",
        "redirect?to=/x&status=9999999999",
        "redirect?to=/x%0d%0aA:b",
        "redirect?to=%C3%A4",
        "bytes",
        "bytes?n=-1",
        "bytes?n=%C2%B2",
        "status/",
        "status/199",
        "status/600",
        "status/x",
    ],
)
def test_a_misused_aid_says_how_to_use_it(client, wrong):
    answer = client.aid(wrong)
    assert answer.status_code == 400
    assert answer.json()["error"].startswith("Give ")


@pytest.mark.parametrize("size", [0, 1, 65_536, 200_001])
def test_a_download_has_as_many_bytes_as_were_asked_for(client, size):
    answer = client.aid(f"bytes?n={size}", stream=True)
    content = b"".join(answer.iter_content(10_000))
    assert int(answer.headers["Content-Length"]) == len(content) == size
    assert content == (bytes(range(256)) * (size // 256 + 1))[:size]


@pytest.mark.parametrize("status", [200, 204, 304, 401, 404, 429, 503, 599])
def test_any_status_can_be_had(client, status):
    answer = client.aid(f"status/{status}")
    assert answer.status_code == status
    assert answer.content == b"" if status in (204, 304) else answer.json() == {"status": status}
    assert client.aid("status/200").status_code == 200


def test_head_is_answered_without_a_body(client):
    answer = client.aid("echo", "HEAD")
    assert (answer.status_code, answer.content) == (200, b"")
    assert int(answer.headers["Content-Length"]) > 0
    assert client.aid("echo").status_code == 200
