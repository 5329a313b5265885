"""Where credentials come from, and what is said where there are none."""

import os
import re
import select
import subprocess
import sys
from contextlib import suppress

import keyring
import pytest

from .conftest import NO_CREDENTIALS, SECRETS, TIMEOUT, set_variables

pty = pytest.importorskip("pty", reason="Windows has no pseudo-terminals")

ON_TERMINAL = [  # the command, to which its terminal can send Ctrl-C
    sys.executable,
    "-c",
    "import fcntl, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); "
    "from requests_thingspace.cli import main; sys.exit(main())",
]
CTRL_C, CTRL_D = "\x03", "\x04"
ID = "Client ID (key): "
BY_TOKEN = (ID, "Client secret of ", "UWS user of ", "UWS password of sandbox-user: ")
BY_LOGIN = (ID, "Client secret: ", "UWS user of the M2M login (Enter if you have none): ", "UWS password: ")
ID_IN_FILE = {**NO_CREDENTIALS, "THINGSPACE_CLIENT_ID_FILE": "id"}


@pytest.fixture
def typed(environment, tmp_path):
    """A function that answers the prompts of a command on a terminal: its status, stdout, and the screen."""

    def typed(*arguments, answers, **variables):
        ours, theirs = pty.openpty()
        how = {"stdin": theirs, "stderr": theirs, "stdout": subprocess.PIPE, "start_new_session": True}
        how |= {"env": set_variables({**environment, **variables}), "cwd": tmp_path}
        with subprocess.Popen([*ON_TERMINAL, *arguments], **how) as process:
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
    ("command", "variables", "prompts"),
    [
        ("token --session", NO_CREDENTIALS, BY_TOKEN),
        ("login", NO_CREDENTIALS, BY_LOGIN),
        ("token", {"THINGSPACE_CLIENT_ID": None}, [ID]),
        ("token", ID_IN_FILE, ["Client secret of {key}: "]),
    ],
)
def test_what_is_missing_is_asked_for(typed, sandbox, tmp_path, command, variables, prompts):
    """Ids are shown, secrets are not; stdout holds the token alone, or the place of the profile."""
    (tmp_path / "id").write_text(f"{sandbox.client_id}\n")
    known = {"Client ID": sandbox.client_id, "Client secret": sandbox.client_secret}
    known |= {"UWS user": sandbox.username, "UWS password": sandbox.password}
    prompts = [prompt.format(key=sandbox.client_id) for prompt in prompts]
    answers = {prompt: f"{next(known[it] for it in known if prompt.startswith(it))}\n" for prompt in prompts}
    status, out, screen = typed(*command.split(), answers=answers, **variables)
    assert (status, out.count("\n"), sandbox.calls["login"]) == (0, 1, len(prompts) // 4)
    assert out.startswith("Profile 'default' is kept in the file ") is (command == "login")
    assert not any(secret in screen for secret in SECRETS)


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


def test_secrets_come_from_the_keyring(call, monkeypatch, sandbox):
    """``keyring set requests-thingspace ID`` is enough; the environment holds the ids only."""
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "tests.file_keyring.Keyring")
    for owner, secret in (("client_id", "client_secret"), ("username", "password")):
        monkeypatch.delenv(f"THINGSPACE_{secret.upper()}")
        keyring.set_password("requests-thingspace", getattr(sandbox, owner), getattr(sandbox, secret))
    assert call("token", "--session")[0] == 0


def test_a_keyring_that_is_not_there_is_passed_over(call, monkeypatch):
    """The line says what to set, not what is wrong with keyrings."""
    monkeypatch.delenv("THINGSPACE_CLIENT_SECRET")
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.fail.Keyring")
    assert "THINGSPACE_CLIENT_SECRET is not set" in call("token").line
    monkeypatch.setitem(sys.modules, "keyring", None)
    assert "THINGSPACE_CLIENT_SECRET is not set" in call("token").line
