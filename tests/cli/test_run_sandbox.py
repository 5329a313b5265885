"""``thingspace run --sandbox``: a script without an account; Verizon's hosts are led to a sandbox."""

import json

from .conftest import LED

VERIZON = LED["THINGSPACE_BASE_URL"]


def test_the_scripts_key_and_user_are_taken_for_ours(run):
    """Its token call and login are answered, as they are in the field."""
    outcome = run("starts.py", led=True)
    assert json.loads(outcome.out)["status"] == 200, outcome.err
    assert outcome.err == (
        "thingspace: sandbox: calls by kind: 1 token, 1 login, 1 api; sent again after a refusal: 0\n"
    )


def test_a_script_that_uses_this_library_is_led_there_too(run):
    """An auth and an adapter of its own, whose token calls are their own."""
    outcome = run("own_auth.py", led=True)
    assert (outcome.status, outcome.out) == (0, "200 200 200 200\n"), outcome.err


def test_other_hosts_are_left_alone(run, sandbox, tmp_path):
    """A request to anywhere else goes there."""
    script, elsewhere = tmp_path / "script.py", f"{sandbox.origin}/sandbox/echo"
    script.write_text(
        "import requests\n"
        f"answer = requests.get({elsewhere!r}, proxies={{'https': ''}})\n"
        "print(answer.url, answer.status_code)\n"
        f"answer = requests.get('{VERIZON}/api/fota/v3/x', params={{'y': '1'}})\n"
        "print(answer.request.url, answer.status_code)\n"
    )
    outcome = run(script, led=True, REQUESTS_CA_BUNDLE=sandbox.ca_file)
    assert outcome.out == f"{elsewhere} 401\n{VERIZON}/api/fota/v3/x?y=1 200\n"
    assert sandbox.calls["api"] == 1
