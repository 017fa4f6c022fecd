"""A run that ends early because LoadGen had no more queries says what to change."""

from __future__ import annotations

import pytest

from mlperf_mobile import rules
from mlperf_mobile.contracts import Load, Seeds
from mlperf_mobile.scenarios.single_stream import ran_out

LOAD = Load(
    min_query_count=64,
    min_duration_s=60.0,
    max_duration_s=600.0,
    percentile=0.9,
    performance_sample_count=50,
    seeds=Seeds(qsl=1, sample_index=2, schedule=3),
    expected_latency_ns=1_000_000,
)


@pytest.mark.parametrize(("queries", "named"), [(120001, True), (120000, False)])
def test_the_remedy_is_named(queries, named):
    """LoadGen prepares twice the duration's queries: 120,001 of 1 ms (its public logs of v3.1 say so)."""
    rule = rules.min_duration(59.0, LOAD, False, ran_out({"generated_query_count": 120001}, queries))
    assert not rule.ok
    assert ("expected_latency_ns" in rule.note) is named


def test_a_run_that_lasted_needs_no_remedy():
    assert rules.min_duration(60.0, LOAD, True, ran_out({"generated_query_count": 5}, 5)).note == "seconds"
    assert not ran_out({}, 5)
