"""Where credentials come from, and what is said where there are none."""

from __future__ import annotations

import os
import select
import subprocess
import sys

import pytest

from .conftest import COMMAND, NO_CREDENTIALS, TIMEOUT, told_by

pty = pytest.importorskip("pty", reason="Windows has no pseudo-terminals")

ON_TERMINAL = [
    sys.executable,
    "-c",
    "import fcntl, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); "
    "from requests_thingspace.cli import main; sys.exit(main())",
]
"""The command, to which its terminal can send Ctrl-C."""


@pytest.fixture
def typed(environment, tmp_path):
    """A function that answers the prompts of a command on a terminal: its status, stdout, and the screen."""

    def typed(*arguments, answers, **variables):
        ours, theirs = pty.openpty()
        kept = {n: v for n, v in {**environment, **variables}.items() if v is not None}
        streams = {"stdin": theirs, "stderr": theirs, "stdout": subprocess.PIPE}
        with subprocess.Popen(
            [*ON_TERMINAL, *arguments], env=kept, cwd=tmp_path, start_new_session=True, **streams
        ) as process:
            os.close(theirs)
            screen = b""
            for prompt, answer in answers.items():
                while prompt.encode() not in screen:
                    assert select.select([ours], [], [], TIMEOUT)[0], screen
                    screen += os.read(ours, 1024)
                os.write(ours, answer.encode())
            out, _ = process.communicate(timeout=TIMEOUT)
            screen += _rest(ours)
        os.close(ours)
        return process.returncode, out.decode(), screen.decode()

    return typed


def _rest(terminal):
    """What is left to read; Linux says EIO where others say that it is the end."""
    read = b""
    try:
        while piece := os.read(terminal, 1024):
            read += piece
    except OSError:
        pass
    return read


def test_what_is_missing_is_asked_for_and_secrets_are_not_shown(typed, sandbox):
    """The id may be seen, the secret not, and stdout holds the header alone."""
    status, out, screen = typed(
        "token",
        "--session",
        "--header",
        answers={
            "Client ID (key): ": f"{sandbox.client_id}\n",
            f"Client secret of {sandbox.client_id}: ": f"{sandbox.client_secret}\n",
            "UWS user of the M2M login: ": f"{sandbox.username}\n",
            f"UWS password of {sandbox.username}: ": f"{sandbox.password}\n",
        },
        **NO_CREDENTIALS,
    )
    assert status == 0
    assert out.startswith("VZ-M2M-Token: ")
    assert out.count("\n") == 1
    assert sandbox.client_secret not in screen
    assert sandbox.password not in screen


def test_login_asks_for_all_four(typed, sandbox):
    """Both secrets are typed without an echo, and the file is named."""
    status, out, screen = typed(
        "login",
        answers={
            "Client ID (key): ": f"{sandbox.client_id}\n",
            "Client secret: ": f" {sandbox.client_secret} \n",
            "UWS user of the M2M login (Enter if you have none): ": f"{sandbox.username}\n",
            "UWS password: ": f"{sandbox.password}\n",
        },
    )
    assert status == 0
    assert out.startswith("Profile 'default' is kept in the file ")
    assert sandbox.client_secret not in screen
    assert sandbox.password not in screen
    assert sandbox.calls["login"] == 1


@pytest.mark.parametrize(
    ("missing", "prompt"),
    [("THINGSPACE_CLIENT_ID", "Client ID (key): "), ("THINGSPACE_CLIENT_SECRET", "Client secret")],
)
def test_no_answer_is_as_if_nobody_could_be_asked(typed, missing, prompt):
    """Ctrl-D at a prompt ends the command with one line."""
    status, out, screen = typed("token", answers={prompt: "\x04"}, **{missing: None})
    assert (status, out) == (2, "")
    assert f"{missing} is not set" in screen
    assert "Traceback" not in screen


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


def test_everything_that_is_missing_is_told_at_once(the_line, no_credentials):
    """And each by its variable, which is what there is to set."""
    *names, last = NO_CREDENTIALS
    assert f"{', '.join(names)} and {last}" in the_line("token", "--session")


def test_a_closed_stdin_is_no_terminal(execute):
    """A daemon may run without a stdin at all."""
    command = f"exec {subprocess.list2cmdline(COMMAND)} token <&-"
    assert told_by(execute("/bin/sh", "-c", command, THINGSPACE_CLIENT_ID=None))


@pytest.mark.parametrize(
    ("variable", "value"), [("THINGSPACE_BASE_URL", "http://elsewhere"), ("THINGSPACE_CLOCK_SKEW", "soon")]
)
@pytest.mark.parametrize("command", ["token", "status"])
def test_a_variable_that_cannot_be_used_is_told_on_one_line(the_line, monkeypatch, variable, value, command):
    """A mistake in the environment is a mistake in the call."""
    monkeypatch.setenv(variable, value)
    assert value in the_line(command)


