"""What a launcher sees of a worker that is stopped, and of itself: the kernel says so, nothing is guessed from gaps."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

_GAP_S = 1.5
"""Between two looks that come twice a second at least: a longer one is written down."""
_BUSY = 0.1
_MOST = 1000


def _changed(pid: int) -> int | None:
    """The next stop or continuation of a child that was not asked for yet, as ``si_code``; None when there is none.

    Stops and continuations are kept by the kernel until somebody asks, so none is missed (POSIX, ``waitid``). The end
    of the child is not asked for, and stays for whoever waits for it.
    """
    try:
        found = os.waitid(os.P_PID, pid, os.WSTOPPED | os.WCONTINUED | os.WNOHANG)
    except (ChildProcessError, OSError):
        return None
    return found.si_code if found else None


class Stops:
    """Asked from time to time; keeps when the child was stopped.

    Args:
        pid: Of the child.
        changed: Asks the kernel.
        clock: Seconds, monotonic, the same for both processes.
        used: Processor time of this process, in seconds.
    """

    possible = hasattr(os, "waitid")
    """Whether this system tells."""

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
        """Ask the kernel, and note a gap since the last look in which this process did nothing."""
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

    def told(self) -> dict[str, Any]:
        """``[from, until]`` of each stop, no later and no earlier than that; and of each gap of the launcher's."""
        self.look()
        still = [[self._since, self._last]] if self._since is not None else []
        return {"stopped": self._stopped + still, "gaps": self._gaps}


def _note(found: list[list[float]], start: float, end: float) -> None:
    if len(found) < _MOST:
        found.append([start, end])
