"""Scripts as they are found in the wild: ``thingspace run`` carries them, without an account too."""

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


@pytest.mark.parametrize("script", SCRIPTS)
def test_run_carries_it(sandbox, tmp_path, script):
    """No credentials, no CA, a proxy that leads nowhere, and tokens that end: every call is answered."""
    own = {"key": base64.b64encode(b"id:secret").decode(), "username": "user", "password": "word"}
    (tmp_path / "config.json").write_text(json.dumps(own))  # which one of the scripts reads
    environment = environment_of_user(sandbox, tmp_path)
    environment = {name: value for name, value in environment.items() if not name.startswith("THINGSPACE_")}
    del environment["REQUESTS_CA_BUNDLE"]
    environment["HTTPS_PROXY"] = "http://127.0.0.1:9"
    command = ("-m", "requests_thingspace", "run", "--sandbox", "--sandbox-faults", TROUBLE)
    outcome = python(*command, LEGACY / script, SCRIPTS[script], ROUNDS, env=environment, cwd=tmp_path)
    assert (outcome.returncode, outcome.stdout.count("\n")) == (0, ROUNDS), outcome.stderr
    # the edge needs no session, so that nobody notices its end
    logins = 1 if script == "edge_discovery.py" else 2
    calls = f"2 token, {logins} login, {ROUNDS + logins + 1} api"
    told = f"thingspace: sandbox: calls by kind: {calls}; sent again after a refusal: {logins}\n"
    assert outcome.stderr == told
