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
PYTEST = ("python", "-m", "pytest", "-n", "2", "--dist", "worksteal")  # beside another session

# Tests with other people's packages; what no old or free-threaded Python has is not asked of it.
INTEROP = (
    "tests/interop",
    "tests/cli/test_run_other_clients.py",
    "tests/test_from_credentials.py",
    "tests/test_legacy_examples.py",
    "tests/test_other_clients.py",
    "tests/test_pages.py",
)
ALONE = ("tests", *(f"--ignore={path}" for path in INTEROP))

# What an interpreter has to pass when it is not one of those that run all tests.
QUICK = ("-m", "not slow", *ALONE)

# What Debian 12 ships. What RHEL 9 ships are the lowest versions, in setup.cfg; Ubuntu 22.04 has the same.
DEBIAN_12 = ("requests==2.28.1", "urllib3==1.26.12", "requests-oauthlib==1.3.0", "oauthlib==3.2.2")

# What a gate exits with that cannot run on this machine.
LEFT_OUT = 77

# What no copy of the checkout holds: environments, caches, and what was built.
LEFT_BEHIND = (".git", ".venv*", ".nox", ".*_cache", ".hypothesis", ".coverage*")
LEFT_BEHIND += ("__pycache__", "*.egg-info", "_build", "build", "dist")


def answers(*program: str) -> bool:
    """Whether this is a released Python, with TLS, and not a shim for one that is not selected."""
    probe = "import ssl, sys; sys.exit(sys.version_info.releaselevel != 'final')"
    return subprocess.run([*program, "-c", probe], capture_output=True, check=False).returncode == 0


def find_interpreters(kind: str = "") -> Iterator[str]:
    """Yields "3.9", "3.10", ... for each released CPython on PATH or under pyenv, oldest first.

    With "t" it yields the free-threaded ones.
    """
    if shutil.which("pyenv"):  # its shims on PATH answer for the selected versions only
        root = subprocess.run(["pyenv", "root"], capture_output=True, text=True, check=True).stdout.strip()
        folders = [str(path) for path in Path(root, "versions").glob("3.*/bin")]
        os.environ["PATH"] = os.pathsep.join([*folders, os.environ["PATH"]])
    major, oldest = SHIPPED["options"]["python_requires"].removeprefix(">=").split(".")
    for version in (f"{major}.{minor}{kind}" for minor in range(int(oldest), 40)):
        name, *choice = ("py", f"-{version}") if os.name == "nt" else (f"python{version}",)
        program = shutil.which(name)
        if program and answers(program, *choice):
            yield version


