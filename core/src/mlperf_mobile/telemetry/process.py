"""This process and what competes with it: memory, context switches, load, CPU pressure.

Formats: proc(5), Documentation/accounting/psi.rst of Linux 6.6.
"""

from __future__ import annotations

import math
import os
import re
import resource
from pathlib import Path

from mlperf_mobile.telemetry.files import OpenFile, Values, open_file

_AVAILABLE = re.compile(rb"^MemAvailable:\s+([0-9]{1,15}) kB", re.MULTILINE)
_STALLED = re.compile(rb"^some .*total=([0-9]{1,18})", re.MULTILINE)


class Process:
    """Memory of this process and of the system, context switches of all its threads, load and pressure."""

    def __init__(self, root: Path) -> None:
        files = {"memory": "self/statm", "available": "meminfo", "load": "loadavg", "pressure": "pressure/cpu"}
        opened = {name: open_file(root / "proc" / path) for name, path in files.items()}
        self._files: dict[str, OpenFile] = {name: file for name, file in opened.items() if file is not None}

    def values(self) -> Values:
        held = {name: file.bytes() for name, file in self._files.items()}
        found: Values = {}
        words = held.get("memory", b"").split()
        if len(words) > 1 and re.fullmatch(rb"[0-9]{1,15}", words[1]):
            found["memory.process_bytes"] = float(int(words[1]) * os.sysconf("SC_PAGE_SIZE"))
        if match := _AVAILABLE.search(held.get("available", b"")):
            found["memory.available_bytes"] = float(int(match[1]) * 1024)
        if (load := _decimal(held.get("load", b"").split(b" ")[0])) is not None:
            found["load.minute_processes"] = load
        if match := _STALLED.search(held.get("pressure", b"")):  # time that something waited for a processor
            found["pressure.cpu_seconds"] = int(match[1]) * 1e-6
        return found | _switches()

    def close(self) -> None:
        for file in self._files.values():
            file.close()


def _switches() -> Values:
    """Of all threads: /proc/self/status counts those of the first thread only."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return {"switches.voluntary_count": float(usage.ru_nvcsw), "switches.involuntary_count": float(usage.ru_nivcsw)}


def _decimal(raw: bytes) -> float | None:
    try:
        value = float(raw)
    except ValueError:
        return None
    return value if math.isfinite(value) and value >= 0 else None
