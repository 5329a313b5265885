"""The pictures of the documentation say what the code says."""

from __future__ import annotations

import runpy
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

pytest.importorskip("tomllib", reason="the script that draws needs Python 3.11")

FOLDER = Path(__file__).parent.parent / "docs" / "pictures"
PICTURES = runpy.run_path(str(FOLDER / "draw.py"))["PICTURES"]


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_is_up_to_date(name):
    """Who changes the floors, or a room's purpose, draws again: python docs/pictures/draw.py."""
    assert (FOLDER / name).read_text() == PICTURES[name]()


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_has_a_title_and_stays_on_its_sheet(name):
    """It is well-formed, has a title for who cannot see it, and all of its boxes are on the sheet."""
    picture = ET.fromstring((FOLDER / name).read_text())
    svg = "{http://www.w3.org/2000/svg}"
    width, height = map(float, picture.attrib["viewBox"].split()[2:])
    assert picture.find(f"{svg}title").text
    for box in picture.iter(f"{svg}rect"):
        assert float(box.get("x", 0)) + float(box.get("width")) <= width
        assert float(box.get("y", 0)) + float(box.get("height")) <= height


def test_every_room_is_on_the_picture_of_the_floors():
    """No module of the package is missing."""
    import requests_thingspace

    package = Path(requests_thingspace.__file__).parent
    modules = {path.stem for path in package.glob("*.py")}
    packages = {path.parent.name for path in package.glob("*/__init__.py")}
    drawn = {text.text for text in ET.parse(FOLDER / "floors.svg").iter("{http://www.w3.org/2000/svg}text")}
    assert (modules | packages) - {"__init__"} <= drawn
