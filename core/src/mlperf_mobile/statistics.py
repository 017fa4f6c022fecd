"""Confidence intervals of a percentile of latencies, and whether latencies look stable.

The interval of a percentile is the one of order statistics, which assumes nothing about the distribution: of ``n``
independent latencies, the number at or under the true percentile ``p`` is binomial, so it lies
between ``x(l)`` and ``x(u)`` with probability ``P(l <= Bin(n, p) <= u - 1)`` (Hahn and Meeker, Statistical Intervals,
1991, section 5.2; David and Nagaraja, Order Statistics, 2003, section 7.1).

Latencies of one run are not independent: a device warms up, and neighbouring latencies are correlated. ``n`` is
therefore the effective sample size, from the variance of batch means of "is over the percentile" (Law, Simulation
Modeling and Analysis, on batch means). An interval describes this run; only repeated runs show how much runs differ.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

CONFIDENCE = 0.95
_BATCHES = 32
_SMALLEST_BATCH = 16


@dataclass(frozen=True, slots=True)
class Interval:
    """Where the true value lies, with ``confidence``; ``low`` is 0 and ``high`` infinity if it is unbounded."""

    low: float
    high: float
    confidence: float = CONFIDENCE

    def above(self, value: float) -> bool:
        """Whether the whole interval is above ``value``."""
        return self.low > value

    def to_json(self) -> dict[str, float | None]:
        """As JSON-serialisable data; an absent bound is None."""
        high = self.high if math.isfinite(self.high) else None
        return {"low": self.low or None, "high": high, "confidence": self.confidence}


@dataclass(frozen=True, slots=True)
class Advice:
    """A reason to measure again; it never changes whether a result is valid."""

    name: str
    text: str


class Sample:
    """The latencies of one run.

    Args:
        latencies_ns: In order of completion, in nanoseconds.

    Raises:
        ValueError: There are no latencies, or one is not positive.
    """

    def __init__(self, latencies_ns: Sequence[int]) -> None:
        import numpy as np  # here: a card without an interval does not need it

        if not latencies_ns:
            raise ValueError("no latencies")
        self._latencies = np.asarray(latencies_ns, dtype=np.int64)
        self._sorted = np.sort(self._latencies)
        if self._sorted[0] <= 0:
            raise ValueError(f"a latency of {self._sorted[0]} ns")
        self._independent: dict[float, int] = {}

    def __len__(self) -> int:
        return len(self._sorted)

    def percentile(self, percentile: float) -> int:
        """The value at index ``int(n * percentile)`` in ascending order, as LoadGen defines it."""
        return int(self._sorted[min(int(len(self) * percentile), len(self) - 1)])

    def independent(self, percentile: float) -> int:
        """The effective sample size for the percentile; at most the number of latencies."""
        if percentile not in self._independent:
            self._independent[percentile] = self._counted(percentile)
        return self._independent[percentile]

    def _counted(self, percentile: float) -> int:
        size = len(self) // _BATCHES
        if size < _SMALLEST_BATCH:
            return len(self)
        limit = self.percentile(percentile)
        batches = self._latencies[: size * _BATCHES].reshape(_BATCHES, size)
        over = [int(count) / size for count in (batches > limit).sum(axis=1)]
        share = math.fsum(over) / _BATCHES
        if not 0 < share < 1:
            return len(self)
        variance = math.fsum((x - share) ** 2 for x in over) / (_BATCHES - 1)
        return int(len(self) / max(1.0, size * variance / (share * (1 - share))))

    def interval(self, percentile: float, confidence: float = CONFIDENCE) -> Interval:
        """The interval of the percentile, in nanoseconds."""
        count = self.independent(percentile)
        low, high = ranks(count, percentile, confidence)
        scale = len(self) / count
        return Interval(
            low=int(self._sorted[int((low - 1) * scale)]) if low else 0.0,
            high=int(self._sorted[min(math.ceil(high * scale), len(self)) - 1]) if high else math.inf,
            confidence=confidence,
        )

    @cached_property
    def ordered(self) -> list[int]:
        """The latencies in ascending order."""
        return list(map(int, self._sorted))

    @cached_property
    def moments(self) -> tuple[float, float]:
        """Mean and standard deviation in nanoseconds; the latter is 0 for a single latency."""
        count = len(self)
        mean = sum(self.ordered) / count
        return mean, math.sqrt(math.fsum((x - mean) ** 2 for x in self.ordered) / max(count - 1, 1))


@lru_cache(maxsize=4096)  # runs of the same length, compared with each other
def ranks(count: int, percentile: float, confidence: float = CONFIDENCE) -> tuple[int | None, int | None]:
    """The ranks, from 1, of the two order statistics between which a percentile lies.

    Args:
        count: Number of independent values.
        percentile: Between 0 and 1.
        confidence: Of the two-sided interval; half of the remainder is on either side.

    Returns:
        None instead of a rank if ``count`` values are too few for one.

    Raises:
        ValueError: An argument is out of its range.
    """
    if count < 1 or not 0 < percentile < 1 or not 0 < confidence < 1:
        raise ValueError(f"no interval: {count} values, percentile {percentile}, confidence {confidence}")
    tail = (1 - confidence) / 2
    low = _quantile(count, percentile, tail)
    high = _quantile(count, percentile, 1 - tail) + 1
    return low or None, high if high <= count else None


def advice(sample: Sample) -> list[Advice]:
    """Signs of an unstable measurement, by the checks of pyperf (``pyperf check``, pyperf 2.10).

    A standard deviation of at least 10 % of the mean, or else too few values for 95 % certainty of a variation under
    1 %; a minimum or maximum at least 50 % away from the mean; a shortest value under 1 ms.
    """
    mean, deviation = sample.moments
    shortest, longest = sample.ordered[0], sample.ordered[-1]
    found = []
    if deviation >= 0.1 * mean:
        share = f"{deviation / mean:.0%} of the mean ({_ms(mean)})"
        found.append(Advice("spread", f"the standard deviation ({_ms(deviation)}) is {share}"))
    else:
        needed = math.ceil(4 * (1.96 * deviation / mean / 0.01) ** 2)
        if needed > len(sample):
            found.append(Advice("too-few", f"{len(sample)} latencies; about {needed} would be stable within 1 %"))
    for name, value in (("minimum", shortest), ("maximum", longest)):
        if abs(value - mean) >= 0.5 * mean:
            side = "above" if value > mean else "below"
            found.append(
                Advice(name, f"the {name} ({_ms(value)}) is {abs(value / mean - 1):.0%} {side} the mean ({_ms(mean)})")
            )
    if shortest < 1_000_000:
        text = f"the shortest latency is {_ms(shortest)}: the cost of issuing a query is a part of it"
        found.append(Advice("short", text))
    return found


def _ms(nanoseconds: float) -> str:
    return f"{nanoseconds / 1e6:.4g} ms"


def _quantile(count: int, chance: float, level: float) -> int:
    """The smallest ``k`` with ``P(Bin(count, chance) <= k) >= level``.

    Sums the probabilities within 12 standard deviations of the mode, relative to that of the mode: nothing under- or
    overflows, what is left out is below 1e-30, and the time grows with the root of ``count``.
    """
    mode = min(int((count + 1) * chance), count)
    reach = math.ceil(12 * math.sqrt(count * chance * (1 - chance))) + 12
    odds = chance / (1 - chance)
    below, weight = [], 1.0
    for k in range(mode, max(mode - reach, 0), -1):
        weight *= k / (count - k + 1) / odds
        below.append(weight)
    above, weight = [1.0], 1.0
    for k in range(mode, min(mode + reach, count)):
        weight *= (count - k) / (k + 1) * odds
        above.append(weight)
    weights = below[::-1] + above
    threshold = level * math.fsum(weights)
    total = 0.0
    for k, weight in enumerate(weights, start=mode - len(below)):
        total += weight
        if total >= threshold:
            return k
    return count
