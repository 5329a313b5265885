"""``thingspace run --sandbox``: a script without an account; Verizon's hosts are led to a sandbox."""

import json
import multiprocessing

import pytest

from .conftest import NO_CREDENTIALS, SCRIPTS, told_by

VERIZON = "https://thingspace.verizon.com"


@pytest.fixture
def start(thingspace):
    """A function that runs a script which has Verizon's URLs, without credentials, CA or a way outside."""
    own = {"OWN_KEY": "key", "OWN_SECRET": "secret", "OWN_USER": "user", "OWN_PASSWORD": "word"}
    there = {"THINGSPACE_BASE_URL": VERIZON, "HTTPS_PROXY": "http://127.0.0.1:9", "REQUESTS_CA_BUNDLE": None}

    def start(script, *arguments, **variables):
        given = {**NO_CREDENTIALS, **own, **there, **variables}
        return thingspace("run", "--sandbox", SCRIPTS / script, *arguments, **given)

    return start


def test_the_scripts_key_and_user_are_taken_for_ours(start):
    """Its token call and login are answered, as they are in the field."""
    outcome = start("starts.py")
    assert json.loads(outcome.stdout)["status"] == 200, outcome.stderr
    assert outcome.stderr == (
        "thingspace: sandbox: calls by kind: 1 token, 1 login, 1 api; sent again after a refusal: 0\n"
    )


@pytest.mark.parametrize(("whose", "refusal"), [("key", 401), ("user", 400)])
def test_another_key_or_user_is_not(start, whose, refusal):
    """As in the field, its tokens are the script's own, and end."""
    outcome = start("two_owners.py", whose)
    assert json.loads(outcome.stdout) == {"ours": [200, 200], "another's": [200, refusal]}, outcome.stderr


@pytest.mark.parametrize("method", multiprocessing.get_all_start_methods())
def test_child_processes_are_led_there_too(start, method):
    """Those that inherit the sandbox do not end it."""
    # without PYTHONWARNINGS, since coverage may warn in a child, and python of a fork beside threads
    outcome = start("children.py", method, PYTHONWARNINGS=None)
    assert (outcome.returncode, outcome.stdout) == (0, "200\n200 200 200\n"), outcome.stderr
    assert outcome.stderr.count("sandbox: calls by kind") == 1


def test_a_script_that_uses_this_library_is_led_there_too(start):
    """An auth and an adapter of its own, whose token calls are their own."""
    outcome = start("own_auth.py")
    assert (outcome.returncode, outcome.stdout) == (0, "200 200 200 200\n"), outcome.stderr


def test_other_hosts_are_left_alone(start, sandbox, tmp_path):
    """A request to anywhere else goes there."""
    script, elsewhere = tmp_path / "script.py", f"{sandbox.origin}/sandbox/echo"
    script.write_text(
        "import requests\n"
        f"answer = requests.get({elsewhere!r}, proxies={{'https': ''}})\n"
        "print(answer.url, answer.status_code)\n"
        f"answer = requests.get('{VERIZON}/api/fota/v3/x', params={{'y': '1'}})\n"
        "print(answer.request.url, answer.status_code)\n"
    )
    outcome = start(script, REQUESTS_CA_BUNDLE=sandbox.ca_file)
    assert outcome.stdout == f"{elsewhere} 401\n{VERIZON}/api/fota/v3/x?y=1 200\n"
    assert sandbox.calls["api"] == 1


def test_a_mistake_gets_one_line(thingspace, without):
    """A plan that cannot be read, one that nobody would carry out, a missing extra."""

    def line(*options, **variables):
        return told_by(thingspace("run", *options, SCRIPTS / "ends.py", "well", **variables))

    assert "N:end-session" in line("--sandbox", "--sandbox-faults", "5:sleep")
    assert "--sandbox" in line("--sandbox-faults", "5:revoke")
    missing = line("--sandbox", PYTHONPATH=without("trustme"))
    assert "pip install 'requests-thingspace[sandbox]'" in missing
