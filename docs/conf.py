"""How Sphinx builds these pages; version and copyright come from the installed package."""

from importlib.metadata import metadata

_package = metadata("requests-thingspace")

project = _package["Name"]
author = copyright = _package["Author"]  # noqa: A001 - the name that Sphinx reads
release = version = _package["Version"]

extensions = ["sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = f"{project} {release}"

autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented_params"
autodoc_preserve_defaults = True
autoclass_content = "both"

# A reference to one of our own names that leads nowhere is an error.
nitpicky = True
nitpick_ignore_regex = [
    (r"py:.*", r"(collections|contextlib|multiprocessing|os|requests)\b.*"),  # described elsewhere
    (r"py:class", r"(.*\.)?[ST]"),  # type variables
    (r"py:class", r".* .*"),  # the words before a colon in a property's docstring are no type
]
