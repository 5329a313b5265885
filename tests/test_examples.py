"""Every example runs in a process of its own, against the sandbox, as a user would run it."""

import os
import re
import runpy
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests
import urllib3

from requests_thingspace.sandbox import Sandbox

from .users import environment_of_user, python

EXAMPLES = Path(__file__).parent.parent / "examples"
TIMEOUT = 60  # seconds for an example that hangs


@pytest.fixture
def environment(sandbox, tmp_path):
    """The environment of a user of the sandbox who has no proxy and an empty home."""
    # urllib3 1.26 leaves the connections of a Session that nobody closes to the garbage collector
    warnings = "error" if urllib3.__version__ >= "2" else "error,ignore::ResourceWarning"
    return {**environment_of_user(sandbox, tmp_path), "PYTHONWARNINGS": warnings}


@pytest.fixture
def run(environment, tmp_path):
    """A function that runs an example to its end and gives what became of it."""
    return lambda name, *arguments, **variables: python(
        EXAMPLES / name, *arguments, env={**environment, **variables}, cwd=tmp_path
    )


@contextmanager
def started(environment, *command, **pipes):
    """A process that goes on until the block ends."""
    process = subprocess.Popen([sys.executable, *map(str, command)], env=environment, text=True, **pipes)
    with process:
        try:
            yield process
        finally:
            process.kill()


WITH_ARGUMENTS = [path.name for path in EXAMPLES.glob("*.py") if "sys.exit(__doc__)" in path.read_text()]


@pytest.mark.parametrize("example", sorted(WITH_ARGUMENTS))
def test_an_example_without_its_arguments_says_how_it_is_run(environment, monkeypatch, example):
    """Each example that wants arguments explains itself."""
    if example == "web_service.py":
        pytest.importorskip("flask")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "argv", [example])
    with pytest.raises(SystemExit, match=example):
        runpy.run_path(str(EXAMPLES / example), run_name="__main__")


def test_list_devices_sees_every_page(run, sandbox):
    """250 devices take three pages of 100, for one token and one login."""
    lines = run("list_devices.py", sandbox.account).stdout.splitlines()
    assert len(lines) == len({line.split()[1] for line in lines}) == 250
    assert sandbox.calls == {"token": 1, "revoke": 0, "login": 1, "logout": 0, "api": 3}


def test_a_pool_of_threads_shares_one_token(run, sandbox):
    """32 threads make 100 calls: all are answered, for one token and one login."""
    outcome = run("thread_pool.py", sandbox.account, 100)
    assert outcome.stdout == "100 answers with status 200\n", outcome.stderr
    assert (sandbox.calls["token"], sandbox.calls["login"]) == (1, 1)


def test_a_web_service_outlives_its_tokens_and_tells_of_trouble(environment, sandbox):
    """Its visitors notice no revocation; what ThingSpace refuses is a 502, a missing token a 503."""
    pytest.importorskip("flask")
    with (
        started(environment, EXAMPLES / "web_service.py", 0, stderr=subprocess.PIPE) as service,
        requests.Session() as visitor,
    ):
        visitor.trust_env = False
        place = next(filter(None, (re.search(r"http://\S+", line) for line in service.stderr)))[0]

        def visit(account):
            return visitor.get(f"{place}/accounts/{account}", timeout=TIMEOUT)

        for _ in range(2):
            with ThreadPoolExecutor(8) as visitors:
                seen = visitors.map(visit, [sandbox.account] * 16)
            assert {answer.status_code for answer in seen} == {200}
            sandbox.revoke_tokens()
            sandbox.end_sessions()
        assert (sandbox.calls["token"], sandbox.calls["login"]) == (2, 2)
        refused = visit("no-such-account")
        assert (refused.status_code, refused.json()["status"]) == (502, 400)
        sandbox.revoke_tokens()
        sandbox.fail_next("token", status=401)
        unavailable = visit(sandbox.account)
        assert unavailable.status_code == 503
        assert "client_secret" in unavailable.json()["error"]
        service.kill()
        service.stderr.read()  # lest the service wait for a reader


def test_the_runs_of_a_cron_job_share_one_token(run, sandbox):
    """One token call and one login for two processes; a wrong secret ends one with a line for a mail."""
    outcome = run("cron_job.py", sandbox.account, THINGSPACE_CLIENT_SECRET="not-the-secret")
    assert outcome.returncode == 1
    assert outcome.stderr.startswith("TokenRequestError: ")
    assert len(outcome.stderr.splitlines()) == 1
    assert "not-the-secret" not in outcome.stderr
    outcomes = [run("cron_job.py", sandbox.account) for _ in range(2)]
    assert [outcome.stdout for outcome in outcomes] == [f"{sandbox.account}: 125 of 250 connected\n"] * 2
    assert sandbox.calls == {"token": 1 + 1, "revoke": 0, "login": 1, "logout": 0, "api": 2}


