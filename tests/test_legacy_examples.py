"""Scripts as they are found in the wild: what kills them, and that ``thingspace run`` carries them."""

import base64
import json
from pathlib import Path

import pytest

from .users import environment_of_user, python

LEGACY = Path(__file__).parent.parent / "examples" / "legacy"
TROUBLE = "5:revoke,9:end-session,12:503"
ROUNDS = 15

ACCOUNT = "0000123456-00001"
SCRIPTS = {"autoscaling.py": ACCOUNT, "sample_app.py": ACCOUNT}
SCRIPTS |= {"edge_discovery.py": "192.0.2.7", "registration.py": "vendor"}


@pytest.fixture
def folder(tmp_path):
    """A working folder with the configuration that one of the scripts reads."""
    key = base64.b64encode(b"client-id:client-secret").decode()
    user = {"username": "uws-user", "password": "uws-password"}
    (tmp_path / "config.json").write_text(json.dumps({"key": key, **user}))
    return tmp_path


@pytest.fixture
def at_thingspace(documented_thingspace, folder):
    """A function that runs a program whose Verizon is a sandbox with trouble; and the sandbox."""
    sandbox, there = documented_thingspace
    sandbox.reset()
    sandbox.plan(TROUBLE)
    own = {"KEY": "client-id", "SECRET": "client-secret", "USERNAME": "uws-user", "PASSWORD": "uws-password"}
    environment = {**environment_of_user(sandbox, folder), **there}
    environment |= {f"LEGACY_{name}": value for name, value in own.items()}
    del environment["THINGSPACE_BASE_URL"]
    yield lambda *command: python(*command, env=environment, cwd=folder), sandbox
    sandbox.reset()


def test_alone_it_dies_with_its_tokens(at_thingspace):
    """What it is about: one revoked token ends it."""
    start, sandbox = at_thingspace
    assert start(LEGACY / "sample_app.py", SCRIPTS["sample_app.py"], ROUNDS).returncode == 1
    assert sandbox.answers["api", 200] == 5


@pytest.mark.parametrize("script", SCRIPTS)
def test_run_carries_it(at_thingspace, script):
    """A revoked token, an ended session and a 503: every call is answered, for one renewal of each token."""
    start, sandbox = at_thingspace
    outcome = start("-m", "requests_thingspace", "run", LEGACY / script, SCRIPTS[script], ROUNDS)
    assert (outcome.returncode, outcome.stderr, outcome.stdout.count("\n")) == (0, "", ROUNDS)
    assert sandbox.answers["api", 200] == ROUNDS
    # the edge needs no session, so that nobody notices its end
    assert (sandbox.calls["token"], sandbox.calls["login"]) == (2, 1 if script == "edge_discovery.py" else 2)


def test_run_carries_it_without_an_account(documented_thingspace, folder):
    """No credentials, no CA, and a proxy that leads nowhere: the script keeps its URLs all the same."""
    environment = environment_of_user(documented_thingspace[0], folder)
    environment = {name: value for name, value in environment.items() if not name.startswith("THINGSPACE_")}
    del environment["REQUESTS_CA_BUNDLE"]
    environment["HTTPS_PROXY"] = "http://127.0.0.1:9"
    command = ("-m", "requests_thingspace", "run", "--sandbox", "--sandbox-faults", TROUBLE)
    script = "registration.py"
    outcome = python(*command, LEGACY / script, SCRIPTS[script], ROUNDS, env=environment, cwd=folder)
    assert outcome.returncode == 0, outcome.stderr
    assert outcome.stdout.count("\n") == ROUNDS
    calls = f"2 token, 2 login, {ROUNDS + 3} api"
    assert outcome.stderr == f"thingspace: sandbox: calls by kind: {calls}; sent again after a refusal: 2\n"
