"""What a score is, which scores can be compared, and the score of results that were stored without one."""

from __future__ import annotations

import math

import pytest

from mlperf_mobile.performance_score import PerformanceScore, is_possible, latency, ordinal, throughput
from mlperf_mobile.results.model import Result

RESULT = {
    "schema": 1, "run_id": "x", "created": "2030-01-01T00:00:00+00:00", "status": "completed", "valid": True,
    "task": "t", "benchmark": "t", "suite": None, "model": {"name": "m", "path": "/m", "format": "tflite"},
    "dataset": "d", "performance_dataset": None, "backend": "b", "runtime": None, "accelerator": "cpu",
    "scenario": "anything", "mode": "performance", "rule_set": "normal", "load": {}, "rules": [],
    "accuracy": None, "placement": None, "system": None, "seeds": {}, "versions": {}, "environment": {},
    "error": None, "directory": "/x",
}  # fmt: skip


def stored(status="completed", **more):
    """The score of a result as it is read."""
    told = {"latency_ns": {"p90": 2e6}, "throughput": 500.0, "queries": 100, "samples": 100, "duration_s": 1.0} | more
    return Result.model_validate(RESULT | {"status": status, "performance": told}).performance.score


class TestOfEarlierResults:
    def test_many_queries_were_compared_by_their_90th_percentile(self):
        assert stored() == PerformanceScore("90th percentile latency", 2e6, "ns", False, 0.9)

    def test_one_query_of_many_samples_by_its_throughput(self):
        assert stored(queries=1) == PerformanceScore("throughput", 500.0, "samples/s", True)

    def test_none_without_a_number(self):
        assert stored(latency_ns={}) is None
        assert stored(latency_ns={"p90": 0.0}) is None

    def test_a_result_without_a_score(self):
        assert stored(score=None) is None

    def test_nor_has_a_run_that_did_not_end(self):
        assert stored(status="interrupted") is None

    def test_it_stays_when_the_result_is_written_again(self):
        first = Result.model_validate(RESULT | {"performance": {
            "latency_ns": {"p90": 2e6}, "throughput": 500.0, "queries": 100, "samples": 100, "duration_s": 1.0,
        }})  # fmt: skip
        assert Result.model_validate(first.to_json()).performance.score == first.performance.score


class TestScores:
    def test_faster(self):
        """Half the time is twice as fast, and so are twice the samples."""
        assert latency(0.9, 1e6).speed_against(latency(0.9, 2e6)) == 2
        assert throughput(500).speed_against(throughput(250)) == 2

    @pytest.mark.parametrize("other", [
        latency(0.99, 1e6), throughput(1e6), PerformanceScore("90th percentile latency", 1e6, "us", False, 0.9),
        PerformanceScore("first token", 1e6, "ns", False, 0.9),
    ])  # fmt: skip
    def test_only_of_one_kind(self, other):
        with pytest.raises(ValueError, match="cannot be compared"):
            latency(0.9, 1e6).speed_against(other)

    @pytest.mark.parametrize("changes", [
        {"value": math.nan}, {"value": math.inf}, {"value": -1.0}, {"name": ""}, {"unit": ""}, {"unit": "x" * 99},
        {"percentile": 0.0}, {"percentile": 1.0}, {"percentile": 90.0},
    ])  # fmt: skip
    def test_invalid_scores(self, changes):
        with pytest.raises(ValueError, match="score"):
            PerformanceScore(**{"name": "n", "value": 1.0, "unit": "ns", "higher_is_better": False} | changes)

    def test_texts(self):
        assert latency(0.9, 2_785_000).text == "2.785 ms"
        assert throughput(631.84).text == "631.84 samples/s"
        assert PerformanceScore("completed queries", 12.5, "queries/s", True).text == "12.5 queries/s"

    @pytest.mark.parametrize(("number", "text"), [
        (90, "90th"), (99.9, "99.9th"), (1, "1st"), (2, "2nd"), (63, "63rd"), (11, "11th"), (12, "12th"), (99, "99th"),
    ])  # fmt: skip
    def test_ordinals(self, number, text):
        assert ordinal(number) == text


@pytest.mark.parametrize("value", [0.0, -1.0, 5e-324, 1e-310, 1e308, math.inf, math.nan])
def test_what_no_run_can_have_as_its_score(value):
    assert not is_possible(value)


def test_every_ratio_of_possible_scores_is_finite():
    least, most = throughput(1e-99), throughput(1e99)
    assert is_possible(least.value)
    assert is_possible(most.value)
    for one, other in ((least, most), (most, least)):
        assert 0 < one.speed_against(other) < math.inf
        assert 0 < one.cost < math.inf
