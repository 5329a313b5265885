"""Where credentials come from, and what is said where there are none."""

from __future__ import annotations

import os
import select
import subprocess
import sys

import pytest

from .conftest import COMMAND, NO_CREDENTIALS, TIMEOUT, told_by

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
        kept = {n: v for n, v in {**environment, **variables}.items() if v is not None}
        streams = {"stdin": theirs, "stderr": theirs, "stdout": subprocess.PIPE}
        with subprocess.Popen(
            [*ON_TERMINAL, *arguments], env=kept, start_new_session=True, **streams
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
    """The id may be seen, the secrets not, and stdout holds the header alone."""
    answers = {
        ID: f"{sandbox.client_id}\n",
        f"Client secret of {sandbox.client_id}: ": f"{sandbox.client_secret}\n",
        "UWS user of the M2M login: ": f"{sandbox.username}\n",
        f"UWS password of {sandbox.username}: ": f"{sandbox.password}\n",
    }
    status, out, screen = typed("token", "--session", "--header", answers=answers, **NO_CREDENTIALS)
    assert (status, out.split()[0], out.count("\n")) == (0, "VZ-M2M-Token:", 1)
    assert sandbox.client_secret not in screen
    assert sandbox.password not in screen


def test_login_asks_for_all_four(typed, sandbox):
    """Both secrets are typed without an echo, and the file is named."""
    answers = {
        ID: f"{sandbox.client_id}\n",
        "Client secret: ": f" {sandbox.client_secret} \n",
        "UWS user of the M2M login (Enter if you have none): ": f"{sandbox.username}\n",
        "UWS password: ": f"{sandbox.password}\n",
    }
    status, out, screen = typed("login", answers=answers)
    assert (status, sandbox.calls["login"]) == (0, 1)
    assert out.startswith("Profile 'default' is kept in the file ")
    assert sandbox.client_secret not in screen
    assert sandbox.password not in screen


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


@pytest.mark.parametrize(("missing", "prompt"), [("CLIENT_ID", ID), ("CLIENT_SECRET", "Client secret of")])
def test_ctrl_d_is_as_if_nobody_could_be_asked(typed, missing, prompt):
    """The command ends with one line, and nothing else is asked if it would be of no use."""
    unset = {"THINGSPACE_CLIENT_SECRET": None, f"THINGSPACE_{missing}": None}
    status, out, screen = typed("token", answers={prompt: CTRL_D}, **unset)
    assert (status, out, "secret of" in screen) == (2, "", missing == "CLIENT_SECRET")
    assert f"THINGSPACE_{missing}" in screen
    assert "not set" in screen
    assert "Traceback" not in screen


@pytest.mark.parametrize("prompt", [ID, "Client secret: "])
def test_ctrl_d_ends_the_questions_of_login(typed, prompt):
    """What is said then has a line of its own."""
    status, _, screen = typed("login", answers={ID: "an-id\n", prompt: CTRL_D})
    assert status == 2
    assert f"{prompt}\r\nthingspace: nothing is kept" in screen
    assert "UWS user" not in screen


@pytest.mark.parametrize(
    ("command", "answers"),
    [
        ("login", {ID: CTRL_C}),
        ("login", {ID: "an-id\n", "Client secret: ": CTRL_C}),
        ("token --session", {"UWS user": CTRL_C}),
    ],
)
def test_ctrl_c_at_a_prompt_ends_the_line(typed, command, answers):
    """Status 130, and nothing but the prompt on the screen: no traceback."""
    status, out, screen = typed(*command.split(), answers=answers, THINGSPACE_USERNAME=None)
    assert (status, out) == (130, "")
    assert screen.rpartition(": ")[2] in ("\r\n", "^C\r\n")


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
def test_a_variable_that_cannot_be_used_is_told_on_one_line(
    the_line, monkeypatch, variable, value, said, command
):
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
