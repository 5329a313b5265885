"""The pictures of the documentation are what their scripts draw, and can be read."""

from __future__ import annotations

import json
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from benchmarks.plots import plots
from docs.pictures.draw import CALLS, PICTURES

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "docs" / "pictures"
SVG = "{http://www.w3.org/2000/svg}"


@pytest.mark.parametrize("name", PICTURES)
def test_a_diagram_is_up_to_date(name):
    """Whoever changes the script draws again: python -m docs.pictures.draw."""
    assert (FOLDER / name).read_text(encoding="utf-8") == PICTURES[name]


def test_the_main_path_runs_through_the_code_as_drawn(sandbox, plain, echo):
    """A first request, then one whose token was revoked: the functions are called in the picture's order."""
    drawn = [path.split(".") for calls in CALLS.values() for path, _ in calls]
    called = []

    def note(frame, event, _):
        module = frame.f_globals.get("__name__", "")
        if event == "call" and module.startswith("requests_thingspace."):
            called.append((module.split(".")[1], frame.f_code.co_name))

    plain.auth = sandbox.auth(username=None, password=None)
    sys.setprofile(note)
    try:
        statuses = plain.get(echo).status_code, sandbox.revoke_tokens(), plain.get(echo).status_code
    finally:
        sys.setprofile(None)
    assert statuses == (200, None, 200)
    following = iter(called)
    assert [path for path in drawn if (path[0], path[-1]) not in following] == []


def test_the_plots_show_the_figures_that_are_kept():
    """Whoever measures again plots again: python -m benchmarks.plots."""
    document = json.loads((ROOT / "docs" / "performance.json").read_text(encoding="utf-8"))
    drawn = dict(plots(document))
    assert drawn
    for name, plot in drawn.items():
        assert (FOLDER / name).read_text(encoding="utf-8") == plot


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.svg")), ids=lambda path: path.name)
def test_a_picture_has_a_title_and_stays_on_its_sheet(path):
    """It is well-formed, has a title for screen readers, and no box or text leaves the sheet."""
    picture = ET.fromstring(path.read_text(encoding="utf-8"))
    width, height = map(float, picture.attrib["viewBox"].split()[2:])
    assert picture.find(f"{SVG}title").text
    for box in picture.iter(f"{SVG}rect"):
        assert 0 <= float(box.get("x", 0)) <= float(box.get("x", 0)) + float(box.get("width")) <= width
        assert float(box.get("y", 0)) + float(box.get("height")) <= height
    for text in picture.iter(f"{SVG}text"):
        assert 0 <= float(text.get("y")) <= height
