"""Where credentials come from, and what is said where there are none."""

import os
import re
import select
import subprocess
import sys
from contextlib import suppress

import pytest

from .conftest import COMMAND, NO_CREDENTIALS, SECRETS, TIMEOUT, set_variables, told_by

pty = pytest.importorskip("pty", reason="Windows has no pseudo-terminals")

ON_TERMINAL = [  # the command, to which its terminal can send Ctrl-C
    sys.executable,
    "-c",
    "import fcntl, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); "
    "from requests_thingspace.cli import main; sys.exit(main())",
]
CTRL_C, CTRL_D = "\x03", "\x04"
ID = "Client ID (key): "


@pytest.fixture
def typed(environment):
    """A function that answers the prompts of a command on a terminal: its status, stdout, and the screen."""

    def typed(*arguments, answers, **variables):
        ours, theirs = pty.openpty()
        how = {"stdin": theirs, "stderr": theirs, "stdout": subprocess.PIPE, "start_new_session": True}
        env = set_variables({**environment, **variables})
        with subprocess.Popen([*ON_TERMINAL, *arguments], env=env, **how) as process:
            os.close(theirs)
            screen = b""
            for prompt, answer in answers.items():
                while prompt.encode() not in screen:
                    assert select.select([ours], [], [], TIMEOUT)[0], screen
                    screen += os.read(ours, 1024)
                os.write(ours, answer.encode())
            for _ in range(TIMEOUT):
                with suppress(subprocess.TimeoutExpired):
                    out, _ = process.communicate(timeout=1)
                    break
                if answer == CTRL_C:  # one that comes just before the read wakes no Python
                    os.write(ours, answer.encode())
            else:
                process.kill()
            with suppress(OSError):  # so Linux says that it is the end
                while piece := os.read(ours, 1024):
                    screen += piece
        os.close(ours)
        return process.returncode, out.decode(), screen.decode()

    return typed


@pytest.mark.parametrize(
    ("command", "prompts"),
    [
        ("token --session", ("Client secret of ", "UWS user of ", "UWS password of sandbox-user: ")),
        ("login", ("Client secret: ", "UWS user of the M2M login (Enter if you ", "UWS password: ")),
    ],
)
def test_what_is_missing_is_asked_for_and_secrets_are_not_shown(typed, sandbox, command, prompts):
    """The ids may be seen, the secrets not; stdout holds the token alone, or the place of the profile."""
    answers = {ID: f"{sandbox.client_id}\n"}
    answers |= zip(prompts, ("the-client-secret\n", "sandbox-user\n", "the-password\n"))
    status, out, screen = typed(*command.split(), answers=answers, **NO_CREDENTIALS)
    assert (status, out.count("\n"), sandbox.calls["login"]) == (0, 1, 1)
    assert out.startswith("Profile 'default' is kept in the file ") is (command == "login")
    assert not any(secret in screen for secret in SECRETS)


@pytest.mark.parametrize("half", ["the secret", "the id"])
def test_the_half_that_is_missing_is_asked_for(typed, tmp_path, sandbox, half):
    """Whichever it is; the prompt goes by what the file of an id holds."""
    path = tmp_path / "id"
    path.write_text(f"{sandbox.client_id}\n")
    answers, variables = {ID: f"{sandbox.client_id}\n"}, {"THINGSPACE_CLIENT_ID": None}
    if half == "the secret":
        answers = {f"Client secret of {sandbox.client_id}: ": f"{sandbox.client_secret}\n"}
        variables |= {"THINGSPACE_CLIENT_ID_FILE": str(path), "THINGSPACE_CLIENT_SECRET": None}
    status, out, _ = typed("token", answers=answers, **variables)
    assert (status, len(out.split())) == (0, 1)


@pytest.mark.parametrize(
    ("command", "answers", "status", "said"),
    [
        ("token", {ID: CTRL_D}, 2, "CLIENT_ID and THINGSPACE_CLIENT_SECRET are not set"),
        ("token", {ID: "an-id\n", "Client secret of an-id: ": CTRL_D}, 2, "CLIENT_SECRET is not set"),
        ("login", {ID: CTRL_D}, 2, "nothing is kept"),
        ("login", {ID: "an-id\n", "Client secret: ": CTRL_D}, 2, "nothing is kept"),
        ("token", {ID: CTRL_C}, 130, None),
        ("login", {ID: CTRL_C}, 130, None),
        ("login", {ID: "an-id\n", "Client secret: ": CTRL_C}, 130, None),
    ],
)
def test_ctrl_d_and_ctrl_c_end_the_questions(typed, command, answers, status, said):
    """Nothing else is asked; what is said has a line of its own, and after Ctrl-C nothing is said."""
    code, out, screen = typed(command, answers=answers, **NO_CREDENTIALS)
    assert (code, out) == (status, "")
    line = "" if said is None else f"thingspace: .*{said}.*\r\n"
    assert re.fullmatch(rf"(\^C)*\r\n{line}", screen.rpartition(list(answers)[-1])[2])


