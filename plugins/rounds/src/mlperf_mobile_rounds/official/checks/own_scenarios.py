"""The scenarios of this project as the checks of own results know them: LoadGen's names, and sizes of runs."""

from __future__ import annotations

MAX_LATENCIES = 32 << 20
"""More saved latencies, which are 256 MB, are counted and not sorted."""
LOADGEN_SCENARIOS = {
    "single-stream": "SingleStream", "sustained": "SingleStream", "offline": "Offline",
    "multi-stream": "MultiStream", "server": "Server",
}  # fmt: skip
"""LoadGen's names of the scenarios of this project."""
