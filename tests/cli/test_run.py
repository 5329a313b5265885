"""``thingspace run``: programs that know nothing of it, and see nothing of it."""

import json
import multiprocessing
import sys

import pytest

from .conftest import COMMAND, SCRIPTS, TIMEOUT, VERIZON

RUN, OLD_JOB = [*COMMAND, "run"], SCRIPTS / "old_job.py"
SINCE_3_10 = pytest.mark.skipif(sys.version_info < (3, 10), reason="3.9 counts the lines of it differently")
SINCE_3_11 = pytest.mark.skipif(sys.version_info < (3, 11), reason="python -P came with 3.11")


def press(job):
    """Press Enter, and read what the old job then tells of its calls."""
    job.stdin.write("\n")
    job.stdin.flush()
    return job.stdout.readline().strip()


@pytest.fixture
def both(execute):
    """A function that runs a program with python and with ``thingspace run``, and gives both outcomes."""

    def both(*arguments, **variables):
        commands = ([sys.executable], RUN)
        return [execute(*command, *arguments, cwd=SCRIPTS, **variables) for command in commands]

    return both


def test_the_old_job_lives_through_a_day(started, sandbox):
    """Expiry, revocation, an ended session and a night, with its own stale headers; alone, for an hour.

    Its logout is answered as if it had ended the session, which is still good for the next job.
    """
    with started(sys.executable, OLD_JOB) as alone, started(*RUN, OLD_JOB) as job:
        assert press(alone) == press(job) == "200"
        sandbox.advance(3600)
        assert (press(alone), press(job)) == ("401", "200")
        for trouble in sandbox.revoke_tokens, sandbox.end_sessions, lambda: sandbox.advance(12 * 3600):
            trouble()
            assert press(job) == "200"
        calls = sandbox.calls["token"], sandbox.calls["login"]
        assert job.communicate(timeout=TIMEOUT)[0] == "same session\n"
    with started(*RUN, OLD_JOB) as job:
        assert press(job) == "200"
    assert (sandbox.calls["token"], sandbox.calls["login"], sandbox.calls["logout"]) == (*calls, 0)


def test_without_a_username_the_jobs_own_session_is_the_one(started, sandbox):
    """Only the bearer is ours: a session that the job made is used, and is the job's to renew."""
    with started(*RUN, OLD_JOB, THINGSPACE_USERNAME=None) as job:
        sandbox.revoke_tokens()
        assert press(job) == "200"
        sandbox.end_sessions()
        assert press(job) == "400"


def test_it_holds_for_every_session_and_for_no_other_origin(run, sandbox):
    """However a Session was made, whatever it has mounted, and whatever the script puts on its requests."""
    outcome = run("every_session.py", OTHER_ORIGIN=sandbox.imp_origin)
    assert outcome.status == 0, outcome.err
    seen = json.loads(outcome.out)
    missing = "900902"  # no Authorization header at all
    assert (seen.pop("another origin"), seen.pop("redirected there")) == (missing, missing)
    assert (seen.pop("sent"), seen.pop("requests.get")) == (True, 200)
    # A script that uses this library keeps what it asked for: there a caller's own header stays.
    assert (seen.pop("a ThingspaceAuth"), seen.pop("a ThingspaceAdapter")) == ([200, 400], [200, 400])
    assert len(seen) == 5
    assert all(statuses == [200, 200] for statuses in seen.values()), seen


def test_a_call_to_another_thingspace_is_told_of(run, tmp_path):
    """Of the real one, by a script in a sandbox's shell; of no other host, nor of its own auth's."""
    script = tmp_path / "script.py"
    script.write_text(
        "import requests\n"
        "for host in 'thingspace.verizon.com', 'example.com':\n"
        "    requests.Session().get_adapter(f'https://{host}/')\n"
        "from requests_thingspace import STAGING, ThingspaceAuth\n"
        "session = requests.Session()\n"
        "session.auth = ThingspaceAuth('id', 'secret', environment=STAGING)\n"
        "session.get_adapter(STAGING.token_url)\n"
    )
    outcome = run(script)
    assert outcome.err.startswith("no token for a host that is not covered: thingspace.verizon.com;")
    assert (outcome.status, outcome.err.count("\n")) == (0, 1)


