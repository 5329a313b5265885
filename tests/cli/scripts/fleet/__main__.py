from . import report  # noqa: F401
