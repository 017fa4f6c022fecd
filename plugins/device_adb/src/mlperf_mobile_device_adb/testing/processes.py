"""The processes of stand-ins, found by a mark in their environment; one look at ``/proc`` serves all devices."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

VARIABLE = "STAND_IN_MARKER"
"""The variable with the mark of the device, which descendants inherit."""
_MARK = re.compile(rf"(?:^|\0){VARIABLE}=([0-9a-f]+)(?:\0|$)".encode())


class Processes:
    """All processes that stand-ins of this process have started."""

    def __init__(self) -> None:
        self._found: dict[str, list[int]] = {}
        self._at = float("-inf")

    def of(self, mark: str, age_s: float = 0.0) -> Sequence[int]:
        """The processes of one device.

        Args:
            mark: The device's mark.
            age_s: How old the answer may be.
        """
        if time.monotonic() - self._at > age_s:
            self._look()
        return self._found.get(mark, ())

    def _look(self) -> None:
        found: dict[str, list[int]] = {}
        for entry in os.scandir("/proc"):
            if entry.name.isdigit():
                with suppress(OSError):
                    if match := _MARK.search(Path(entry.path, "environ").read_bytes()):
                        found.setdefault(match[1].decode(), []).append(int(entry.name))
        self._found, self._at = found, time.monotonic()


def command_line(pid: int) -> str:
    """The command line of a process; empty if it has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def cpu_seconds(pid: int) -> float:
    """User and system time of a process; 0 if it has ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError):
        return 0.0
