"""The state of the device between runs: whether temperatures and frequencies are back at their baseline."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from mlperf_mobile_telemetry import sources

DEGREES = 2.0
"""Maximum °C above the baseline of a temperature that is back."""
SHARE = 0.1
"""Maximum relative difference from the baseline of a frequency that is back."""
LOOKS = 3
"""Number of readings of a frequency, of which the median counts."""
INTERVAL_S = 1 / 3
"""Seconds between two readings."""


@dataclass(frozen=True, slots=True)
class Baseline:
    """The state of the device at one time."""

    temperatures: Mapping[str, float]
    """°C, by sensor."""
    frequencies: Mapping[str, float]
    """MHz, by policy."""

    @property
    def is_known(self) -> bool:
        return bool(self.temperatures or self.frequencies)

    def is_back(self, now: Baseline) -> bool:
        """Whether ``now`` is back at this state; what cannot be read any more is ignored."""
        cool = all(now.temperatures.get(name, t) <= t + DEGREES for name, t in self.temperatures.items())
        calm = all(abs(now.frequencies.get(name, f) - f) <= SHARE * f for name, f in self.frequencies.items())
        return cool and calm


def look(sleep: Callable[[float], None] = time.sleep) -> Baseline:
    """The current state, with the median of a few readings of the frequencies; takes two thirds of a second."""
    readings: dict[str, list[float]] = {}
    for number in range(LOOKS):
        if number:
            sleep(INTERVAL_S)
        for name, mhz in sources.frequencies().items():
            readings.setdefault(name, []).append(mhz)
    return Baseline(sources.temperatures(), {name: statistics.median(values) for name, values in readings.items()})
