"""Runs every target under atheris, one after the other; with --quick, so briefly that it only goes through.

    python -m tests.fuzz
    python -m tests.fuzz covered_url -max_total_time=3600    one of them, with libFuzzer's own arguments

A finding ends it with a traceback and, at the end, the input in Base64, which then belongs into SEEDS.
"""

from __future__ import annotations

import contextlib
import io
import subprocess
import sys
import tempfile
from pathlib import Path

import atheris

WATCHED = ["requests_thingspace", "requests", "urllib3", "urllib.parse"]

# atheris tells of each module that it instruments
with contextlib.redirect_stderr(io.StringIO()), atheris.instrument_imports(include=WATCHED):
    from . import targets

LONGEST_INPUT = 300  # bytes


def fuzz(name: str, arguments: list[str]) -> None:
    """Fuzz one target until its time is up; libFuzzer ends the process."""
    with tempfile.TemporaryDirectory() as corpus:
        for number, seed in enumerate(targets.SEEDS[name]):
            Path(corpus, str(number)).write_bytes(seed)
        options = [f"-max_len={LONGEST_INPUT}", f"-artifact_prefix={corpus}/"]
        atheris.Setup([sys.argv[0], *options, *arguments, corpus], getattr(targets, name))
        atheris.Fuzz()


def fuzz_all(seconds: int) -> int:
    """Fuzz each target for that long, in a process of its own; the status of the first that fails."""
    for name in targets.SEEDS:
        command = [sys.executable, "-m", "tests.fuzz", name, f"-max_total_time={seconds}", "-verbosity=0"]
        status = subprocess.run([*command, "-print_final_stats=1"], check=False).returncode
        if status:
            return status
    return 0


if __name__ == "__main__":
    if len(sys.argv) > 1 and sys.argv[1] in targets.SEEDS:
        fuzz(sys.argv[1], sys.argv[2:])
    sys.exit(fuzz_all(2 if "--quick" in sys.argv else 30))
