"""What holds for every command: one line for a mistake, no traceback, the documented exit status."""

import importlib
import logging
import os
import signal
import subprocess
import sys
from importlib.metadata import version

import pytest

from ..users import path_without
from .conftest import COMMAND, NO_CREDENTIALS, SCRIPTS, TIMEOUT

NOTHING = dict.fromkeys(NO_CREDENTIALS, "")
ALL_FOUR = "{}, {}, {} and {} are not set".format(*NO_CREDENTIALS)

MISTAKES = [  # the command, what is set, and what the line says
    ("tokn", {}, "--help"),
    ("token --jason", {}, "--help"),
    ("token --header --json", {}, "--help"),
    ("sandbox --port x", {}, "--help"),
    ("run", {}, "--help"),
    ("token", {"THINGSPACE_LOG": "verbose"}, "THINGSPACE_LOG is 'verbose': set it to info or debug"),
    # Nobody can be asked for what is missing
    ("token", {"THINGSPACE_CLIENT_ID": ""}, "THINGSPACE_CLIENT_ID is not set"),
    ("check", {"THINGSPACE_CLIENT_SECRET": ""}, "THINGSPACE_CLIENT_SECRET is not set"),
    ("token --session", {"THINGSPACE_USERNAME": ""}, "THINGSPACE_USERNAME is not set"),
    ("check --login", {"THINGSPACE_PASSWORD": ""}, "THINGSPACE_PASSWORD is not set"),
    ("run {script}", {"THINGSPACE_PASSWORD": ""}, "or keep your credentials with: thingspace login"),
    ("token --session", NOTHING, ALL_FOUR),
    # What is there is of no use
    ("token", {"THINGSPACE_BASE_URL": "http://elsewhere"}, "http://elsewhere"),
    ("token", {"THINGSPACE_CLOCK_SKEW": "soon"}, "soon"),
    ("token", {"THINGSPACE_CLIENT_ID": "a:b"}, "THINGSPACE_CLIENT_ID contains a colon"),
    ("status", {"THINGSPACE_CLIENT_ID": "a:b"}, "THINGSPACE_CLIENT_ID contains a colon"),
    ("status", {**NOTHING, "THINGSPACE_CLIENT_ID_FILE": "/no/such/file"}, "THINGSPACE_CLIENT_ID_FILE cannot"),
    # A program is read before a secret is asked for
    ("run none.py", NOTHING, "cannot read 'none.py'"),
    ("run .", NOTHING, "cannot read '.'"),
    ("run --sandbox --sandbox-faults 5:sleep {script}", NOTHING, "N:end-session"),
    ("run --sandbox-faults 5:revoke {script}", {}, "--sandbox-faults needs --sandbox"),
    ("sandbox --port {port}", {}, "127.0.0.1:{port}"),
    ("sandbox --token-life 0", {}, "at least 1 second"),
    ("sandbox", {"REQUESTS_CA_BUNDLE": sys.executable}, sys.executable),
]


@pytest.mark.parametrize(("command", "variables", "said"), MISTAKES)
def test_a_mistake_gets_one_line(call, monkeypatch, sandbox, command, variables, said):
    """It names the mistake and the way out, also where there is no stdin at all; nothing is sent."""
    known = {"port": sandbox.origin.rpartition(":")[2], "script": SCRIPTS / "starts.py"}
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    for stdin in (sys.stdin, None):
        monkeypatch.setattr(sys, "stdin", stdin)
        told = call(*(word.format(**known) for word in command.split())).line
        assert told.startswith("thingspace")
        assert said.format(**known) in told
    assert set(sandbox.calls.values()) == {0}


@pytest.mark.parametrize("command", ["sandbox", f"run --sandbox {SCRIPTS / 'starts.py'}"])
def test_a_missing_extra_is_named(thingspace, tmp_path, command):
    """The line says what to install."""
    missing = thingspace(*command.split(), PYTHONPATH=path_without("trustme", tmp_path / "site")).line
    assert "pip install 'requests-thingspace[sandbox]'" in missing


