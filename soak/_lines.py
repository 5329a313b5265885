"""How the processes of a soak speak: one line of JSON is one thing said."""

from __future__ import annotations

import json
import sys
import threading
from typing import Any

_writing = threading.Lock()  # guards stdout: a line is a line


def tell(line: dict[str, Any]) -> None:
    """One line on stdout, for the process that started this one."""
    with _writing:
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()
