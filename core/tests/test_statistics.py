"""Confidence intervals against scipy and by simulation, and pyperf's checks against numbers worked out by hand."""

from __future__ import annotations

import math
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlperf_mobile.statistics import Interval, Sample, advice, ranks


@pytest.fixture(scope="module")
def binom():
    """Imported here: it takes a second, and every worker imports all modules."""
    from scipy.stats import binom

    return binom


COUNTS = st.integers(1, 5000)
SHARES = st.sampled_from([0.5, 0.9, 0.95, 0.97, 0.99, 0.999])


class TestRanks:
    @given(COUNTS, SHARES, st.sampled_from([0.8, 0.9, 0.95, 0.99]))
    def test_against_scipy(self, binom, count, share, confidence):
        """Each place is the innermost one that leaves no more than half of the rest outside."""
        low, high = ranks(count, share, confidence)
        tail = (1 - confidence) / 2 * (1 + 1e-9)
        if low is None:
            assert binom.cdf(0, count, share) > tail * (1 - 1e-6)
        else:
            assert binom.cdf(low - 1, count, share) <= tail
            assert binom.cdf(low, count, share) > tail * (1 - 1e-6)
        if high is None:
            assert binom.sf(count - 1, count, share) > tail * (1 - 1e-6)
        else:
            assert binom.sf(high - 1, count, share) <= tail
            assert high == 1 or binom.sf(high - 2, count, share) > tail * (1 - 1e-6)

    @pytest.mark.parametrize("count", [100_000, 3_000_000])
    def test_many(self, binom, count):
        low, high = ranks(count, 0.9)
        assert low == binom.ppf(0.025, count, 0.9)
        assert high == binom.ppf(0.975, count, 0.9) + 1

    def test_fewest_that_bound_the_90th_percentile(self):
        """0.9 to the 35th is 0.02503, and to the 36th 0.02253: the first below 0.025."""
        assert ranks(35, 0.9)[1] is None
        assert ranks(36, 0.9)[1] == 36

    @pytest.mark.parametrize("wrong", [(0, 0.9, 0.95), (5, 0.0, 0.95), (5, 1.0, 0.95), (5, 0.9, 1.0)])
    def test_out_of_range(self, wrong):
        with pytest.raises(ValueError, match="no interval"):
            ranks(*wrong)


class TestSample:
    @pytest.mark.parametrize("latencies", [[], [0], [5, -1], [3, 0, 2]])
    def test_what_is_no_latency(self, latencies):
        with pytest.raises(ValueError, match="latenc"):
            Sample(latencies)

    @pytest.mark.parametrize(("count", "expected"), [(1, 1), (9, 9), (10, 10), (11, 10), (1000, 901)])
    def test_percentile_as_loadgen_has_it(self, count, expected):
        """The value at index ``int(n * p)`` of 1, 2, 3 …"""
        assert Sample(list(range(count, 0, -1))).percentile(0.9) == expected

    @settings(max_examples=60, deadline=None)
    @given(st.lists(st.integers(1, 10**10), min_size=1, max_size=2000), SHARES)
    def test_the_interval_holds_the_percentile(self, latencies, share):
        sample = Sample(latencies)
        found = sample.interval(share)
        assert found.low <= sample.percentile(share) <= found.high
        assert 1 <= sample.independent(share) <= len(latencies)

    def test_too_few_have_no_upper_bound(self):
        found = Sample([5, 6, 7]).interval(0.9)
        assert math.isinf(found.high)
        assert found.to_json()["high"] is None

    def test_it_holds_as_often_as_it_says(self):
        """True 90th percentile of exp(N(0, 1)): exp(1.2815516)."""
        random = np.random.default_rng(20)
        truth = 1e6 * math.exp(1.2815515655446004)
        trials, held = 400, 0
        for _ in range(trials):
            found = Sample((1e6 * random.lognormal(size=600)).astype(int).tolist()).interval(0.9)
            held += found.low <= truth <= found.high
        assert held >= 0.93 * trials
        assert held < trials, "an interval that always holds says nothing"

    def test_dependence_is_seen(self):
        """The same latencies in any other order tell more than when the slow ones come together."""
        random = np.random.default_rng(3)
        values = np.sort(random.integers(10**6, 2 * 10**6, 20_000))
        together = Sample(np.concatenate([values[:9000], values[9000:][::-1]]).tolist())
        mixed = Sample(random.permutation(values).tolist())
        assert together.independent(0.9) < 200 < 10_000 < mixed.independent(0.9)
        width = [each.interval(0.9).high - each.interval(0.9).low for each in (together, mixed)]
        assert width[0] > 5 * width[1]

    def test_it_holds_under_dependence(self):
        """Latencies in runs of 50 equal ones know a fiftieth; an interval that ignores it holds far too seldom."""
        random = np.random.default_rng(8)
        trials, held, naive = 200, 0, 0
        for _ in range(trials):
            values = np.repeat(random.integers(1, 10**6, 200), 50)
            found = Sample(values.tolist()).interval(0.9)
            low, high = ranks(len(values), 0.9)
            ordered = np.sort(values)
            held += found.low <= 900_000 <= found.high
            naive += ordered[low - 1] <= 900_000 <= ordered[high - 1]
        assert held >= 0.9 * trials
        assert naive < 0.5 * trials


class TestAdvice:
    def names(self, latencies):
        return [each.name for each in advice(Sample(latencies))]

    def test_nothing_to_say(self):
        assert self.names([2_000_000, 2_000_001] * 50) == []

    def test_spread(self):
        """Half 2 ms, half 3 ms: a standard deviation of a fifth of the mean, and nothing far away."""
        assert self.names([2_000_000, 3_000_000] * 50) == ["spread"]

    def test_too_few(self):
        """2.00 and 2.08 ms: 1.96 % deviation asks for 4 (1.96 x 1.9608)^2 = 59.08, so 60, latencies; 20 have a
        deviation of 0.041039 ms or 2.0117 %, and are asked for 63."""
        (found,) = advice(Sample([2_000_000, 2_080_000] * 10))
        assert (found.name, "about 63 " in found.text) == ("too-few", True)
        assert self.names([2_000_000, 2_080_000] * 40) == []

    def test_far_away(self):
        assert self.names([2_000_000] * 2000 + [3_100_000]) == ["maximum"]
        assert self.names([4_000_000] * 2000 + [1_900_000]) == ["minimum"]
        assert "95% above" in advice(Sample([2_000_000] * 2000 + [3_900_000]))[0].text

    def test_short(self):
        assert self.names([999_999, 1_000_000] * 50) == ["short"]

    def test_one_latency(self):
        assert self.names([5_000_000]) == []


def test_a_hundred_thousand_take_no_time():
    random = np.random.default_rng(7)
    values = (1e6 * random.lognormal(sigma=0.1, size=100_000)).astype(int).tolist()
    begin = time.thread_time()
    sample = Sample(values)
    sample.interval(0.9)
    advice(sample)
    assert time.thread_time() - begin < 3


def test_interval_as_json():
    assert Interval(0.0, 2.0).to_json() == {"low": None, "high": 2.0, "confidence": 0.95}