def test_the_bare_command_prints_the_help(call):
    """Whoever tries it first sees what there is; a shell script goes by the exit statuses and the version."""
    status, told, _ = call("--help")
    assert call() == (status, told, "") == (0, told, "")
    assert told.startswith("usage: thingspace")
    assert all(f"\n  {status} " in told for status in (0, 1, 2, 130))
    assert call("--version") == (0, f"thingspace {version('requests-thingspace')}\n", "")


@pytest.mark.parametrize(
    "command", ["login", "status", "check", "token", "revoke", "logout", "run", "sandbox"]
)
def test_each_command_has_a_help(call, command):
    """It is short enough to be read, and no option takes a secret."""
    status, told, _ = call(command, "--help")
    assert status == 0
    assert told.startswith(f"usage: thingspace {command}")
    assert "--secret" not in told
    assert "--password" not in told


def test_the_module_to_run_can_be_imported():
    """Tools that import every module of a package start nothing."""
    importlib.import_module("requests_thingspace.__main__")


@pytest.mark.parametrize(("level", "shown"), [("info", {"INFO"}), ("DEBUG", {"INFO", "DEBUG"})])
def test_the_log_is_shown_if_it_is_asked_for(call, monkeypatch, level, shown):
    """On stderr, with THINGSPACE_LOG in either case, and for as long as the command takes."""
    monkeypatch.setenv("THINGSPACE_LOG", level)
    log = logging.getLogger("requests_thingspace")
    before = log.level, list(log.handlers)
    lines = [line for _ in "ab" for line in call("token")[2].splitlines()]  # fetched, then from the cache
    assert {line.split()[2] for line in lines} == shown
    assert (log.level, log.handlers) == before


@pytest.mark.skipif(sys.platform == "win32", reason="Windows sends no SIGINT to one process")
def test_ctrl_c_is_quiet(started, sandbox):
    """While ThingSpace is slow: no traceback, status 130."""
    sandbox.slow("token", 60)
    with started(*COMMAND, "token") as process:
        assert sandbox.wait_for_calls("token", 1)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=TIMEOUT)
    assert (process.returncode, out, err) == (130, "", "")


@pytest.mark.skipif(sys.platform == "win32", reason="it takes a POSIX pipe")
@pytest.mark.parametrize("command", ["token", "check", "sandbox"])
def test_a_reader_that_has_gone_is_no_error(environment, command):
    """As in ``thingspace ... | head -0``: no traceback, nothing from the flush at exit."""
    read, write = os.pipe()
    os.close(read)
    pipes = {"stdout": write, "stderr": subprocess.PIPE}
    outcome = subprocess.run([*COMMAND, command], env=environment, timeout=TIMEOUT, check=False, **pipes)
    os.close(write)
    assert (outcome.returncode, outcome.stderr) == (1, b"")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no disk that is always full")
@pytest.mark.parametrize(
    ("command", "status", "said"),
    [
        ("status >/dev/full", 1, "[Errno 28] No space left on device"),
        ("--version >/dev/full", 1, "[Errno 28] No space left on device"),
        ("status >&-", 2, "stdout is closed"),
        ("--version >&-", 2, "stdout is closed"),
        ("token --profile none 2>&-", 2, ""),
        ("run prints.py >&-", 0, ""),  # as under python, in which a program may also close it
        ("run closes.py", 0, ""),
    ],
)
def test_what_cannot_be_written_ends_in_no_traceback(started, tmp_path, command, status, said):
    """A full disk, and a stream that the shell or the program has closed."""
    (tmp_path / "prints.py").write_text("print(1)\n")
    (tmp_path / "closes.py").write_text("import sys\nsys.stdout.close()\n")
    line = f'exec "{sys.executable}" -m requests_thingspace {command}'
    with started("sh", "-c", line, PYTHONUNBUFFERED="") as process:
        out, err = process.communicate(timeout=TIMEOUT)
    assert (process.returncode, out, err) == (status, "", f"thingspace: {said}\n" if said else "")