@pytest.mark.parametrize("led", [False, True])
@pytest.mark.parametrize("method", multiprocessing.get_all_start_methods())
def test_it_holds_in_child_processes(run, sandbox, method, led):
    """Forked ones inherit it, others load it; they share the token by the file, and end no sandbox."""
    # without PYTHONWARNINGS, since coverage may warn in a child, and python of a fork beside threads
    outcome = run("children.py", method, led=led, PYTHONWARNINGS=None)
    assert (outcome.status, outcome.out) == (0, "200\n200 200 200\n"), outcome.err
    assert (sandbox.calls["token"], sandbox.calls["login"]) == ((0, 0) if led else (1, 1))
    assert outcome.err.count("sandbox: calls by kind") == int(led)


def test_without_an_account_the_scripts_key_and_user_are_taken_for_ours(run):
    """Its token call and login are answered, as they are in the field."""
    outcome = run("starts.py", led=True)
    assert json.loads(outcome.out)["status"] == 200, outcome.err
    assert outcome.err == (
        "thingspace: sandbox: calls by kind: 1 token, 1 login, 1 api; sent again after a refusal: 0\n"
    )


def test_a_script_that_uses_this_library_is_led_to_the_sandbox_too(run):
    """An auth and an adapter of its own, whose token calls are their own."""
    outcome = run("own_auth.py", led=True)
    assert (outcome.status, outcome.out) == (0, "200 200 200 200\n"), outcome.err


def test_in_a_sandbox_other_hosts_are_left_alone(run, sandbox, tmp_path):
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


@pytest.mark.parametrize(
    ("arguments", "safe"),
    [
        ("fleet/report.py --month 11 -- -m -h --version", ""),
        pytest.param("fleet/report.py", "1", marks=SINCE_3_11),
        ("-m fleet.report -m -- x", ""),
        ("-m fleet", ""),
    ],
)
def test_a_program_sees_what_python_shows(both, arguments, safe):
    """Arguments, folder, name, file and loader are as without us; python -P adds no folder, nor do we."""
    plain, ours = both(*arguments.split(), PYTHONSAFEPATH=safe)
    assert json.loads(plain.out) == json.loads(ours.out)
    assert plain.err == ours.err == ""


@pytest.mark.parametrize(
    "arguments",
    [
        *(f"ends.py {how}" for how in ("well", "error", "chained", "late", "status", "text", "interrupted")),
        pytest.param("broken.txt", marks=SINCE_3_10),
    ],
)
def test_a_program_ends_as_under_python(both, arguments):
    """The same words, tracebacks to the letter, and the same status; but Ctrl-C kills python by a signal."""
    plain, ours = both(*arguments.split())
    status = 130 if "interrupted" in arguments else plain.status
    assert (ours.status, ours.out, ours.err) == (status, plain.out, plain.err)


@pytest.mark.parametrize("module", ["nosuch", "nosuch.x", "os.path.x", "fleet.none", "multiprocessing"])
def test_what_is_no_module_to_run_gets_one_line(execute, module):
    """One that is not there, nor the package it would be in, or a package without a ``__main__``."""
    line = execute(*RUN, "-m", module, cwd=SCRIPTS).line
    assert line.startswith(f"thingspace: no module named {module!r}")


def test_a_package_that_lacks_another_is_no_missing_module(execute, tmp_path):
    """It gets its traceback, which names what is missing."""
    (tmp_path / "lacking").mkdir()
    (tmp_path / "lacking" / "__init__.py").write_text("import nosuch\n")
    outcome = execute(*RUN, "-m", "lacking.job")
    assert outcome.status == 1
    assert outcome.err.endswith("\nModuleNotFoundError: No module named 'nosuch'\n")
