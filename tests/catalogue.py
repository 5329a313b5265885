"""One row of the catalogue of faults, run: what came of it, in how many seconds and calls."""

from __future__ import annotations

import time
import traceback
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from .hostile import MARKER, Fault, HostileServer

CLIENT_ID, CLIENT_SECRET = "the-client-id", "the-client-secret"
USERNAME, PASSWORD = "the-user", "the-password"
BASIC = b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()
SECRETS = {CLIENT_SECRET, BASIC, PASSWORD, MARKER}

EXPIRED = {"errorCode": "UnifiedWebService.REQUEST_FAILED.SessionToken.Expired", "errorMessage": "x"}
SLACK = 3.0  # seconds that a busy machine may take beside the exchange


@dataclass(frozen=True)
class Outcome:
    """What came of one call under one fault.

    Attributes:
        result: what it returned.
        error: what it raised instead.
        seconds: how long it took.
        calls: how many requests reached the endpoint.
    """

    result: Any
    error: Exception | None
    seconds: float
    calls: int


def error_of(work: Callable[[], Any]) -> Exception:
    with pytest.raises(requests.RequestException) as caught:
        work()
    return caught.value


def both_cas(sandbox: Any, server: HostileServer) -> str:
    """A file with the certificates of both authorities."""
    path = Path(server.ca_file).with_name("both.pem")
    path.write_text(Path(sandbox.ca_file).read_text() + Path(server.ca_file).read_text())
    return str(path)


def outcome_of(call: Callable[[], Any], server: HostileServer, fault: Fault) -> Outcome:
    """Run `call` with the fault in place; what came of it."""
    server.script(fault.path, *fault.behaviours)
    before, started = server.count(fault.path), time.monotonic()
    result, error = None, None
    try:
        result = call()
    except Exception as caught:  # noqa: BLE001 - what it is gets judged later
        error = caught
    return Outcome(result, error, time.monotonic() - started, server.count(fault.path) - before)


def require_lawful(outcome: Outcome, fault: Fault, server: HostileServer, timeout: float) -> None:
    """What holds under every fault, whoever made the call."""
    assert outcome.seconds < timeout + SLACK
    assert outcome.calls <= fault.max_calls
    assert not server.strays, "a redirect was followed"
    if fault.expectation == "token":
        assert outcome.error is None
        return
    assert isinstance(outcome.error, requests.RequestException)
    told = told_by(outcome.error)
    assert not [secret for secret in SECRETS if secret in told], told


def told_by(error: Exception) -> str:
    """All that a log, a debugger or a crash reporter can read in an exception."""
    request = getattr(error, "request", None)
    evidence = [error.args, vars(error), None if request is None else vars(request)]
    frames = traceback.format_exception(type(error), error, error.__traceback__)
    return "".join([*frames, *map(repr, evidence)])
