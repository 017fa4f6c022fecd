"""LoadGen's early-stopping bound: how many queries an estimate of a percentile needs.

Source: mlcommons/inference, loadgen/early_stopping.cc: with ``h`` queries at or under the latency bound and ``t``
over it, the run may stop when the probability of at most ``t`` over it, if the true share were ``1 - p``, is below
``1 - confidence``: ``sum(x=0..t) C(h+t, x) p^(h+t-x) (1-p)^x <= 1 - confidence``.
"""

from __future__ import annotations

import math

CONFIDENCE = 0.99


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


def _chance(passing: int, over: int, percentile: float) -> float:
    total = passing + over
    log_p, log_q = math.log(percentile), math.log1p(-percentile)
    return math.fsum(math.exp(math.log(math.comb(total, x)) + (total - x) * log_p + x * log_q) for x in range(over + 1))
