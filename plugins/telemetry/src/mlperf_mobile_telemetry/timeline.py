"""Reads a recording back as series; the file may be incomplete or untrusted."""

from __future__ import annotations

import json
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path

from mlperf_mobile.regular_files import open_regular

FILE = "telemetry.jsonl"
"""A first line about the recording, then a line for each time: ``{"t_s": 1.0, "samples": 70, "SERIES": number}``."""
TIME = "t_s"
ANSWERED = "samples"
TROUBLE = "trouble"
"""The key of a separate line: the error of a source."""

_MOST_LINE = 1 << 16
_MOST_BYTES = 64 << 20
_MOST_SERIES = 2000
_MOST_NAME = 120


@dataclass(frozen=True, slots=True)
class Series:
    """Values in order of time."""

    times: array[float] = field(default_factory=lambda: array("d"))
    """Seconds since the recording began."""
    values: array[float] = field(default_factory=lambda: array("d"))

    def between(self, start: float, end: float) -> Series:
        """The part from ``start`` to ``end``, inclusive."""
        low, high = bisect_left(self.times, start), bisect_right(self.times, end)
        return Series(self.times[low:high], self.values[low:high])

    def at(self, time: float) -> float:
        """The last value at or before ``time``.

        Raises:
            IndexError: No value is so early.
        """
        place = bisect_right(self.times, time) - 1
        if place < 0:
            raise IndexError(f"no value at {time}")
        return self.values[place]

    def integral(self) -> Series:
        """The integral up to each time: joules, if the values are watts."""
        steps = zip(self.times, self.times[1:], self.values, self.values[1:], strict=False)
        areas = ((after - before) * (left + right) / 2 for before, after, left, right in steps)
        return Series(self.times, array("d", accumulate(areas, initial=0.0)))

    def mean(self) -> float:
        """The mean over time, weighted by the intervals between rows."""
        span = self.times[-1] - self.times[0]
        return self.integral().values[-1] / span if span > 0 else sum(self.values) / len(self.values)

    def __len__(self) -> int:
        return len(self.times)


@dataclass(frozen=True, slots=True)
class Timeline:
    """All series of one recording."""

    interval_s: float
    energy_includes: Mapping[str, str]
    """What the energy counters of plugins include, by name."""
    series: Mapping[str, Series]
    answered: Series
    """Completed samples so far, one value for each row."""
    trouble: str = ""
    """The last error of a source."""

    def inside(self) -> tuple[float, float] | None:
        """The first and last time that are certainly within the timed run; None with fewer than two."""
        total = max(self.answered.values, default=0.0)
        times = [t for t, count in zip(self.answered.times, self.answered.values, strict=True) if 0 < count < total]
        return (times[0], times[-1]) if len(times) > 1 else None

    def around(self) -> tuple[float, float]:
        """The last time before the timed run, and the first one after it."""
        times, counts = self.answered.times, self.answered.values
        if not times:
            return 0.0, 0.0
        total = max(counts)
        before = [t for t, count in zip(times, counts, strict=True) if count == 0]
        after = [t for t, count in zip(times, counts, strict=True) if count == total]
        return (before[-1] if before and total else times[0]), (after[0] if total else times[-1])


def read(path: Path) -> Timeline:
    """The valid rows of a file; empty if the file does not exist."""
    series: dict[str, Series] = {}
    answered, left = Series(), _MOST_BYTES
    head: dict[str, object] = {}
    trouble = ""
    try:
        with open_regular(path) as lines:
            while left > 0 and (line := lines.readline(_MOST_LINE)):
                left -= len(line)
                row = _object(line)
                if not head and "telemetry" in row:
                    head = row
                    continue
                trouble = str(row.get(TROUBLE, trouble))[:200]
                _add(row, series, answered)
    except OSError:
        pass
    contents = head.get("energy_includes")
    includes = {str(k): str(v)[:200] for k, v in contents.items()} if isinstance(contents, dict) else {}
    return Timeline(_number(head.get("interval_s")) or 0.0, includes, series, answered, trouble)


def _add(row: Mapping[str, object], series: dict[str, Series], answered: Series) -> None:
    time, count = _number(row.get(TIME)), _number(row.get(ANSWERED))
    if time is None or count is None or time < 0 or (answered.times and time < answered.times[-1]):
        return
    answered.times.append(time)
    answered.values.append(count)
    for name, raw in row.items():
        value = _number(raw)
        if value is None or name in (TIME, ANSWERED) or len(name) > _MOST_NAME:
            continue
        if name in series or len(series) < _MOST_SERIES:
            one = series.setdefault(name, Series())
            one.times.append(time)
            one.values.append(value)


def _object(line: bytes) -> dict[str, object]:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return row if isinstance(row, dict) else {}


def _number(raw: object) -> float | None:
    """A finite number of a plausible size, or None."""
    if isinstance(raw, bool) or not isinstance(raw, int | float) or not abs(raw) < 1e18:
        return None
    return float(raw)
