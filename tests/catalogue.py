"""Whose calls the catalogue of faults hits, and what an error of such a call tells."""

from __future__ import annotations

import traceback
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests

from .hostile import MARKER, HostileServer

CLIENT_ID, CLIENT_SECRET = "the-client-id", "the-client-secret"
USERNAME, PASSWORD = "the-user", "the-password"
BASIC = b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()
SECRETS = {CLIENT_SECRET, BASIC, PASSWORD, MARKER}

EXPIRED = {"errorCode": "UnifiedWebService.REQUEST_FAILED.SessionToken.Expired", "errorMessage": "x"}


def error_of(work: Callable[[], Any]) -> Exception:
    with pytest.raises(requests.RequestException) as caught:
        work()
    return caught.value


def both_cas(sandbox: Any, server: HostileServer) -> str:
    """A file with the certificates of both authorities."""
    path = Path(server.ca_file).with_name("both.pem")
    path.write_text(Path(sandbox.ca_file).read_text() + Path(server.ca_file).read_text())
    return str(path)


def told_by(error: Exception) -> str:
    """All that a log, a debugger or a crash reporter can read in an exception."""
    request = getattr(error, "request", None)
    evidence = [error.args, vars(error), None if request is None else vars(request)]
    frames = traceback.format_exception(type(error), error, error.__traceback__)
    return "".join([*frames, *map(repr, evidence)])