def test_a_notebook_goes_on_after_lunch(environment, sandbox):
    """A Python that is fed cell by cell survives a revoked token and an ended session between two of them."""
    _, *cells = re.split(r"^# %%", (EXAMPLES / "notebook.py").read_text(), flags=re.MULTILINE)
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with started(environment, "-q", "-i", "-u", **pipes) as notebook:
        shown = []
        for cell in cells:
            notebook.stdin.write(f"#{cell}\nprint('-- end of cell')\n")
            notebook.stdin.flush()
            shown.append("".join(iter(notebook.stdout.readline, "-- end of cell\n")))
            sandbox.revoke_tokens()
            sandbox.end_sessions() if len(shown) < 4 else None
    assert shown[1] == "Sandbox Telematics\n"
    assert shown[2].count("10.0.0.") == 5
    assert shown[3].startswith("OAuthToken(")
    assert "access_token" not in shown[3]
    assert sandbox.calls["logout"] == 2  # one refused for its token; the next found the session over


def test_accounts_side_by_side_do_not_share_tokens(run, sandbox, tmp_path):
    """Two accounts of two clients, one with a wrong secret: the other does not feel it."""
    with Sandbox() as other:
        sections = [
            f"[{account}]\nbase_url = {place.origin}\nclient_id = {place.client_id}\n"
            f"client_secret = {secret}\nusername = {place.username}\npassword = {place.password}\n"
            for account, place, secret in [
                (sandbox.account, sandbox, sandbox.client_secret),
                ("TestAccount-1", other, other.client_secret),
                ("wrong-account", other, "50%-wrong"),
            ]
        ]
        accounts, bundle = tmp_path / "accounts.ini", tmp_path / "ca.pem"
        accounts.write_text("".join(sections))
        bundle.write_text("".join(Path(place.ca_file).read_text() for place in (sandbox, other)))
        lines = run("several_accounts.py", accounts, REQUESTS_CA_BUNDLE=str(bundle)).stdout.splitlines()
        assert other.answers[("api", 200)] == other.answers[("logout", 200)] == 1
    assert lines[:2] == [f"{sandbox.account}: Sandbox Telematics", "TestAccount-1: Sandbox Telematics"]
    assert lines[2].startswith("wrong-account: ThingSpace refused the token request")
    assert sandbox.calls == {"token": 1, "revoke": 0, "login": 1, "logout": 1, "api": 1}


def test_the_tests_of_a_script_pass_without_a_network(run, environment, tmp_path):
    """The page on testing shows these files: pytest finds the fixture by itself, and the script runs too."""
    assert run("testing/fleet_report.py").stdout == "125\n"
    shutil.copytree(EXAMPLES / "testing", tmp_path / "scripts", ignore=shutil.ignore_patterns("__pycache__"))
    offline = {name: value for name, value in environment.items() if not name.startswith("THINGSPACE_")}
    outcome = python("-m", "pytest", "-q", "-p", "no:cacheprovider", "scripts", env=offline, cwd=tmp_path)
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
    assert "6 passed" in outcome.stdout


@pytest.mark.slow
def test_the_demo_shows_nothing_but_200_on_its_right_side(tmp_path):
    """The left side sees 401s and 400s; with credentials of the real service set, and a proxy, too."""
    environment = {**os.environ, "THINGSPACE_CLIENT_ID": "real", "HTTPS_PROXY": "http://127.0.0.1:9"}
    calls = ["1/1", "1/1", "1/0", "0/1", "3/1"]
    refusals = [[], [1], [1], [2], [1]]
    for seconds in ("0.6", "3"):  # of a scene; a busy machine sees everything in the longer ones only
        outcome = python(EXAMPLES / "demo.py", seconds, env=environment, cwd=tmp_path)
        rows = [line.split("|") for line in outcome.stdout.splitlines() if re.match(r"[^|]*\|.*\d ms;", line)]
        left, right = ([row[side].split() for row in rows] for side in (1, 2))
        assert [figures[:4].count("-") for figures in right] == [3] * 5, outcome.stdout + outcome.stderr
        told = [re.search(r"; [0-9a-f]{8}, \d+ min left", row[3]) for row in rows]
        seen = [[n for n in (1, 2) if figures[n] != "-"] for figures in left]
        if outcome.returncode == 0 and seen == refusals and all(told):
            break
    assert all(told), outcome.stdout
    assert (outcome.returncode, seen, [figures[-1] for figures in right]) == (0, refusals, calls)
