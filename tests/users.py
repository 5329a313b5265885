"""The environment that a user's process finds."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from requests_thingspace.sandbox import Sandbox


def environment_of_user(sandbox: Sandbox, home: Path) -> dict[str, str]:
    """That of a user of `sandbox` who has no proxy, and an empty `home`."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.lower().endswith("_proxy") and not name.startswith(("THINGSPACE_", "CURL_"))
    }
    return {
        **kept,
        "HOME": str(home),
        "XDG_CACHE_HOME": str(home / "cache"),
        "XDG_CONFIG_HOME": str(home / "config"),
        "XDG_DATA_HOME": str(home / "data"),
        "XDG_STATE_HOME": str(home / "state"),
        "LOCALAPPDATA": str(home),
        "REQUESTS_CA_BUNDLE": sandbox.ca_file,
        "THINGSPACE_BASE_URL": sandbox.origin,
        "THINGSPACE_CLIENT_ID": sandbox.client_id,
        "THINGSPACE_CLIENT_SECRET": sandbox.client_secret,
        "THINGSPACE_USERNAME": sandbox.username,
        "THINGSPACE_PASSWORD": sandbox.password,
    }


def python(*command: Any, env: dict[str, str], cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """What became of a Python with these arguments, which may take two minutes."""
    program = [sys.executable, *map(str, command)]
    return subprocess.run(program, env=env, cwd=cwd, capture_output=True, text=True, timeout=120, check=False)
