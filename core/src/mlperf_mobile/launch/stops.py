"""Stops of the worker, as reported by the kernel, and gaps in the launcher's own activity."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

_GAP_S = 1.5
"""Longer gaps between two polls, of which there are at least two a second, are recorded."""
_BUSY = 0.1
_MOST = 1000


def _changed(pid: int) -> int | None:
    """The next unread stop or continuation of a child, as ``si_code``; None if there is none.

    The kernel keeps stops and continuations until they are read, so none is missed (POSIX, ``waitid``). The end of the
    child is not read here, and stays for the code that waits for it.
    """
    try:
        found = os.waitid(os.P_PID, pid, os.WSTOPPED | os.WCONTINUED | os.WNOHANG)
    except (ChildProcessError, OSError):
        return None
    return found.si_code if found else None


class Stops:
    """Records when the child was stopped; to be polled from time to time.

    Args:
        pid: The child's process id.
        changed: Reads changes from the kernel.
        clock: A monotonic clock in seconds, the same for both processes.
        used: CPU time of this process, in seconds.
    """

    possible = hasattr(os, "waitid")
    """Whether this system reports stops."""

    def __init__(
        self,
        pid: int,
        changed: Callable[[int], int | None] = _changed,
        clock: Callable[[], float] = time.monotonic,
        used: Callable[[], float] = time.process_time,
    ) -> None:
        self._pid, self._changed, self._clock, self._used = pid, changed, clock, used
        self._last, self._last_used = clock(), used()
        self._since: float | None = None
        self._stopped: list[list[float]] = []
        self._gaps: list[list[float]] = []

    def look(self) -> None:
        """Poll the kernel, and record a gap since the last poll in which this process did nothing."""
        now, used = self._clock(), self._used()
        if now - self._last > _GAP_S and used - self._last_used < _BUSY * (now - self._last):
            _note(self._gaps, self._last, now)
        while self.possible and (code := self._changed(self._pid)) is not None:
            if code == os.CLD_CONTINUED:
                _note(self._stopped, self._last if self._since is None else self._since, now)
                self._since = None
            elif self._since is None:
                self._since = self._last
        self._last, self._last_used = now, used

    def intervals(self) -> dict[str, Any]:
        """``[from, until]`` of each stop, as outer bounds, and of each gap in the launcher's activity."""
        self.look()
        still = [[self._since, self._last]] if self._since is not None else []
        return {"stopped": self._stopped + still, "gaps": self._gaps}


def _note(found: list[list[float]], start: float, end: float) -> None:
    if len(found) < _MOST:
        found.append([start, end])
