"""This process and what competes with it: memory, context switches, load, CPU pressure.

Formats: proc(5), Documentation/accounting/psi.rst of Linux 6.6.
"""

from __future__ import annotations

import os
import re
import resource
from pathlib import Path

from mlperf_mobile_telemetry.files import OpenFile, Values, open_file

_RESIDENT = re.compile(rb"[0-9]+ ([0-9]{1,18})\b")
_AVAILABLE = re.compile(rb"^MemAvailable:\s+([0-9]{1,18}) kB$", re.MULTILINE)
_LOAD = re.compile(rb"([0-9]{1,18}\.[0-9]{2}) ")
_STALLED = re.compile(rb"^some .*\btotal=([0-9]{1,18})$", re.MULTILINE)

MOST_BYTES = float(2**52)
"""Physical addresses have at most 52 bits (x86-64; ARMv8.2-LPA)."""
MOST_PROCESSES = float(2**22)
"""Linux's maximum of process ids (``PID_MAX_LIMIT``)."""
MOST_SECONDS = 100 * 365.25 * 86400.0
"""Maximum uptime: 100 years."""


class Process:
    """Memory of this process and of the system, context switches of all its threads, load and pressure."""

    def __init__(self, root: Path) -> None:
        files = {"memory": "self/statm", "available": "meminfo", "load": "loadavg", "pressure": "pressure/cpu"}
        opened = {name: open_file(root / "proc" / path) for name, path in files.items()}
        self._files: dict[str, OpenFile] = {name: file for name, file in opened.items() if file is not None}

    def values(self) -> Values:
        held = {name: file.bytes() for name, file in self._files.items()}
        found: Values = {}
        for name, raw, pattern, scale, most in (
            ("memory.process_bytes", held.get("memory"), _RESIDENT.match, os.sysconf("SC_PAGE_SIZE"), MOST_BYTES),
            ("memory.available_bytes", held.get("available"), _AVAILABLE.search, 1024, MOST_BYTES),
            ("load.minute_processes", held.get("load"), _LOAD.match, 1, MOST_PROCESSES),
            # Time in which some task waited for a CPU.
            ("pressure.cpu_seconds", held.get("pressure"), _STALLED.search, 1e-6, MOST_SECONDS),
        ):
            if raw and (match := pattern(raw)) and (value := float(match[1]) * scale) <= most:
                found[name] = value
        return found | _switches()

    def close(self) -> None:
        for file in self._files.values():
            file.close()


def _switches() -> Values:
    """Context switches of all threads; /proc/self/status has those of the main thread only."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return {"switches.voluntary_count": float(usage.ru_nvcsw), "switches.involuntary_count": float(usage.ru_nivcsw)}
