"""The API calls of the soak, each with what makes it right.

A call raises `WrongAnswerError` where a 200 does not hold what it should: an upload that arrived in part, a
download that ended early.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable
from typing import Any

import requests

from . import READ_TIMEOUT

_TIMEOUT = (READ_TIMEOUT, READ_TIMEOUT)
_UPLOAD = bytes(range(256)) * 800
_DIGEST = hashlib.sha256(_UPLOAD).hexdigest()
_DOWNLOAD = 300_000

Call = Callable[[requests.Session, Any], requests.Response]


class WrongAnswerError(Exception):
    """A 200 that is not what was asked for."""


def account(session: requests.Session, place: Any) -> requests.Response:
    """A resource that wants both tokens."""
    url = f"{place['origin']}/api/m2m/v1/accounts/{place['account']}"
    return _with(session.get(url, timeout=_TIMEOUT), lambda body: body["accountName"] == place["account"])


def devices(session: requests.Session, place: Any) -> requests.Response:
    """A JSON body that may have to be sent twice."""
    url = f"{place['origin']}/api/m2m/v1/devices/actions/list"
    query = {"accountName": "TestAccount-1"}
    return _with(session.post(url, json=query, timeout=_TIMEOUT), lambda body: len(body["devices"]) == 5)


def targets(session: requests.Session, place: Any) -> requests.Response:
    """Cloud Connector, which reports a dead session in words of its own."""
    return session.post(f"{place['origin']}/api/cc/v1/targets/actions/query", json={}, timeout=_TIMEOUT)


def edge(session: requests.Session, place: Any) -> requests.Response:
    """Another origin, which wants the bearer only."""
    return session.get(f"{place['edge_origin']}/api/mec/eds/serviceendpoints", timeout=_TIMEOUT)


def registration(session: requests.Session, place: Any) -> requests.Response:
    """Another origin, where the session token's header has another name."""
    return session.post(f"{place['imp_origin']}/api/v2/clients/registration", json={}, timeout=_TIMEOUT)


def redirected(session: requests.Session, place: Any) -> requests.Response:
    """A redirect to another covered origin."""
    to = {"to": f"{place['edge_origin']}/sandbox/echo", "status": "307"}
    return session.get(f"{place['origin']}/sandbox/redirect", params=to, timeout=_TIMEOUT)


def upload(session: requests.Session, place: Any) -> requests.Response:
    """A file that has to be rewound if it is sent twice."""
    url = f"{place['origin']}/sandbox/echo"
    answer = session.put(url, data=io.BytesIO(_UPLOAD), timeout=_TIMEOUT)
    return _with(answer, lambda body: body["sha256"] == _DIGEST)


def download(session: requests.Session, place: Any) -> requests.Response:
    """A stream that is the caller's to read."""
    url = f"{place['origin']}/sandbox/bytes"
    with session.get(url, params={"n": _DOWNLOAD}, stream=True, timeout=_TIMEOUT) as answer:
        length = sum(len(piece) for piece in answer.iter_content(50_000))
        if answer.status_code == 200 and length != _DOWNLOAD:
            raise WrongAnswerError(f"{length} bytes of {_DOWNLOAD}")
        return answer


CALLS: dict[Call, int] = {
    account: 8,
    devices: 4,
    targets: 2,
    edge: 2,
    registration: 1,
    redirected: 1,
    upload: 1,
    download: 1,
}
"""How often each call is made, compared to the others."""


def _with(answer: requests.Response, is_right: Callable[[Any], bool]) -> requests.Response:
    """`answer`, whose body is right if it is a 200."""
    if answer.status_code == 200 and not is_right(answer.json()):
        raise WrongAnswerError(answer.text[:200])
    return answer
