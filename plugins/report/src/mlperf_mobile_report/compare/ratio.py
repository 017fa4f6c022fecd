"""The confidence interval of the ratio of two percentiles, from two independent runs.

Each percentile lies in its own interval with the square root of the confidence, so both do with the confidence, and
the ratio then lies between the extreme quotients. That is a little wide (it holds more often than it says), in exchange
for being the same on every call, fast, and free of assumptions. The bootstrap is not: it draws latencies as if they
were independent, and is worst for percentiles of values in clock ticks.
"""

from __future__ import annotations

import math

from mlperf_mobile.statistics import CONFIDENCE, Interval

RATIO_CONFIDENCE = math.sqrt(CONFIDENCE)
"""The confidence of each of two independent intervals that both hold with ``CONFIDENCE``."""


def ratio_of(first: Interval, second: Interval) -> Interval:
    """The interval of ``second / first``, whose intervals have :data:`RATIO_CONFIDENCE` each."""
    low = second.low / first.high if math.isfinite(first.high) else 0.0
    high = second.high / first.low if first.low else math.inf
    return Interval(low, high)
