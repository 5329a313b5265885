"""The gates: which environments there are and what runs in each.

`nox` runs all of them, `nox -l` lists them, `nox -s tests-3.12 -- -k redirect` hands arguments to pytest.
Requirements stand in setup.cfg, the tools and their settings in pyproject.toml.
"""

import configparser
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import nox

nox.needs_version = ">=2026.10"
nox.options.default_venv_backend = "virtualenv"
nox.options.reuse_venv = "yes"
nox.options.error_on_missing_interpreters = True
nox.options.allow_parallel = True

SHIPPED = configparser.ConfigParser()
SHIPPED.read("setup.cfg")
CHECKED = nox.project.load_toml("pyproject.toml")

# A second run is quick: environments are kept until one of these files changes.
FACTS = ("setup.cfg", "pyproject.toml", "noxfile.py", ".ci/redis_server.py")

# Most tests wait more than they compute.
PYTEST = ("python", "-m", "pytest", "-n", "2", "--dist", "loadfile")

# What an interpreter has to pass when it is not one of those that run all tests.
QUICK = ("-m", "not slow", "tests", "--ignore=tests/company")

# What no copy of the checkout holds: environments, caches, and what was built.
LEFT_BEHIND = (".*", "__pycache__", "*.egg-info", "_build", "build", "dist")


def answers(program: str) -> bool:
    """Whether this is a released Python, with TLS, and not a shim for one that is not selected."""
    probe = "import ssl, sys; sys.exit(sys.version_info.releaselevel != 'final')"
    return subprocess.run([program, "-c", probe], capture_output=True, check=False).returncode == 0


def find_interpreters() -> Iterator[str]:
    """Yields "3.10", "3.11", ... for each released CPython on PATH or under pyenv, oldest first."""
    if shutil.which("pyenv"):  # its shims on PATH answer for the selected versions only
        root = subprocess.run(["pyenv", "root"], capture_output=True, text=True, check=True).stdout.strip()
        folders = [str(path) for path in Path(root, "versions").glob("3.*/bin")]
        os.environ["PATH"] = os.pathsep.join([*folders, os.environ["PATH"]])
    major, oldest = SHIPPED["options"]["python_requires"].removeprefix(">=").split(".")
    for version in (f"{major}.{minor}" for minor in range(int(oldest), 40)):
        program = shutil.which(f"python{version}")
        if program and answers(program):
            yield version


PYTHONS = list(find_interpreters())
OLDEST = PYTHONS[0]


def provide(session: nox.Session, *requirements: str, redis: bool = False) -> None:
    """Installs, unless this environment was made from the same facts."""
    facts = [*requirements, *(Path(fact).read_text() for fact in FACTS)]
    digest = hashlib.sha256("\0".join(facts).encode()).hexdigest()
    ready = Path(session.virtualenv.location, "ready")
    if ready.exists() and ready.read_text() == digest:
        return
    session.install(*requirements)
    if redis:
        session.run_install("python", ".ci/redis_server.py", silent=True)
    ready.write_text(digest)


def tools(group: str) -> list[str]:
    """The requirements of one of pyproject.toml's dependency groups."""
    return list(nox.project.dependency_groups(CHECKED, group))


def lowest_versions() -> list[str]:
    """Each lower bound of setup.cfg, core and extras, as a pin."""
    declared = [SHIPPED["options"]["install_requires"], *SHIPPED["options.extras_require"].values()]
    bounds = re.findall(r"^([\w.-]+)>=([\w.]+)$", "\n".join(declared), re.MULTILINE)
    return [f"{name}=={version}" for name, version in bounds]


def install_wheel(session: nox.Session, extras: str, *more: str, redis: bool = False) -> None:
    """Installs what the session `wheel` built."""
    (built,) = Path("dist").glob("*.whl")
    provide(session, f"{built}[{extras}]", *more, redis=redis)
    session.install("--force-reinstall", "--no-deps", str(built))


def test_wheel(session: nox.Session, *choice: str) -> None:
    """Runs tests in a folder that holds everything but the package, so that they import what is installed."""
    with tempfile.TemporaryDirectory() as parent:
        away = Path(parent, "away")
        shutil.copytree(".", away, ignore=shutil.ignore_patterns("*requests_thingspace*", *LEFT_BEHIND))
        session.chdir(away)
        where = "import requests_thingspace; print(requests_thingspace.__file__)"
        imported = session.run("python", "-c", where, silent=True)
        if "site-packages" not in Path(str(imported)).parts:
            session.error(f"the tests would import {imported}, not the wheel")
        session.run(*PYTEST, *choice, *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Style and likely mistakes, by ruff."""
    provide(session, *tools("lint"))
    session.run("ruff", "check", *session.posargs)
    session.run("ruff", "format", "--check", "--quiet")


@nox.session
def imports(session: nox.Session) -> None:
    """The floor plan, by import-linter."""
    provide(session, *tools("imports"))
    session.run("lint-imports")


@nox.session
def wheel(session: nox.Session) -> None:
    """The sdist, from it the wheel, and what PyPI will make of both."""
    provide(session, *tools("build"))
    shutil.rmtree("dist", ignore_errors=True)
    with tempfile.TemporaryDirectory() as parent:
        clean = Path(parent, "clean")
        shutil.copytree(".", clean, ignore=shutil.ignore_patterns(*LEFT_BEHIND))
        session.run("python", "-m", "build", "--outdir", "dist", str(clean), silent=True)
    session.run("twine", "check", "--strict", *(str(built) for built in Path("dist").iterdir()))


@nox.session(requires=["wheel"])
def types(session: nox.Session) -> None:
    """Types, by mypy --strict."""
    install_wheel(session, "test", *tools("types"))
    session.run("mypy")


@nox.session(requires=["wheel"])
def docs(session: nox.Session) -> None:
    """The documentation, warnings as errors."""
    install_wheel(session, "docs,all")
    session.run("sphinx-build", "-W", "--keep-going", "-q", "docs", "docs/_build")


@nox.session(python=OLDEST, requires=["wheel"])
def tests_lowest(session: nox.Session) -> None:
    """The wheel with the lowest versions, all tests, on the oldest interpreter."""
    install_wheel(session, "test", *lowest_versions(), redis=True)
    # Old versions leave sockets to the garbage collector; ours are watched where the versions are new.
    test_wheel(session, "-W", "ignore::ResourceWarning")


@nox.session(python=PYTHONS, requires=["wheel"])
def tests(session: nox.Session) -> None:
    """The wheel with the newest versions: the quick tests on each interpreter."""
    install_wheel(session, "test", redis=True)
    test_wheel(session, *QUICK)


@nox.session(default=False, allow_parallel=False)
def bench(session: nox.Session) -> None:
    """How fast, next to the static header and to the peers."""
    provide(session, "--editable=.[all]", *tools("bench"))
    session.run("python", "-m", "benchmarks", *session.posargs)


@nox.session(default=False)
def fuzz(session: nox.Session) -> None:
    """How tough: coverage-guided fuzzing of what reads foreign bytes."""
    provide(session, "--editable=.[test]", *tools("fuzz"))
    session.run("python", "-m", "tests.fuzz", *session.posargs)


@nox.session(default=False)
def soak(session: nox.Session) -> None:
    """How lasting: minutes of threads, expiry, revocation and faults."""
    provide(session, "--editable=.[test]")
    session.run("python", "-m", "soak", *session.posargs)
