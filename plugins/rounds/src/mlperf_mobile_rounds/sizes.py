"""How large the files of a run can be: larger ones are not read, because hashing them would take minutes."""

from __future__ import annotations

from pathlib import Path

from mlperf_mobile.results.digests import members
from mlperf_mobile.results.latencies import ARRIVALS, FILE
from mlperf_mobile.results.store import EVENTS, PLAN
from mlperf_mobile.results.tokens import TOKENS

LARGEST = 1 << 30
"""Bytes of a file of numbers: 8 for each of the 100 million queries that a plan may ask for, and some more."""
LARGEST_LOG = 16 << 30
"""Bytes of any other file: an accuracy log has every response, and those of images have gigabytes."""
LARGEST_RUN = 32 << 30
"""Bytes of all files."""
_NUMBERS = (FILE, ARRIVALS, TOKENS, PLAN, EVENTS, "telemetry.jsonl")
_TIMED = "performance/"


def too_large(folder: Path) -> dict[str, str]:
    """What is wrong, by the paths in a run's folder of files that are larger than any run writes; none is read."""
    found, total = dict[str, str](), 0
    for name in members(folder):
        try:
            size = (folder / name).lstat().st_size
        except (OSError, ValueError):
            continue  # it is missed when it is digested
        total += size
        most = LARGEST if name in _NUMBERS or name.startswith(_TIMED) else LARGEST_LOG
        if size > most:
            found[name] = f"{name} has {size:,} bytes, more than the {most:,} that a run can write"
    if not found and total > LARGEST_RUN:
        found[""] = f"the files have {total:,} bytes, more than the {LARGEST_RUN:,} that a run can write"
    return found