PYTHONS = list(find_interpreters())
OLDEST, NEWEST = PYTHONS[0], PYTHONS[-1]
# cryptography, by which the sandbox makes its certificates, has no wheel for 3.13t.
FREE_THREADED = [version for version in find_interpreters("t") if version != "3.13t"]


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
        shutil.copytree(
            ".",
            away,
            ignore=shutil.ignore_patterns("*requests_thingspace*", "pytest_thingspace.py", *LEFT_BEHIND),
        )
        session.chdir(away)
        where = "import requests_thingspace; print(requests_thingspace.__file__)"
        imported = session.run("python", "-c", where, silent=True)
        if "site-packages" not in Path(str(imported)).parts:
            session.error(f"the tests would import {imported}, not the wheel")
        session.run(*PYTEST, *choice, *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Style and likely mistakes, by ruff; GitHub's workflows, by their schema and by zizmor."""
    provide(session, *tools("lint"))
    session.run("ruff", "check", *session.posargs)
    session.run("ruff", "format", "--check", "--quiet")
    workflows = [str(path) for path in Path(".github", "workflows").glob("*.yml")]
    session.run("check-jsonschema", "--builtin-schema", "vendor.github-workflows", *workflows)
    session.run("zizmor", "--offline", "--no-progress", "--quiet", *workflows)


@nox.session
def imports(session: nox.Session) -> None:
    """The layers of the package, by import-linter."""
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
    """Types: ours by mypy --strict, and those that a caller sees by mypy and pyright."""
    install_wheel(session, "all", *tools("test"), *tools("types"))
    session.run("mypy")
    session.run("mypy", "tests/typing")
    session.run("pyright", "tests/typing")


@nox.session(requires=["wheel"])
def docs(session: nox.Session) -> None:
    """The documentation, warnings as errors."""
    install_wheel(session, "all", *tools("docs"))
    session.run("sphinx-build", "-W", "--keep-going", "-q", "docs", "docs/_build")


@nox.session(venv_backend="none", requires=["docs"])
def pages(session: nox.Session) -> None:
    """No page runs off the screen of a laptop or a phone, by headless Chromium; without it, it says so."""
    session.run("python3", "docs/measure.py", "docs/_build")


@nox.session(python=OLDEST, requires=["wheel"])
def tests_lowest(session: nox.Session) -> None:
    """The wheel with the lowest versions, which are RHEL 9's: all tests, on the oldest interpreter."""
    install_wheel(session, "all", *tools("test-alone"), *lowest_versions(), redis=True)
    # Old versions leave sockets to the garbage collector; ours are watched where the versions are new.
    test_wheel(session, "-W", "ignore::ResourceWarning", *ALONE)


@nox.session(python="3.11" if "3.11" in PYTHONS else OLDEST, requires=["wheel"])
def tests_debian(session: nox.Session) -> None:
    """The wheel with Debian 12's versions: quick tests."""
    install_wheel(session, "all", *tools("test-alone"), *DEBIAN_12, redis=True)
    test_wheel(session, "-W", "ignore::ResourceWarning", *QUICK)


@nox.session(python=PYTHONS, requires=["wheel"])
def tests(session: nox.Session) -> None:
    """The wheel with the newest versions: all tests on the newest interpreter, the quick ones elsewhere."""
    install_wheel(session, "all", *tools("test"), redis=True)
    test_wheel(session, *(() if session.python == NEWEST else QUICK))


@nox.session(python=FREE_THREADED or False, requires=["wheel"])
def free_threaded(session: nox.Session) -> None:
    """The wheel where there is no GIL, wherever a python3.14t or the like is on PATH: all tests.

    gevent and others of the interop tests have no wheels for it. The GIL stays off whatever is loaded.
    """
    if not FREE_THREADED:
        session.skip("no free-threaded CPython is on PATH")
    install_wheel(session, "all", *tools("test-alone"))
    session.env["PYTHON_GIL"] = "0"
    test_wheel(session, *ALONE)


@nox.session(default=False, python=False, allow_parallel=False)
@nox.parametrize("debian", ["bookworm", "trixie"])
def bare(session: nox.Session, debian: str) -> None:
    """The README's two commands as an ordinary user of a bare Debian; it takes root, or sudo."""
    command = [".ci/bare_debian", debian, *(session.posargs or ("077", "0"))]
    outcome = subprocess.run(command, check=False)
    if outcome.returncode == LEFT_OUT:
        session.skip("it says above why it was left out")
    if outcome.returncode:
        session.error(f"{' '.join(command)} exits with {outcome.returncode}")


@nox.session(default=False, allow_parallel=False)
def bench(session: nox.Session) -> None:
    """How fast, next to the static header and to the peers."""
    provide(session, "--editable=.[all]", *tools("bench"), redis=True)
    session.run("python", "-m", "benchmarks", *session.posargs)


@nox.session(default=False)
def fuzz(session: nox.Session) -> None:
    """How tough: coverage-guided fuzzing of what reads foreign bytes, by libFuzzer's own arguments."""
    provide(session, "--editable=.[all]", *tools("test"), *tools("fuzz"))
    for target in ("token_answer", "covered_url"):
        session.run("python", "-m", "tests.fuzz", target, *(session.posargs or ["-max_total_time=30"]))


@nox.session(default=False)
def torture(session: nox.Session) -> None:
    """How sound: every moment of an interrupt, thousands of schedules, each system call failing in turn.

    And ten minutes of threads, expiry, revocation and faults against a sandbox; `-k minutes` runs them alone.
    """
    provide(session, "--editable=.[all]", *tools("test"))
    session.run(*PYTEST, "tests/torture", "-rP", *session.posargs, env={"TORTURE": "full"})


@nox.session(default=False)
def deploy(session: nox.Session) -> None:
    """Where fleets run: the page on deployment, with gunicorn, uWSGI, Celery and Jupyter."""
    provide(session, "--editable=.[all]", *tools("test"), *tools("deploy"), redis=True)
    session.run("python", "-m", "pytest", "tests/deploy", *session.posargs)


@nox.session(default=False)
def mutants(session: nox.Session) -> None:
    """How much the tests would notice: each module given, with one thing changed at a time."""
    provide(session, "--editable=.[all]", *tools("test"))
    session.run("python", "-m", "tests.mutants", *session.posargs)
