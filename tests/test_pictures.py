"""The pictures of the documentation are what their scripts draw, and can be read."""

import json
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

from benchmarks.plots import plots
from docs.pictures.draw import CALLS, PICTURES

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "docs" / "pictures"
SVG = "{http://www.w3.org/2000/svg}"


def test_the_diagrams_and_plots_are_up_to_date():
    """Whoever changes a script or measures draws again: docs.pictures.draw, benchmarks.plots."""
    document = json.loads((ROOT / "docs" / "performance.json").read_text(encoding="utf-8"))
    drawn = dict(plots(document))
    assert drawn
    for name, picture in {**PICTURES, **drawn}.items():
        assert (FOLDER / name).read_text(encoding="utf-8") == picture, name


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


def test_each_picture_has_a_title_and_stays_on_its_sheet():
    """It is well-formed, has a title for screen readers, and no box or text leaves the sheet."""
    for path in FOLDER.glob("*.svg"):
        picture = ET.fromstring(path.read_text(encoding="utf-8"))
        width, height = map(float, picture.attrib["viewBox"].split()[2:])
        assert picture.find(f"{SVG}title").text, path
        for box in picture.iter(f"{SVG}rect"):
            left, top = float(box.get("x", 0)), float(box.get("y", 0))
            assert 0 <= left <= left + float(box.get("width")) <= width, path
            assert top + float(box.get("height")) <= height, path
        assert all(0 <= float(text.get("y")) <= height for text in picture.iter(f"{SVG}text")), path
