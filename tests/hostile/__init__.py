"""A server that misbehaves on demand, the catalogue of what it can do, and a proxy to reach it through."""

import json
from dataclasses import replace

from ._fault import (
    GOOD_LOGIN_DOCUMENT,
    GOOD_SESSION_TOKEN,
    GOOD_TOKEN,
    GOOD_TOKEN_DOCUMENT,
    LOGIN_PATH,
    MARKER,
    TOKEN_PATH,
)
from ._faults_below_answers import FAULTS_BELOW_ANSWERS
from ._faults_of_answers import FAULTS_OF_ANSWERS, oauth_token_faults, recoveries, session_token_faults
from ._mischief import (
    Answer,
    answer,
    drip_headers,
    echo,
    empty_reply,
    hang,
    html_answer,
    json_answer,
    json_fault,
    on_accept,
    present,
    raw,
    redirect,
    reset,
    retry_after,
    xml_fault,
)
from ._proxy import ForwardProxy
from ._server import HostileServer


def _faults(document, when_repeated):
    """All that does not depend on the fields of the token."""
    body = json.dumps(document).encode()
    for faults in (*FAULTS_BELOW_ANSWERS, *FAULTS_OF_ANSWERS):
        yield from faults(body)
    yield from recoveries(body, when_repeated)


TOKEN_FAULTS = [
    replace(fault, name=f"token: {fault.name}")
    for fault in (*_faults(GOOD_TOKEN_DOCUMENT, "token"), *oauth_token_faults())
]
LOGIN_FAULTS = [  # a login reaches the server once, and has no expiry
    replace(fault, name=f"login: {fault.name}", endpoint="login", max_calls=1, expiry=None)
    for fault in (*_faults(GOOD_LOGIN_DOCUMENT, "error"), *session_token_faults())
]
