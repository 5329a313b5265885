"""How Sphinx builds these pages; version, copyright and links come from the installed package.

``DOCS_ONLINE=1`` links names of requests, urllib3, oauthlib and Python to their own documentation, which
needs a network. Without it the build is offline.
"""

from __future__ import annotations

import os
import re
from importlib.metadata import metadata
from typing import Any

from sphinx.application import Sphinx

_package = metadata("requests-thingspace")
_links = dict(link.split(", ", 1) for link in _package.get_all("Project-URL", []))

project = _package["Name"]
author = copyright = _package["Author"]  # noqa: A001 - the name that Sphinx reads
release = version = _package["Version"]

extensions = ["sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_copybutton", "sphinx_inline_tabs"]
exclude_patterns = ["_build"]
rst_prolog = "\n".join(f".. _{name.lower()}: {url}" for name, url in _links.items())

html_theme = "furo"
html_title = f"{project} {release}"
html_baseurl = _links.get("Documentation", "")
html_static_path = ["_static"]
html_css_files = ["pages.css"]
html_show_sourcelink = False
html_theme_options = {
    "footer_icons": [
        {"name": name, "url": url, "html": name, "class": "footer-link"} for name, url in _links.items()
    ],
}

# The copy button leaves out prompts and what a program prints.
copybutton_prompt_text = r">>> |\.\.\. ?|\$ "
copybutton_prompt_is_regexp = True

autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented_params"
autodoc_preserve_defaults = True
autoclass_content = "both"

if os.environ.get("DOCS_ONLINE") == "1":
    extensions.append("sphinx.ext.intersphinx")
    intersphinx_mapping = {
        "python": ("https://docs.python.org/3", None),
        "requests": ("https://requests.readthedocs.io/en/latest", None),
        "urllib3": ("https://urllib3.readthedocs.io/en/stable", None),
        "oauthlib": ("https://oauthlib.readthedocs.io/en/stable", None),
    }

# A reference to one of our own names that leads nowhere is an error.
nitpicky = True
nitpick_ignore_regex = [
    (r"py:.*", r"(collections|contextlib|multiprocessing|os|pathlib|requests)\b.*"),  # described elsewhere
    (r"py:class", r"(.*\.)?[STV]"),  # type variables
    (r"py:class", r"SecretSource"),  # what it stands for is said beside it
    (r"py:class", r".* .*"),  # the words before a colon in a property's docstring are no type
]


def hide_internal_attributes(
    _app: Sphinx, _what: str, _name: str, _obj: Any, _options: Any, lines: list[str]
) -> None:
    """Leave out attributes that only the package itself uses, and what an inherited constructor says."""
    internal = r" *(secret|authorization): |Initialize RequestException with "
    lines[:] = [line for line in lines if not re.match(internal, line)]


def setup(app: Sphinx) -> None:
    """Ours before Napoleon's, whose priority is 500."""
    app.connect("autodoc-process-docstring", hide_internal_attributes, priority=400)
