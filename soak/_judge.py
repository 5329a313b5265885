"""The judgement: each outcome is held against the fault log, and each answer of a fault counts once."""

from __future__ import annotations

from collections import Counter
from typing import Any

MOST_GROWTH = 0.05
"""Of resident memory, from after the warm-up to the end."""

LONGEST_CALL = 60.0
"""Seconds: a call that took longer has hung."""


def unexplained(outcomes: list[dict[str, Any]], episodes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The outcomes that no episode explains."""
    by_fault = {episode["fault"]: episode for episode in episodes if episode["fault"]}
    used = Counter[str]()
    found = []
    for outcome in outcomes:
        fault = outcome.get("fault")
        if fault is not None:
            used[fault] += 1
            fits = used[fault] == 1 and outcome["what"] in by_fault.get(fault, {}).get("explains", ())
        else:
            fits = any(_explains(episode, outcome) for episode in episodes if not episode["fault"])
        if not fits:
            found.append(outcome)
    return found


def complaints(clients: dict[str, Any], sandbox: dict[str, Any], strange: list[dict[str, Any]]) -> list[str]:
    """What keeps a soak from being passed, in words; nothing if it is."""
    warm, end = clients["memory"]
    said = [f"no episode explains {outcome}" for outcome in strange[:20]]
    said += [f"... and {len(strange) - 20} more"] if len(strange) > 20 else []
    said += [f"{kind} left over: {found}" for kind, found in clients["left over"].items() if found]
    if end > warm * (1 + MOST_GROWTH):
        said.append(f"memory grew from {warm / 1e6:.1f} to {end / 1e6:.1f} MB")
    if clients["longest"] > LONGEST_CALL:
        said.append(f"a call took {clients['longest']:.0f} seconds")
    if sandbox["locked"] or any(name == "login 400" for name in sandbox["answers"]):
        said.append("a login was refused")
    return said


def _explains(episode: dict[str, Any], outcome: dict[str, Any]) -> bool:
    """Whether `outcome` is one that callers may see of `episode`, at the right time."""
    together = outcome["start"] <= episode["end"] and episode["begin"] <= outcome["end"]
    return together and outcome["what"] in episode["explains"]
