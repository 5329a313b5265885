"""Fuzzes one target under atheris: `python -m tests.fuzz covered_url`, and libFuzzer's own arguments behind.

A finding ends it with a traceback and, at the end, the input in Base64, which then belongs into SEEDS.
"""

import contextlib
import io
import sys
import tempfile
from pathlib import Path

import atheris

WATCHED = ["requests_thingspace", "requests", "urllib3", "urllib.parse"]

# atheris tells of each module that it instruments
with contextlib.redirect_stderr(io.StringIO()), atheris.instrument_imports(include=WATCHED):
    from . import targets

program, name, *arguments = sys.argv
with tempfile.TemporaryDirectory() as corpus:  # libFuzzer ends the process
    for number, seed in enumerate(targets.SEEDS[name]):
        Path(corpus, str(number)).write_bytes(seed)
    options = ["-max_len=300", "-verbosity=0", "-print_final_stats=1", f"-artifact_prefix={corpus}/"]
    atheris.Setup([program, *options, *arguments, corpus], getattr(targets, name))
    atheris.Fuzz()
