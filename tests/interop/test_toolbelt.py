"""requests-toolbelt: streamed uploads, and Sessions that know their origin."""

import hashlib
import io

import pytest
from requests_toolbelt import MultipartEncoder, MultipartEncoderMonitor, StreamingIterator
from requests_toolbelt.auth.handler import AuthHandler
from requests_toolbelt.sessions import BaseUrlSession

FILE = bytes(range(256)) * 4_000  # 1 MB


def encoder():
    return MultipartEncoder({"name": "x", "file": ("f.bin", io.BytesIO(FILE))}, boundary="the-boundary")


STREAMS = {
    "encoder": encoder,
    "monitor": lambda: MultipartEncoderMonitor(encoder()),
    "iterator": lambda: StreamingIterator(len(FILE), (FILE[i : i + 1000] for i in range(0, len(FILE), 1000))),
}


@pytest.fixture(params=STREAMS)
def stream(request):
    """A function that makes a body which is read as it is sent, and only once: it has no `seek`."""
    return STREAMS[request.param]


def digest(stream):
    return hashlib.sha256(stream.read()).hexdigest()


def test_a_stream_arrives_whole(connect, echo, stream):
    """With a token that is fetched before its first byte is read."""
    assert connect().post(echo, data=stream()).json()["sha256"] == digest(stream())


def test_a_stream_is_never_sent_in_part(sandbox, connect, echo, stream):
    """It cannot be rewound: the caller gets the 401, and the same upload made anew arrives whole."""
    session = connect()
    session.get(echo)
    sandbox.revoke_tokens()
    assert session.post(echo, data=stream()).status_code == 401
    assert sandbox.answers["api", 401] == 1
    assert session.post(echo, data=stream()).json()["sha256"] == digest(stream())
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
