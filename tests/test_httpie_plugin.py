"""HTTPie finds the plugin where the package is installed, and calls with it as with any auth."""

from __future__ import annotations

import os

import pytest
import requests

from .secrets_in import frames, leaks
from .users import PACKAGE_FOLDER, environment_of_user, path_without, python

pytest.importorskip("httpie")

ENTRY_POINT = "[httpie.plugins.auth.v1]\nthingspace = requests_thingspace.httpie_plugin:ThingspacePlugin\n"


@pytest.fixture
def http(sandbox, tmp_path):
    """A function that calls the account with HTTPie; a variable given as ``None`` is not set."""
    installed = tmp_path / "site" / "requests_thingspace-0.dist-info"
    installed.mkdir(parents=True)
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: requests-thingspace\nVersion: 0\n")
    (installed / "entry_points.txt").write_text(ENTRY_POINT)
    path = {"PYTHONPATH": f"{installed.parent}{os.pathsep}{PACKAGE_FOLDER}"}

    def http(*options, **variables):
        ours = ("--ignore-stdin", "--auth-type=thingspace", "--check-status")
        url = f"{sandbox.origin}/api/m2m/v1/accounts/{sandbox.account}"
        known = {**environment_of_user(sandbox, tmp_path), **path, **variables}
        env = {name: value for name, value in known.items() if value is not None}
        return python("-m", "httpie", *ours, *options, url, env=env, cwd=tmp_path)

    return http


def test_key_and_secret_come_from_the_command_line(http, sandbox):
    """As with any auth of HTTPie; the M2M login comes from the environment."""
    pair = f"{sandbox.client_id}:{sandbox.client_secret}"
    outcome = http("-a", pair, THINGSPACE_CLIENT_ID=None, THINGSPACE_CLIENT_SECRET=None)
    assert (outcome.returncode, outcome.stderr) == (0, "")
    assert sandbox.account in outcome.stdout


def test_a_token_call_that_fails_shows_no_secret(monkeypatch, tmp_path):
    """Crash reporters send the local variables of each frame."""
    from requests_thingspace.httpie_plugin import ThingspacePlugin

    for name, value in {"THINGSPACE_BASE_URL": "http://127.0.0.1:9", "XDG_STATE_HOME": str(tmp_path)}.items():
        monkeypatch.setenv(name, value)
    auth = ThingspacePlugin().get_auth("the-key", "the-client-secret")
    with pytest.raises(requests.ConnectionError) as caught:
        auth(requests.Request("GET", "http://127.0.0.1:9/api/x").prepare())
    assert [leak for frame in frames(caught.value) for leak in leaks(frame, {"the-client-secret"})] == []


def test_without_them_the_environment_is_used_and_processes_share_tokens(http, sandbox):
    """A revoked token and an ended session are known from the answer, which HTTPie streams, and replaced."""
    assert [http().returncode for _ in range(2)] == [0, 0]
    assert (sandbox.calls["token"], sandbox.calls["login"], sandbox.answers["api", 200]) == (1, 1, 2)
    sandbox.revoke_tokens()
    sandbox.end_sessions()
    outcome = http()
    assert outcome.returncode == 0
    assert sandbox.account in outcome.stdout


def test_a_refusal_of_the_api_is_still_shown(http, sandbox):
    """What was read to judge the answer can be read again to print it."""
    sandbox.fail_next("api", status=400, body={"errorCode": "INPUT_INVALID.AccountName"})
    outcome = http()
    assert outcome.returncode == 4  # HTTPie's --check-status
    assert "INPUT_INVALID.AccountName" in outcome.stdout


@pytest.mark.parametrize(
    ("options", "variables", "words"),
    [
        ("--verify=no", {"REQUESTS_CA_BUNDLE": None}, None),
        ("--verify={ca_file}", {"REQUESTS_CA_BUNDLE": None}, None),
        ("--verify=yes", {"REQUESTS_CA_BUNDLE": None}, "SSLError"),
        ("--proxy=https:http://127.0.0.1:1", {}, "oauth2/token"),
        ("--verify=no", {"THINGSPACE_CLIENT_SECRET": None}, "THINGSPACE_CLIENT_SECRET"),
    ],
)
def test_the_token_call_goes_by_the_same_options(http, sandbox, options, variables, words):
    """It is as careful as HTTPie, takes the same proxy, and fails with one line, not a traceback of ours."""
    outcome = http(options.format(ca_file=sandbox.ca_file), **variables)
    assert (outcome.returncode == 0, sandbox.calls["token"]) == ((True, 1) if words is None else (False, 0))
    assert words is None or words in outcome.stderr
    assert "Traceback" not in outcome.stderr


def test_without_the_extra_each_call_fetches_its_own(http, sandbox, tmp_path):
    """The file cache is a convenience, not a need."""
    path_without("platformdirs", tmp_path / "site")
    assert [http().returncode for _ in range(2)] == [0, 0]
    assert sandbox.calls["token"] == 2
