"""Interruptions of the timed run, observed by the worker: gaps, suspends, clock jumps, waiting for a CPU."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

GAP_S = 1.0
"""Longer gaps between two samples of the clocks, taken four times a second, are recorded."""
JUMP_S = 0.05
"""Larger jumps of the wall clock against the monotonic one are recorded; NTP slews by 0.0005 of the elapsed time."""
SUSPEND_S = 0.05
_READ_S = 0.001
"""Clocks that could not be read within this time of each other are not compared."""
_BUSY = 0.1
"""Share of a gap; a process that used this much CPU time in it was not frozen."""
_MOST = 1000

_TASKS = Path("/proc/self/task")

Waiting = dict[str, tuple[int, int]]
"""By thread: nanoseconds that it ran, and that it waited."""


@dataclass(frozen=True, slots=True)
class Clocks:
    """Seconds on every clock, read one after the other."""

    monotonic: float
    wall: float
    boot: float | None
    """Includes the time that the machine was suspended; None if the system has no such clock."""
    processor: float
    """CPU time of all threads of this process."""
    reading: float
    """How long reading the clocks took."""


def read_clocks() -> Clocks:
    """This machine's clocks."""
    began = time.monotonic()
    wall = time.time()
    boot = time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else None
    ended = time.monotonic()
    return Clocks(began, wall, boot, time.process_time(), ended - began)


def read_waiting(tasks: Path = _TASKS) -> Waiting:
    """Nanoseconds that each thread of this process ran, and that it was runnable but waited for a processor.

    Empty if the kernel does not count them. Source: Linux, Documentation/scheduler/sched-stats.rst.
    """
    found = {}
    with suppress(OSError):
        for task in tasks.iterdir():
            with suppress(OSError, ValueError, IndexError):  # a thread that has ended since
                numbers = (task / "schedstat").read_text().split()
                found[task.name] = int(numbers[0]), int(numbers[1])
    return found


def waiting_share(before: Waiting, after: Waiting) -> float | None:
    """The share of their runnable time that the threads waited for a processor; None if unknown."""
    if not before or not after:
        return None
    changes = [[max(0, n - m) for n, m in zip(after[task], before.get(task, (0, 0)), strict=True)] for task in after]
    ran, waited = (sum(change[n] for change in changes) for n in (0, 1))
    return waited / (ran + waited) if ran + waited else 0.0


@dataclass
class Witness:
    """Samples the clocks from time to time, in a thread that is not timed.

    Args:
        done: The number of answered samples; the timed region begins when it starts to grow, and ends when it stops.
        clocks: Reads the clocks.
        waiting: Reads how long the threads ran and waited.
    """

    done: Callable[[], int]
    clocks: Callable[[], Clocks] = read_clocks
    waiting: Callable[[], Waiting] = read_waiting
    gaps: list[list[float]] = field(default_factory=list)
    suspends: list[list[float]] = field(default_factory=list)
    jumps: list[list[float]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """The timed region begins now, or later."""
        self._count = self.done()
        self._last = self._compared = self.clocks()
        self._from = self._until = self._last.monotonic
        self._waiting = self.waiting()

    def look(self) -> None:
        """Sample the clocks; cheap, and without side effects."""
        now, count = self.clocks(), self.done()
        last = self._last
        if now.monotonic - last.monotonic > GAP_S:
            used = now.processor - last.processor
            idle = used < _BUSY * (now.monotonic - last.monotonic)
            _note(self.gaps, last, now, float(idle))
        if now.reading < _READ_S:
            self._compare(now)
        if count != self._count:
            self._count, self._until = count, now.monotonic
        self._last = now

    def _compare(self, now: Clocks) -> None:
        before = self._compared
        passed = now.monotonic - before.monotonic
        asleep = 0.0
        if now.boot is not None and before.boot is not None:
            asleep = now.boot - before.boot - passed
            if asleep > SUSPEND_S:
                _note(self.suspends, before, now, asleep)
        jump = now.wall - before.wall - passed - (asleep if asleep > SUSPEND_S else 0.0)
        if abs(jump) > max(JUMP_S, 0.0005 * passed):
            _note(self.jumps, before, now, jump)
        self._compared = now

    def observations(self) -> dict[str, Any]:
        """The observations, in seconds of the monotonic clock: ``[from, until, what]`` each.

        A gap proves nothing here: a backend may hold the interpreter for as long.
        """
        self.look()
        share = waiting_share(self._waiting, self.waiting())
        return {
            "from": self._from, "until": self._until, "gaps": self.gaps, "suspends": self.suspends,
            "jumps": self.jumps, "waiting": share, "gaps_prove": False,
        }  # fmt: skip


def _note(found: list[list[float]], before: Clocks, now: Clocks, what: float) -> None:
    if len(found) < _MOST:
        found.append([before.monotonic, now.monotonic, what])
