"""The early-stopping bound, against LoadGen itself and against exact arithmetic."""

from __future__ import annotations

import re
import subprocess
import sys
from fractions import Fraction
from math import comb
from textwrap import dedent

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlperf_mobile.early_stopping import min_passing, min_queries, required_queries

GOLDEN = [(0.90, 1, 64), (0.90, 2, 81), (0.90, 5, 127), (0.99, 1, 662), (0.99, 2, 838), (0.99, 5, 1307)]
"""(percentile, queries over it, queries needed), from LoadGen's own output."""


@pytest.mark.parametrize(("percentile", "over", "queries"), GOLDEN)
def test_golden(percentile, over, queries):
    assert min_passing(over, percentile) + over == queries


def test_queries_that_a_percentile_needs():
    assert min_queries(0.90) == 64
    assert min_queries(0.99) == 662


def test_queries_that_a_bound_needs():
    """LoadGen's Server asks for 459 queries at p99 if none is over the bound, and grows with those over it."""
    assert required_queries(0, 0.99) == 459
    assert required_queries(1, 0.99) == 662


@pytest.mark.parametrize("over", [63, 64, 65, 66, 300])
def test_the_smallest_count_for_many_over_the_bound(over):
    """With a percentile of 7/8, every chance is a whole number of powers of an eighth."""
    found = min_passing(over, 0.875)

    def fails(passing):
        total = passing + over
        return 100 * sum(comb(total, x) * 7 ** (total - x) for x in range(over + 1)) > 8**total

    assert not fails(found)
    assert fails(found - 1)


def test_many_queries_over_the_bound_take_no_time():
    """A million queries over the bound, as an overloaded run has, need a little more than a hundred million."""
    assert 1.0e8 < required_queries(1_000_000, 0.99) < 1.01e8


@given(st.integers(0, 4), st.integers(50, 95))
def test_the_smallest_count_by_exact_arithmetic(over, percent):
    p, limit = Fraction(percent, 100), Fraction(1, 100)

    def chance(passing):
        total = passing + over
        return sum(comb(total, x) * p ** (total - x) * (1 - p) ** x for x in range(over + 1))

    found = min_passing(over, percent / 100)
    assert chance(found) <= limit
    assert found == 1 or chance(found - 1) > limit


@pytest.mark.parametrize("percentile", [0.999, 0.9999, 0.99999999, 1 - 1e-12, 1 - 2**-53])
def test_extreme_percentiles(percentile):
    """For one query over the bound, ``p^n + n p^(n-1) (1-p) = 0.01`` tends to ``n (1-p) = 6.638`` (Poisson)."""
    assert min_queries(percentile) * (1 - percentile) == pytest.approx(6.638352, rel=5 * (1 - percentile) + 1e-6)


SCRIPT = """
import sys
from pathlib import Path
import mlperf_loadgen as lg

count, percentile, logs = int(sys.argv[1]), float(sys.argv[2]), sys.argv[3]
settings = lg.TestSettings()
settings.scenario, settings.mode = lg.TestScenario.SingleStream, lg.TestMode.PerformanceOnly
settings.min_query_count = settings.max_query_count = count
settings.min_duration_ms = 0
settings.single_stream_target_latency_percentile = percentile
output = lg.LogOutputSettings()
output.outdir = logs
log = lg.LogSettings()
log.log_output, log.enable_trace = output, False

def issue(queries):
    lg.QuerySamplesComplete([lg.QuerySampleResponse(query.id, 0, 0) for query in queries])

sut = lg.ConstructSUT(issue, lambda: None)
qsl = lg.ConstructQSL(4, 4, lambda _: None, lambda _: None)
lg.StartTestWithLogSettings(sut, qsl, settings, log, "")
"""


@pytest.mark.parametrize(("percentile", "count"), [(0.5, 20), (0.9, 10), (0.97, 3), (0.99, 100)])
@pytest.mark.usefixtures("processes")
def test_loadgen_requires_the_same_number(tmp_path, percentile, count):
    """LoadGen, given too few queries, says how many it would need."""
    subprocess.run([sys.executable, "-c", dedent(SCRIPT), str(count), str(percentile), str(tmp_path)], check=True)
    summary = (tmp_path / "mlperf_log_summary.txt").read_text()
    told = re.search(r"Only processed (\d+) queries\.\s*\*? ?Need to process at least (\d+) queries", summary)
    if count >= min_queries(percentile):
        assert told is None
        assert f"Processed at least {min_queries(percentile)} queries ({count})" in summary
    else:
        assert told, summary
        assert (int(told[1]), int(told[2])) == (count, min_queries(percentile))
