"""Intervals of ratios, by simulation."""

from __future__ import annotations

import math

import numpy as np

from mlperf_mobile.statistics import Sample
from mlperf_mobile_report.compare.ratio import RATIO_CONFIDENCE, ratio_of


def ratio_interval(base, other, percentile):
    return ratio_of(base.interval(percentile, RATIO_CONFIDENCE), other.interval(percentile, RATIO_CONFIDENCE))


def test_it_holds_at_least_as_often_as_it_says():
    random = np.random.default_rng(5)
    trials, held = 300, 0
    for _ in range(trials):
        base = Sample((1e6 * random.lognormal(sigma=0.2, size=500)).astype(int).tolist())
        other = Sample((1.1e6 * random.lognormal(sigma=0.2, size=700)).astype(int).tolist())
        found = ratio_interval(base, other, 0.9)
        held += found.low <= 1.1 <= found.high
    assert held >= 0.95 * trials


def test_a_real_difference_is_seen():
    random = np.random.default_rng(6)
    base = (1e6 * random.lognormal(sigma=0.1, size=5000)).astype(int).tolist()
    found = ratio_interval(Sample(base), Sample([int(x * 1.1) for x in base[::-1]]), 0.9)
    assert found.above(1)
    assert found.low < 1.1 < found.high
    assert found.high - found.low < 0.05


def test_the_same_twice():
    base = Sample(list(range(1_000_000, 1_001_000)))
    found = ratio_interval(base, base, 0.9)
    assert found.low < 1 < found.high
    assert found == ratio_interval(base, base, 0.9)


def test_few_latencies_leave_it_open():
    few, many = Sample([10, 11, 12]), Sample(list(range(100, 1100)))
    assert ratio_interval(few, many, 0.9).low == 0
    assert math.isinf(ratio_interval(many, few, 0.9).high)
