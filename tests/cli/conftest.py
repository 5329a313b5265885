"""The command line as its users have it: a process of its own, with an empty home, against the sandbox."""

import functools
import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import keyring.core
import pytest

import requests_thingspace
from requests_thingspace.cli import main

from ..users import environment_of_user

TIMEOUT = 60  # seconds for a process that hangs
COMMAND = [sys.executable, "-m", "requests_thingspace"]
SECRETS = ("the-client-secret", "the-password")
SCRIPTS = Path(__file__).parent / "scripts"
NO_CREDENTIALS = dict.fromkeys(
    f"THINGSPACE_{name}" for name in ("CLIENT_ID", "CLIENT_SECRET", "USERNAME", "PASSWORD")
)


def set_variables(environment):
    return {name: value for name, value in environment.items() if value is not None}


@pytest.fixture
def environment(sandbox, tmp_path):
    """The environment of a user of the sandbox who has no proxy, no keyring, and an empty home."""
    return {
        **environment_of_user(sandbox, tmp_path),
        "PYTHONPATH": str(Path(requests_thingspace.__file__).parents[1]),
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

    def execute(*command, cwd=tmp_path, typed="", **variables):
        how = {"cwd": cwd, "input": typed, "capture_output": True, "text": True, "timeout": TIMEOUT}
        env = set_variables({**environment, **variables})
        outcome = subprocess.run([str(word) for word in command], env=env, check=False, **how)
        assert not any(secret in outcome.stdout + outcome.stderr for secret in SECRETS)
        return outcome

    return execute


@pytest.fixture
def thingspace(execute):
    """A function that carries out one command to its end."""
    return functools.partial(execute, *COMMAND)


LED = {  # the environment of a script that knows Verizon's hosts alone, without a way there
    **NO_CREDENTIALS,
    "THINGSPACE_BASE_URL": "https://thingspace.verizon.com",
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
    """A function that carries out one command in this process: its status, stdout and stderr."""
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
        told = capsys.readouterr()
        assert not any(secret in told.out + told.err for secret in SECRETS)
        return status, told.out, told.err

    return call


@pytest.fixture
def no_credentials(call, monkeypatch):
    """Commands in this process find no credentials in the environment."""
    for name in NO_CREDENTIALS:
        monkeypatch.delenv(name)


@pytest.fixture
def the_line(call):
    """A function that gives the only line of a command in this process that cannot be carried out."""
    return lambda *arguments: line_of(*call(*arguments))


def line_of(status, out, err):
    """The only line that is told, on stderr, by a command that ends with status 2."""
    assert (status, out, err.count("\n")) == (2, "", 1)
    return err


def told_by(outcome):
    """The same of a process."""
    return line_of(outcome.returncode, outcome.stdout, outcome.stderr)


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


@pytest.fixture
def without(tmp_path):
    """A function that gives a ``PYTHONPATH`` on which a package is as if it were not installed."""

    def without(package):
        folder = tmp_path / "without"
        folder.mkdir()
        (folder / "sitecustomize.py").write_text(f"import sys\nsys.modules[{package!r}] = None\n")
        return f"{folder}{os.pathsep}{Path(requests_thingspace.__file__).parents[1]}"

    return without
