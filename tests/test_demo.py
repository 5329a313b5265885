"""The demo shows what it says, figure by figure."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from .users import python

DEMO = Path(__file__).parent.parent / "examples" / "demo.py"


@pytest.mark.slow
def test_the_right_side_sees_nothing_but_200(tmp_path):
    """The left side sees 401s and 400s; with credentials of the real service set, and a proxy, too."""
    environment = {**os.environ, "THINGSPACE_CLIENT_ID": "real", "HTTPS_PROXY": "http://127.0.0.1:9"}
    outcome = python(DEMO, "1", env=environment, cwd=tmp_path)
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
    rows = [line.split("|") for line in outcome.stdout.splitlines() if re.match(r"[^|]*\|.*\d ms;", line)]
    left, right = ([row[side].split() for row in rows] for side in (1, 2))
    assert [figures[:4].count("-") for figures in right] == [3] * 5
    assert [figures[-1] for figures in right] == ["1/1", "1/1", "1/0", "0/1", "3/1"]
    assert [[n for n in (1, 2) if figures[n] != "-"] for figures in left] == [[], [1], [1], [2], [1]]
    assert all(re.search(r"; [0-9a-f]{8}, \d+ min left", row[3]) for row in rows)
