"""What holds for every command: one line for a mistake, no traceback, the documented exit status."""

import importlib
import logging
import os
import signal
import subprocess
import sys
from importlib.metadata import version

import pytest

from .conftest import COMMAND, TIMEOUT


@pytest.mark.parametrize(
    "arguments", ["tokn", "token --jason", "token --header --json", "sandbox --port x", "run"]
)
def test_a_mistake_gets_one_line(the_line, arguments):
    """It names the mistake and the way to the help; argparse would print the usage too."""
    told = the_line(*arguments.split())
    assert told.startswith("thingspace")
    assert "--help" in told


def test_the_bare_command_prints_the_help(call):
    """Whoever tries it first sees what there is; and a shell script goes by the exit statuses."""
    status, told, _ = call("--help")
    assert call() == (status, told, "") == (0, told, "")
    assert told.startswith("usage: thingspace")
    assert all(f"\n  {status} " in told for status in (0, 1, 2, 130))


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


def test_the_version(call):
    """It is that of the installed package."""
    assert call("--version") == (0, f"thingspace {version('requests-thingspace')}\n", "")


def test_the_module_to_run_can_be_imported():
    """Tools that import every module of a package start nothing."""
    importlib.import_module("requests_thingspace.__main__")


@pytest.mark.parametrize(("level", "shown"), [("info", ["INFO"]), ("DEBUG", ["INFO", "DEBUG"])])
def test_the_log_is_shown_if_it_is_asked_for(call, monkeypatch, level, shown):
    """On stderr, with THINGSPACE_LOG in either case, and for as long as the command takes."""
    monkeypatch.setenv("THINGSPACE_LOG", level)
    log = logging.getLogger("requests_thingspace")

    def logging_command(_):
        log.info("something")
        log.debug("a detail")
        return 0

    monkeypatch.setattr("requests_thingspace.cli._tokens.token", logging_command)
    before = log.level, list(log.handlers)
    status, _, err = call("token")
    assert (status, [line.split()[2] for line in err.splitlines()]) == (0, shown)
    assert (log.level, log.handlers) == before


def test_a_level_of_the_log_that_there_is_not_is_named(the_line, monkeypatch):
    """A misspelt level is not a silent one."""
    monkeypatch.setenv("THINGSPACE_LOG", "verbose")
    assert "THINGSPACE_LOG is 'verbose': set it to info or debug" in the_line("token")


def test_warnings_are_shown_as_lines_of_the_command(call, tmp_path):
    """A cache that is broken is told of, by every command that uses it."""
    call("token")
    (path,) = tmp_path.glob("**/tokens.json")
    path.write_text("no JSON")
    status, _, err = call("token")
    assert (status, err.count("\n")) == (0, 1)
    assert err.startswith("thingspace: ")


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