@pytest.mark.parametrize(
    ("command", "missing"),
    [
        (["token"], "THINGSPACE_CLIENT_ID"),
        (["check"], "THINGSPACE_CLIENT_SECRET"),
        (["token", "--session"], "THINGSPACE_USERNAME"),
        (["check", "--login"], "THINGSPACE_PASSWORD"),
        (["run", __file__], "THINGSPACE_PASSWORD"),
    ],
)
def test_where_nobody_can_be_asked_one_line_says_what_is_missing(the_line, monkeypatch, command, missing):
    """The line names the variable; nothing is sent."""
    monkeypatch.setenv(missing, "")
    told = the_line(*command)
    assert f"{missing} is not set" in told
    assert "thingspace login" in told


def test_everything_that_is_missing_is_told_at_once(the_line, no_credentials, monkeypatch):
    """And each by its variable, which is what there is to set; a daemon may run without a stdin at all."""
    *names, last = NO_CREDENTIALS
    assert f"{', '.join(names)} and {last}" in the_line("token", "--session")
    monkeypatch.setattr(sys, "stdin", None)
    assert f"{', '.join(names)} and {last}" in the_line("token", "--session")


@pytest.mark.parametrize("command", ["token", "status"])
@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("BASE_URL", "http://elsewhere", "http://elsewhere"),
        ("CLOCK_SKEW", "soon", "soon"),
        ("CLIENT_ID", "a:b", "THINGSPACE_CLIENT_ID contains a colon"),
        ("CLIENT_ID_FILE", "/no/such/file", "THINGSPACE_CLIENT_ID_FILE cannot be used"),
    ],
)
def test_a_variable_that_cannot_be_used_is_named(the_line, monkeypatch, variable, value, said, command):
    """A mistake in the environment is a mistake in the call; the line names the variable."""
    if variable == "CLIENT_ID_FILE":
        monkeypatch.delenv("THINGSPACE_CLIENT_ID")
    monkeypatch.setenv(f"THINGSPACE_{variable}", value)
    assert said in the_line(command)


def test_secrets_come_from_the_keyring(execute, thingspace, sandbox):
    """``keyring set requests-thingspace ID`` is enough; the environment holds the ids only."""
    backend = {"PYTHON_KEYRING_BACKEND": "keyrings.alt.file.PlaintextKeyring", "PYTHONWARNINGS": "default"}
    secrets = {sandbox.client_id: sandbox.client_secret, sandbox.username: sandbox.password}
    for owner, secret in secrets.items():
        command = [COMMAND[0], "-m", "keyring", "set", "requests-thingspace", owner]
        assert execute(*command, typed=secret, **backend).returncode == 0
    unset = dict.fromkeys(("THINGSPACE_CLIENT_SECRET", "THINGSPACE_PASSWORD"))
    outcome = thingspace("token", "--session", **unset, **backend)
    assert (outcome.returncode, len(outcome.stdout.split())) == (0, 1)


@pytest.mark.parametrize("trouble", ["not installed", "no backend"])
def test_a_keyring_that_is_not_there_is_passed_over(thingspace, without, trouble):
    """The line says what to set, not what is wrong with keyrings."""
    variables = {"PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring"}
    if trouble == "not installed":
        variables = {"PYTHONPATH": without("keyring")}
    outcome = thingspace("token", THINGSPACE_CLIENT_SECRET=None, **variables)
    assert "THINGSPACE_CLIENT_SECRET is not set" in told_by(outcome)


def test_profiles_are_not_read_if_the_variables_say_all(thingspace, tmp_path):
    """A script under run starts sooner without them, and a broken file of profiles is in nobody's way."""
    (tmp_path / "script.py").write_text("import sys; print('requests_thingspace._profiles' in sys.modules)")
    assert thingspace("run", "script.py").stdout == "False\n"
