"""What every test stands on: a running sandbox, both faces, and no secret in the log."""

from __future__ import annotations

import logging
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from requests_thingspace import Clock, ThingspaceAuth, mount
from requests_thingspace.sandbox import Sandbox


@pytest.fixture(scope="session")
def running_sandbox():
    """One sandbox for all tests of a run."""
    with Sandbox(client_secret="the-client-secret", password="the-password") as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(running_sandbox):
    """The sandbox in a clean state: no tokens, no faults, no calls counted, its clock at the present."""
    running_sandbox.reset()
    yield running_sandbox
    running_sandbox.reset()


@pytest.fixture
def account(sandbox):
    """The URL of a resource that wants both tokens."""
    return f"{sandbox.origin}/api/m2m/v1/accounts/{sandbox.account}"


@pytest.fixture
def echo(sandbox):
    """The URL of a resource that tells what arrived; it wants the bearer."""
    return f"{sandbox.origin}/sandbox/echo"


@pytest.fixture(params=["auth", "adapter"])
def face(request):
    """One face, and then the other."""
    return request.param


@pytest.fixture
def attach(face):
    """A function that gives a Session an auth, through one face and then through the other."""

    def by_auth(session: requests.Session, auth: ThingspaceAuth) -> requests.Session:
        session.auth = auth
        return session

    return {"auth": by_auth, "adapter": mount}[face]


@pytest.fixture
def auth(sandbox, log_without_secrets):
    """A function that makes an auth of the sandbox, whose tokens must not show up in the log."""
    auths = []

    def auth(**arguments) -> ThingspaceAuth:
        told = arguments.pop("on_token_update", lambda token: None)

        def on_token_update(token):
            log_without_secrets.add(token.access_token)
            told(token)

        auths.append(sandbox.auth(on_token_update=on_token_update, **arguments))
        return auths[-1]

    yield auth
    sessions = (one.session_token for one in auths)
    log_without_secrets.update(one.session_token for one in sessions if one)


@pytest.fixture
def connect(attach, sandbox, auth):
    """A function that makes a Session of the sandbox with an auth of the given arguments."""
    sessions = []

    def connect(**arguments) -> requests.Session:
        session = requests.Session()
        session.verify, session.trust_env = sandbox.ca_file, False
        sessions.append(session)
        return attach(session, auth(**arguments))

    yield connect
    for session in sessions:
        session.close()


@pytest.fixture
def warm(connect, account):
    """A function that makes such a Session, lets one call bring both tokens, and gives Session and auth."""

    def warm(**arguments) -> tuple[requests.Session, ThingspaceAuth]:
        session = connect(**arguments)
        session.get(account)
        return session, session.auth or session.get_adapter(account).auth

    return warm


@pytest.fixture
def spent(sandbox):
    """A function that tells how many token calls and logins the sandbox has received."""
    return lambda: (sandbox.calls["token"], sandbox.calls["login"])


@pytest.fixture
def plain(sandbox):
    """A Session without any auth that trusts the sandbox and hears nothing of the machine's settings."""
    with requests.Session() as session:
        session.trust_env, session.verify = False, sandbox.ca_file
        yield session


@pytest.fixture
def bare(sandbox, plain):
    """A function that makes an auth of the sandbox of nothing but what can be pickled."""
    return lambda **arguments: sandbox.auth(**{"session": plain, "clock": Clock(), **arguments})


@pytest.fixture
def beside():
    """A function that runs work in a thread beside the test."""
    with ThreadPoolExecutor(4) as pool:
        yield pool.submit


@pytest.fixture
def under_load():
    """A function that calls in eight threads while something happens, and gives what all calls came to."""

    def under_load(call, happening):
        stop = threading.Event()

        def work():
            seen = []
            while not stop.is_set():
                seen.append(call())
            return seen

        with ThreadPoolExecutor(8) as pool:
            callers = [pool.submit(work) for _ in range(8)]
            try:
                happening()
                call()
            finally:
                stop.set()
            return {answer.status_code for caller in callers for answer in caller.result(20)}

    return under_load


@pytest.fixture(autouse=True)
def log_without_secrets(caplog):
    """The log at DEBUG, and nothing in it of these secrets, to which a test adds its own."""
    caplog.set_level(logging.DEBUG)
    secrets = {"the-client-secret", "the-password"}
    yield secrets
    records = [*caplog.get_records("setup"), *caplog.get_records("call")]
    lines = map(logging.Formatter().format, records)  # with their tracebacks
    told = [line for line in lines if any(secret in line for secret in secrets)]
    assert not told, told
