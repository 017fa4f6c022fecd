"""LoadGen's early-stopping bound: how many queries an estimate of a percentile needs.

Source: mlcommons/inference, loadgen/early_stopping.cc: with ``h`` queries at or under the latency bound and ``t``
over it, the run may stop when the probability of at most ``t`` over it, if the true share were ``1 - p``, is below
``1 - confidence``: ``sum(x=0..t) C(h+t, x) p^(h+t-x) (1-p)^x <= 1 - confidence``.
"""

from __future__ import annotations

import math

CONFIDENCE = 0.99
_FEW = 64


def min_passing(over: int, percentile: float, confidence: float = CONFIDENCE) -> int:
    """The fewest queries at or under the bound that make ``over`` queries above it acceptable."""
    low, high = 0, 1
    while _chance(high, over, percentile) > 1 - confidence:
        low, high = high, high * 2
    while high - low > 1:
        middle = (low + high) // 2
        if _chance(middle, over, percentile) > 1 - confidence:
            low = middle
        else:
            high = middle
    return high


def min_queries(percentile: float) -> int:
    """The fewest queries from which the percentile can be estimated: 64 for 0.90, 662 for 0.99."""
    return min_passing(1, percentile) + 1


def required_queries(over: int, percentile: float) -> int:
    """The fewest queries of which ``over`` may be above a latency bound: 459 for none at 0.99 (LoadGen's Server)."""
    return min_passing(over, percentile) + over


def _chance(passing: int, over: int, percentile: float) -> float:
    """The chance of at most ``over`` queries above the bound, if the true share at or under it were the percentile.

    The terms are added from the last one down, each from the one after it, until they no longer matter.
    """
    total, odds = passing + over, percentile / -math.expm1(math.log(percentile))
    if over >= total / (odds + 1):  # at or above the mean, which is within one of the median
        return 1.0
    log_p, log_q = math.log(percentile), math.log1p(-percentile)
    term = found = math.exp(_log_ways(total, over) + passing * log_p + over * log_q)
    for x in range(over, 0, -1):
        term *= odds * x / (total - x + 1)
        found += term
        if term < found * 1e-17:
            break
    return found


def _log_ways(total: int, over: int) -> float:
    """The logarithm of the binomial coefficient; for few it is exact, as the difference of large ones is not."""
    if over <= _FEW:
        return math.log(math.comb(total, over))
    return math.lgamma(total + 1) - math.lgamma(over + 1) - math.lgamma(total - over + 1)
