"""The command line as its users have it: a process of its own, with an empty home, against the sandbox."""

import functools
import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import keyring.core
import pytest

from requests_thingspace.cli import main

from ..users import PACKAGE_FOLDER, environment_of_user

TIMEOUT = 60  # seconds for a process that hangs
COMMAND = [sys.executable, "-m", "requests_thingspace"]
SECRETS = ("the-client-secret", "the-password")
SCRIPTS = Path(__file__).parent / "scripts"
NO_CREDENTIALS = dict.fromkeys(
    f"THINGSPACE_{name}" for name in ("CLIENT_ID", "CLIENT_SECRET", "USERNAME", "PASSWORD")
)


class Outcome(NamedTuple):
    """What became of a command, in a process of its own or in this one."""

    status: int
    out: str
    err: str

    @property
    def line(self):
        """The only line that is told by a command that cannot be carried out."""
        assert (self.status, self.out, self.err.count("\n")) == (2, "", 1)
        return self.err

    @classmethod
    def without_secrets(cls, *told):
        assert not any(secret in text for secret in SECRETS for text in told[1:])
        return cls(*told)


def set_variables(environment):
    return {name: value for name, value in environment.items() if value is not None}


@pytest.fixture
def environment(sandbox, tmp_path):
    """The environment of a user of the sandbox who has no proxy, no keyring, and an empty home."""
    return {
        **environment_of_user(sandbox, tmp_path),
        "PYTHONPATH": PACKAGE_FOLDER,
        "PYTHONWARNINGS": "error",
        "OWN_KEY": sandbox.client_id,  # those of a script
        "OWN_SECRET": sandbox.client_secret,
        "OWN_USER": sandbox.username,
        "OWN_PASSWORD": sandbox.password,
        "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
    }


@pytest.fixture
def execute(environment, tmp_path):
    """A function that carries out a program to its end; a variable given as ``None`` is not set."""

    def execute(*command, cwd=tmp_path, **variables):
        how = {"cwd": cwd, "input": "", "capture_output": True, "text": True, "timeout": TIMEOUT}
        env = set_variables({**environment, **variables})
        done = subprocess.run([str(word) for word in command], env=env, check=False, **how)
        return Outcome.without_secrets(done.returncode, done.stdout, done.stderr)

    return execute


@pytest.fixture
def thingspace(execute):
    """A function that carries out one command to its end."""
    return functools.partial(execute, *COMMAND)


VERIZON = "https://thingspace.verizon.com"
LED = {  # the environment of a script that knows Verizon's hosts alone, without a way there
    **NO_CREDENTIALS,
    "THINGSPACE_BASE_URL": VERIZON,
    "REQUESTS_CA_BUNDLE": None,
    "HTTPS_PROXY": "http://127.0.0.1:9",
}


@pytest.fixture
def run(thingspace):
    """A function that has a script run to its end, against the sandbox, or led to one by ``--sandbox``."""

    def run(script, *arguments, led=False, **variables):
        option, given = (["--sandbox"], LED) if led else ([], {})
        return thingspace("run", *option, SCRIPTS / script, *arguments, **{**given, **variables})

    return run


@pytest.fixture
def call(environment, monkeypatch, capsys):
    """A function that carries out one command in this process."""
    for name in set(os.environ) - set(environment):
        monkeypatch.delenv(name)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(keyring.core, "_keyring_backend", None)  # it is chosen anew, by this environment

    def call(*arguments):
        try:
            status = main(list(arguments))
        except SystemExit as ended:  # by argparse
            status = ended.code
        return Outcome.without_secrets(status, *capsys.readouterr())

    return call


@pytest.fixture
def started(environment, tmp_path):
    """A context manager: a command that goes on until the block ends."""

    @contextmanager
    def started(*command, **variables):
        how = {"cwd": tmp_path, "text": True, "env": set_variables({**environment, **variables})}
        how |= dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        with subprocess.Popen([str(word) for word in command], **how) as process:
            try:
                yield process
            finally:
                process.kill()

    return started