def test_secrets_come_from_the_keyring(execute, thingspace, sandbox):
    """``keyring set requests-thingspace ID`` is enough; the environment holds the ids only."""
    backend = {"PYTHON_KEYRING_BACKEND": "keyrings.alt.file.PlaintextKeyring", "PYTHONWARNINGS": "default"}
    for owner, secret in (
        (sandbox.client_id, sandbox.client_secret),
        (sandbox.username, sandbox.password),
    ):
        command = [COMMAND[0], "-m", "keyring", "set", "requests-thingspace", owner]
        assert execute(*command, typed=secret, **backend).returncode == 0
    outcome = thingspace(
        "token", "--session", THINGSPACE_CLIENT_SECRET=None, THINGSPACE_PASSWORD=None, **backend
    )
    assert (outcome.returncode, len(outcome.stdout.split())) == (0, 1)


@pytest.mark.parametrize("trouble", ["not installed", "no backend"])
def test_a_keyring_that_is_not_there_is_passed_over(thingspace, without, trouble):
    """The line says what to set, not what is wrong with keyrings."""
    if trouble == "not installed":
        variables = {"PYTHONPATH": without("keyring")}
    else:
        variables = {"PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring"}
    assert "THINGSPACE_CLIENT_SECRET is not set" in told_by(
        thingspace("token", THINGSPACE_CLIENT_SECRET=None, **variables)
    )


def test_an_id_from_a_file_goes_with_a_prompted_secret(typed, tmp_path, sandbox):
    """The keyring and the prompt go by what the file holds."""
    path = tmp_path / "id"
    path.write_text(f"{sandbox.client_id}\n")
    variables = {"THINGSPACE_CLIENT_ID": None, "THINGSPACE_CLIENT_ID_FILE": str(path)}
    answers = {"Client secret of ": f"{sandbox.client_secret}\n"}
    status, out, _ = typed("token", answers=answers, THINGSPACE_CLIENT_SECRET=None, **variables)
    assert (status, len(out.split())) == (0, 1)


def test_an_id_that_is_typed_goes_with_the_secret_of_the_environment(typed, sandbox):
    """The half that is missing is asked for, whichever it is."""
    answers = {"Client ID (key): ": f"{sandbox.client_id}\n"}
    status, out, _ = typed("token", answers=answers, THINGSPACE_CLIENT_ID=None)
    assert (status, len(out.split())) == (0, 1)


def test_profiles_are_not_read_if_the_variables_say_all(thingspace, tmp_path):
    """A script under run starts sooner without them, and a broken file of profiles is in nobody's way."""
    (tmp_path / "script.py").write_text("import sys; print('requests_thingspace._profiles' in sys.modules)")
    assert thingspace("run", "script.py").stdout == "False\n"


@pytest.mark.parametrize("command", ["token", "status"])
def test_a_file_that_is_not_there_is_told_on_one_line(the_line, monkeypatch, command):
    """It names the variable; the status needs the id as well."""
    monkeypatch.delenv("THINGSPACE_CLIENT_ID")
    monkeypatch.setenv("THINGSPACE_CLIENT_ID_FILE", "/no/such/file")
    assert "THINGSPACE_CLIENT_ID_FILE cannot be used" in the_line(command)


def test_ctrl_d_ends_the_questions(typed):
    """Nothing else is asked if it would be of no use, and what is said has a line of its own."""
    unset = {"THINGSPACE_CLIENT_ID": None, "THINGSPACE_CLIENT_SECRET": None}
    status, _, screen = typed("token", answers={"Client ID (key): ": "\x04"}, **unset)
    assert (status, "secret" in screen) == (2, False)
    for prompt in ("Client ID (key): ", "Client secret: "):
        answers = {"Client ID (key): ": "an-id\n", prompt: "\x04"}
        status, _, screen = typed("login", answers=answers)
        assert status == 2
        assert f"{prompt}\r\nthingspace: nothing is kept" in screen
        assert "UWS user" not in screen


@pytest.mark.parametrize(
    ("command", "prompt"),
    [("login", "Client ID (key): "), ("login", "Client secret: "), ("token", "UWS user")],
)
def test_ctrl_c_at_a_prompt_ends_the_line(typed, command, prompt):
    """Status 130, and nothing but the prompt on the screen: no traceback."""
    arguments = ["token", "--session"] if command == "token" else [command]
    answers = {"Client ID (key): ": "an-id\n", prompt: "\x03"} if command == "login" else {prompt: "\x03"}
    status, out, screen = typed(*arguments, answers=answers, THINGSPACE_USERNAME=None)
    assert (status, out) == (130, "")
    assert screen.rpartition(": ")[2] in ("\r\n", "^C\r\n")


@pytest.mark.parametrize("command", ["token", "status"])
def test_a_variable_that_cannot_be_used_is_named(thingspace, command):
    """The message says which variable is wrong, not which argument of a library."""
    assert "THINGSPACE_CLIENT_ID contains a colon" in told_by(thingspace(command, THINGSPACE_CLIENT_ID="a:b"))
