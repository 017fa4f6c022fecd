"""The run rules at their edges."""

from __future__ import annotations

import pytest

from mlperf_mobile import rules
from mlperf_mobile.contracts import Load, Seeds

LOAD = Load(
    min_query_count=1024,
    min_duration_s=60.0,
    max_duration_s=600.0,
    percentile=0.9,
    performance_sample_count=100,
    seeds=Seeds(qsl=1, sample_index=2, schedule=3),
    expected_latency_ns=1000,
)


@pytest.mark.parametrize(
    ("observed", "ok"), [(0.0, False), (59.998, False), (59.9994, False), (59.9996, True), (60.0, True), (61.0, True)]
)
def test_min_duration_in_milliseconds(observed, ok):
    rule = rules.min_duration(observed, LOAD)
    assert (rule.name, rule.ok, rule.required) == ("min-duration", ok, 60.0)


@pytest.mark.parametrize(
    ("observed", "stopped", "ok", "waived"),
    [(1023, False, False, False), (1024, False, True, False), (10, True, True, True), (1024, True, True, False)],
)
def test_min_query_count(observed, stopped, ok, waived):
    rule = rules.min_query_count(observed, LOAD, stopped)
    assert (rule.name, rule.ok, rule.observed, rule.required) == ("min-query-count", ok, observed, 1024)
    assert ("waived" in rule.note) == waived


@pytest.mark.parametrize(
    ("observed", "last_query", "ok"),
    [(600.0, 0.0, True), (600.1, 0.0, False), (600.1, 0.05, True), (600.11, 0.05, False)],
)
def test_max_duration_lets_the_last_query_end(observed, last_query, ok):
    rule = rules.max_duration(observed, LOAD, last_query)
    assert (rule.name, rule.ok, rule.required) == ("max-duration", ok, 600.0)


def test_no_max_duration():
    rule = rules.max_duration(1e9, LOAD.model_copy(update={"max_duration_s": 0}), 0.0)
    assert (rule.ok, rule.required) == (True, "no limit")


@pytest.mark.parametrize(("percentile", "required"), [(0.9, 64), (0.99, 662)])
def test_enough_for_percentile(percentile, required):
    load = LOAD.model_copy(update={"percentile": percentile})
    for observed, ok in ((required - 1, False), (required, True)):
        rule = rules.enough_for_percentile(observed, load)
        assert (rule.name, rule.ok, rule.observed, rule.required) == ("early-stopping", ok, observed, required)
        assert f"p{percentile * 100:g}" in rule.note
