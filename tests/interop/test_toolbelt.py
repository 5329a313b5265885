"""requests-toolbelt: streamed uploads, and Sessions that know their origin."""

import hashlib
import io

import pytest
from requests_toolbelt import MultipartEncoder, MultipartEncoderMonitor, StreamingIterator
from requests_toolbelt.auth.handler import AuthHandler
from requests_toolbelt.sessions import BaseUrlSession

FILE = bytes(range(256)) * 1_000  # 256 kB


def encoder():
    return MultipartEncoder({"name": "x", "file": ("f.bin", io.BytesIO(FILE))}, boundary="the-boundary")


STREAMS = {
    "encoder": encoder,
    "monitor": lambda: MultipartEncoderMonitor(encoder()),
    "iterator": lambda: StreamingIterator(len(FILE), (FILE[i : i + 1000] for i in range(0, len(FILE), 1000))),
}


@pytest.mark.parametrize("stream", STREAMS)
def test_a_stream_is_never_sent_in_part(sandbox, connect, echo, stream):
    """It cannot be rewound: the caller gets a 401, and the same upload made anew arrives whole."""
    session, make = connect(), STREAMS[stream]
    digest = hashlib.sha256(make().read()).hexdigest()
    assert session.post(echo, data=make()).json()["sha256"] == digest
    sandbox.revoke_tokens()
    assert session.post(echo, data=make()).status_code == 401
    assert sandbox.answers["api", 401] == 1
    assert session.post(echo, data=make()).json()["sha256"] == digest
    assert sandbox.calls["token"] == 2


def test_a_session_that_knows_its_origin(sandbox, attach, auth, account):
    """BaseUrlSession completes the URL before an auth or adapter sees it."""
    with BaseUrlSession(sandbox.origin) as session:
        session.trust_env, session.verify = False, sandbox.ca_file
        attach(session, auth())
        assert session.get(account.removeprefix(sandbox.origin)).status_code == 200


def test_an_auth_for_each_host(sandbox, plain, auth, account):
    """AuthHandler gives ThingSpace's host this auth, and another host its own."""
    plain.auth = AuthHandler({sandbox.origin: auth(), "https://example.com": ("user", "password")})
    assert plain.get(account).status_code == 200
