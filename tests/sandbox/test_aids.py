"""The test aids: what arrived, redirects, downloads and statuses."""

import hashlib

import pytest


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


WRONG_REDIRECTS = (
    "",
    "?to=",
    "?to=/x&status=200",
    "?to=/x&status=9999999999",
    "?to=/x%0d%0aA:b",
    "?to=%C3%A4",
)


@pytest.mark.parametrize(
    "wrong",
    [
        *[f"redirect{wrong}" for wrong in WRONG_REDIRECTS],
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
