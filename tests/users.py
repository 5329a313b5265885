"""The environment that a user's process finds."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import requests_thingspace
from requests_thingspace.sandbox import Sandbox

PACKAGE_FOLDER = str(Path(requests_thingspace.__file__).parents[1])


def environment_of_user(sandbox: Sandbox, home: Path) -> dict[str, str]:
    """That of a user of `sandbox` who has no proxy, and an empty `home`."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.lower().endswith("_proxy") and not name.startswith(("THINGSPACE_", "CURL_"))
    }
    known = ("client_id", "client_secret", "username", "password")
    return {
        **kept,
        **{f"XDG_{kind.upper()}_HOME": str(home / kind) for kind in ("cache", "config", "data", "state")},
        **{f"THINGSPACE_{name.upper()}": getattr(sandbox, name) for name in known},
        "HOME": str(home),
        "LOCALAPPDATA": str(home),
        "REQUESTS_CA_BUNDLE": sandbox.ca_file,
        "THINGSPACE_BASE_URL": sandbox.origin,
    }


def python(*command: Any, env: dict[str, str], cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """What became of a Python with these arguments, which may take two minutes."""
    program = [sys.executable, *map(str, command)]
    return subprocess.run(program, env=env, cwd=cwd, capture_output=True, text=True, timeout=120, check=False)


def path_without(package: str, folder: Path) -> str:
    """A ``PYTHONPATH``, by way of `folder`, on which `package` is as if it were not installed."""
    folder.mkdir(exist_ok=True)
    (folder / "sitecustomize.py").write_text(f"import sys\nsys.modules[{package!r}] = None\n")
    return f"{folder}{os.pathsep}{PACKAGE_FOLDER}"
