"""Third-party packages come with extras.

The law here: what a cache stands on is looked for when the cache is made, and imported when it is needed;
what is missing is told in one sentence that says how to get it.
"""

from __future__ import annotations

from importlib.util import find_spec


def require(packages: tuple[str, ...], extra: str) -> None:
    """Look for `packages`, which the extra brings. Importing filelock takes longer than reading a token.

    Raises:
        ImportError: one is missing; the message names the extra.
    """
    for package in packages:
        if find_spec(package) is None:
            hint = f"pip install 'requests-thingspace[{extra}]'"
            raise ImportError(f"{package} is needed for this cache: {hint}", name=package)
