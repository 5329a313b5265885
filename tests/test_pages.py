"""The pages beside the snippets: links, versions, diffs, messages, and what must not be in them."""

import ast
import configparser
import difflib
import logging
import re
import subprocess
import sys
from pathlib import Path

import pytest

import requests_thingspace
from requests_thingspace._events import _LINES

PACKAGE = Path(requests_thingspace.__file__).parent
ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.rst", ROOT / "CONTRIBUTING.rst", *sorted((ROOT / "docs").rglob("*.rst"))]
MIGRATION = ROOT / "examples" / "migration"


def text_of(page):
    """A page on one line, without the markup of literals."""
    return " ".join(page.read_text(encoding="utf-8").replace("``", "").split())


def test_the_readme_links_to_the_site_and_nowhere_else_in_the_repository():
    """A relative link is dead on the package page; each link of the README leads to a page that there is."""
    readme = (ROOT / "README.rst").read_text(encoding="utf-8")
    links = re.findall(r"^\.\. _[^:]+: (\S+)$", readme, re.MULTILINE)
    urls = setup_cfg()["metadata"]["project_urls"].strip().splitlines()
    home = dict(line.split(" = ") for line in urls)["Documentation"]
    ours = [link for link in links if link.startswith(home)]
    assert len(ours) > 10
    assert all(link.startswith("https://") for link in links)
    for link in ours:
        assert (ROOT / "docs" / link[len(home) :].replace(".html", ".rst")).exists(), link


def test_what_is_said_twice_agrees():
    """The oldest Python, a contributor's ruff, and each module, which the architecture's page names."""
    oldest = setup_cfg()["options"]["python_requires"].replace(">=", "")
    assert f"Python {oldest} or newer" in text_of(ROOT / "README.rst")
    pinned = re.search(r'"ruff==([\d.]+)\*"', (ROOT / "pyproject.toml").read_text(encoding="utf-8"))[1]
    assert f"rev: v{pinned}" in (ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8")
    modules = {path.stem for path in PACKAGE.glob("*.py")}
    modules |= {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    page = text_of(ROOT / "docs" / "architecture.rst")
    assert {name for name in modules - {"__init__", "__main__"} if name not in page} == set()


def test_no_page_names_a_path_of_a_machine():
    """Nothing of the machine on which a page was written is on it."""
    told = {page.name: page.read_text(encoding="utf-8").replace("/home/you", "") for page in PAGES}
    assert [name for name, text in told.items() if re.search(r"/(home|root|work|Users)/\w", text)] == []


def test_the_diff_of_the_migration_is_that_of_its_scripts():
    """Whoever changes one of the two scripts writes the diff again."""
    names = ("before.py", "after.py")
    before, after = ((MIGRATION / name).read_text().splitlines(keepends=True) for name in names)
    assert len(before) == 48
    diff = "".join(difflib.unified_diff(before, after, *names, n=60))
    assert (MIGRATION / "before-to-after.diff").read_text() == diff


@pytest.mark.parametrize(("script", "survives"), [("before.py", False), ("after.py", True)])
def test_the_migrated_script_survives(script, survives, documented_thingspace, tmp_path):
    """Both run against the sandbox; with tokens that live for a moment the old one dies."""
    sandbox, environment = documented_thingspace
    sandbox.reset()
    command = [sys.executable, str(MIGRATION / script), sandbox.account, "3"]
    environment = {**environment, "PAUSE": "0.3", "PYTHONUNBUFFERED": "1"}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, cwd=tmp_path, env=environment, **pipes) as process:
        process.stdout.readline()
        sandbox.revoke_tokens()
        rest, said = process.communicate(timeout=60)
    assert (process.returncode == 0) == survives, said
    assert len(rest.splitlines()) == (2 if survives else 0)


def messages():
    """The constant pieces of each message that the package raises, but for its tools."""
    for path in sorted(PACKAGE.rglob("*.py")):
        if path.relative_to(PACKAGE).parts[0] in ("__init__.py", "cli", "sandbox", "testing.py"):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) and node.exc.args:
                parts = (part for part in ast.walk(node.exc.args[0]) if isinstance(part, ast.Constant))
                pieces = [part.value for part in parts if isinstance(part.value, str)]
                yield from ((path.name, piece.strip(" .:'")) for piece in pieces if len(piece) > 14)


def test_each_message_is_under_troubleshooting_and_each_event_on_its_page():
    """Whoever adds a message, a warning or an error adds its cause and its remedy; an event is promised."""
    page, fixes = (text_of(ROOT / "docs" / name) for name in ("howto/logging.rst", "troubleshooting.rst"))
    assert [(name, said) for name, said in messages() if said.split("; ")[0] not in fixes] == []
    assert [line for level, line in _LINES.values() if level >= logging.WARNING and line not in fixes] == []
    assert [name for name in _LINES if name not in page] == []


def setup_cfg():
    shipped = configparser.ConfigParser()
    shipped.read(ROOT / "setup.cfg", encoding="utf-8")
    return shipped
