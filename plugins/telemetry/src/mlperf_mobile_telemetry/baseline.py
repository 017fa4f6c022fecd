"""Whether the device is as cool and as calm as it was before."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from mlperf_mobile_telemetry import sources

DEGREES = 2.0
"""A temperature is back when it is no more than this above its baseline, in °C."""
SHARE = 0.1
"""A frequency is back when it differs no more than this from its baseline."""
LOOKS = 3
"""A frequency changes from moment to moment: the median of this many readings counts."""
INTERVAL_S = 1 / 3
"""Between two of them."""


@dataclass(frozen=True, slots=True)
class Baseline:
    """What the device is like at a moment."""

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


def look(sleep: Callable[[float], None] = time.sleep) -> Baseline:
    """Temperatures, and the median of a few readings of the frequencies; takes two thirds of a second."""
    seen: dict[str, list[float]] = {}
    for number in range(LOOKS):
        if number:
            sleep(INTERVAL_S)
        for name, mhz in sources.frequencies().items():
            seen.setdefault(name, []).append(mhz)
    return Baseline(sources.temperatures(), {name: statistics.median(values) for name, values in seen.items()})
