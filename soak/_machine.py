"""What a process holds at this moment: memory, threads, sockets, files. Linux with glibc tells."""

from __future__ import annotations

import ctypes
import gc
import os
import threading
import time
from collections import Counter
from pathlib import Path

_libc = ctypes.CDLL(None)
_PAGE = os.sysconf("SC_PAGE_SIZE")
_PATIENCE = 10.0  # seconds for threads that end by their own timeout


def resident() -> int:
    """Bytes of resident memory that are in use: what malloc keeps for later goes back first."""
    _libc.malloc_trim(0)
    return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE


def descriptors() -> Counter[str]:
    """The open descriptors by what they are: a path, or the kind of a socket or pipe."""
    found = Counter[str]()
    for name in os.listdir("/proc/self/fd"):
        try:
            target = os.readlink(f"/proc/self/fd/{name}")
        except OSError:  # the one that listed the folder
            continue
        found[target.split(":[")[0]] += 1
    return found


def left_over(before: Counter[str]) -> dict[str, list[str]]:
    """Threads, sockets and files that are there now and were not there before."""
    deadline = time.monotonic() + _PATIENCE
    while threading.active_count() > 1 and time.monotonic() < deadline:
        time.sleep(0.1)
    gc.collect()
    new = list((descriptors() - before).elements())
    return {
        "threads": [one.name for one in threading.enumerate() if one is not threading.current_thread()],
        "sockets": [one for one in new if one == "socket"],
        "files": [one for one in new if one != "socket"],
    }
