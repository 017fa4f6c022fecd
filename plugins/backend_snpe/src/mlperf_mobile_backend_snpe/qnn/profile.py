"""The profile that the QNN provider writes as comma-separated values: its folder and its summary."""

from __future__ import annotations

import csv
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from mlperf_mobile.errors import BackendError
from mlperf_mobile_backend_snpe.options import SnpeOptions

MAX_BYTES = 64_000_000
MAX_NODES = 10_000
MOST_NODES = 20
"""How many of the slowest nodes the summary lists."""
_HEADER = [
    "Msg Timestamp",
    "Message",
    "Time",
    "Unit of Measurement",
    "Timing Source",
    "Event Level",
    "Event Identifier",
]
_MESSAGE, _TIME, _UNIT, _EVENT = 1, 2, 3, 6


def folder(options: SnpeOptions) -> Path | None:
    """The folder that the options name; created if missing.

    Raises:
        BackendError: ``profiling-folder``.
    """
    if options.profiling_level == "off" or not options.profiling_folder:
        return None
    place = options.profiling_folder
    try:
        place.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BackendError("profiling-folder", f"cannot make {place}: {error.strerror}", "check it") from error
    return place


def new_file(options: SnpeOptions) -> Path | None:
    """A file for one session's profile, in a new or temporary folder; None without profiling.

    Raises:
        BackendError: ``profiling-folder``.
    """
    if options.profiling_level == "off":
        return None
    place = folder(options)
    try:
        return Path(tempfile.mkdtemp(prefix="qnn-profile-", dir=place), "profile.csv")
    except OSError as error:
        raise BackendError("profiling-folder", f"cannot write into {place}: {error.strerror}", "check it") from error


def read(path: Path) -> dict[str, Any]:
    """Summarise a profile; if it cannot be read, the summary says so, because a run does not fail for it."""
    try:
        with path.open(encoding="utf-8", errors="replace", newline="") as file:
            lines = file.readlines(MAX_BYTES)
            truncated = bool(file.read(1))
    except OSError as error:
        return {"problem": f"there is no profile: {error.strerror}"}
    found = summarise(lines)
    return found | {"truncated": True} if truncated else found


def summarise(lines: Iterable[str]) -> dict[str, Any]:
    """Phases and nodes of a profile.

    Returns:
        ``phases``: for each event outside the graph, ``{"count", "total", "mean", "unit"}``; ``nodes``: the slowest
        nodes with their mean, and its share of all nodes; ``node_count``; ``skipped``: lines that are not events.
    """
    phases: dict[tuple[str, str], list[int]] = {}
    nodes: dict[tuple[str, str], list[int]] = {}
    skipped = 0
    for row in csv.reader(line.replace("\0", "") for line in lines):
        if row == _HEADER or not row:
            continue
        if len(row) != len(_HEADER) or not row[_TIME].isascii() or not row[_TIME].isdecimal() or len(row[_TIME]) > 20:
            skipped += 1
            continue
        group = nodes if row[_MESSAGE] == "NODE" else phases
        key = (row[_EVENT][:200], row[_UNIT][:20].lower())
        if key not in group and len(group) >= MAX_NODES:
            skipped += 1
            continue
        entry = group.setdefault(key, [0, 0])
        entry[0] += 1
        entry[1] += int(row[_TIME])
    means = {key: total / count for key, (count, total) in nodes.items()}
    every = sum(means.values())
    slowest = sorted(means.items(), key=lambda each: -each[1])[:MOST_NODES]
    summary: dict[str, Any] = {
        "phases": {
            event: {"count": count, "total": total, "mean": round(total / count, 1), "unit": unit}
            for (event, unit), (count, total) in phases.items()
        }
    }
    if means:
        summary["node_count"] = len(means)
        summary["nodes"] = [
            {"node": event, "mean": round(mean, 1), "unit": unit, "share": round(mean / every, 4) if every else 0.0}
            for (event, unit), mean in slowest
        ]
    return summary | ({"skipped": skipped} if skipped else {})
