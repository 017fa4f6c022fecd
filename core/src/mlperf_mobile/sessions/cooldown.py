"""Lets the device rest between performance runs: for a fixed time, or until it is as cool as it was at first."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from mlperf_mobile.telemetry import sources
from mlperf_mobile.terms import Cooldown

DEGREES = 2.0
"""A temperature is back when it is no more than this above its baseline, in °C."""
SHARE = 0.1
"""A frequency is back when it differs no more than this from its baseline."""
LOOKS = 3
"""A frequency changes from moment to moment: the median of so many looks counts."""
INTERVAL_S = 1.0


@dataclass(frozen=True, slots=True)
class Baseline:
    """What the device was like before the first run."""

    temperatures: Mapping[str, float]
    """°C, by sensor."""
    frequencies: Mapping[str, float]
    """MHz, by policy."""

    @property
    def is_known(self) -> bool:
        return bool(self.temperatures or self.frequencies)

    def is_back(self, now: Baseline) -> bool:
        """Whether ``now`` is what it was; what cannot be read any more does not count."""
        cool = all(now.temperatures.get(name, t) <= t + DEGREES for name, t in self.temperatures.items())
        calm = all(abs(now.frequencies.get(name, f) - f) <= SHARE * f for name, f in self.frequencies.items())
        return cool and calm


@dataclass(frozen=True, slots=True)
class Rested:
    """How long the device rested, and why no longer."""

    seconds: float
    reason: str
    """``"fixed"``, ``"baseline"``, ``"limit"``: not back at the baseline by then, ``"unknown"``: nothing to look at."""


def look(sleep: Callable[[float], None] = time.sleep) -> Baseline:
    """Temperatures, and the median of a few looks at the frequencies."""
    seen: dict[str, list[float]] = {}
    for number in range(LOOKS):
        if number:
            sleep(INTERVAL_S / LOOKS)
        for name, mhz in sources.frequencies().items():
            seen.setdefault(name, []).append(mhz)
    return Baseline(sources.temperatures(), {name: statistics.median(values) for name, values in seen.items()})


def rest(
    kind: Cooldown,
    limit_s: float,
    baseline: Baseline | None,
    tick: Callable[[float, float], None],
    now: Callable[[], Baseline] = look,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> Rested:
    """Wait.

    Args:
        kind: ``fixed`` waits for ``limit_s``; ``baseline`` no longer than that.
        limit_s: Seconds.
        baseline: What the device was like before the first run.
        tick: Told the seconds waited and the limit, about once a second.
        now: What the device is like.
        sleep: Waits for seconds.
        clock: Seconds.
    """
    started = clock()
    looking = kind is Cooldown.BASELINE and baseline is not None and baseline.is_known
    reason = "fixed" if kind is Cooldown.FIXED else "limit" if looking else "unknown"
    while (waited := clock() - started) < limit_s:
        if looking and baseline is not None and baseline.is_back(now()):
            reason = "baseline"
            break
        tick(waited, limit_s)
        sleep(min(INTERVAL_S, limit_s - waited))
    return Rested(round(clock() - started, 3), reason)
