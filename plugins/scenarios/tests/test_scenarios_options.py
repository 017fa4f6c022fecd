"""Options that cannot be measured are refused by name, before anything is loaded."""

from __future__ import annotations

import math

import pytest
from pydantic import ValidationError

from mlperf_mobile.errors import UsageError
from mlperf_mobile.scenarios.offline import Offline
from mlperf_mobile.terms import Load
from mlperf_mobile.worker.measurements import samples_per_query
from mlperf_mobile_scenarios.multi_stream import MultiStream
from mlperf_mobile_scenarios.options import MultiStreamOptions, ServerOptions
from mlperf_mobile_scenarios.server import Server

LOAD = Load(min_query_count=100, min_duration_s=600, max_duration_s=0)


@pytest.mark.parametrize("value", [0, 0.0, -1, math.nan, math.inf, -math.inf, 1e7, 1e300, "fast", None.__class__])
@pytest.mark.parametrize("name", ["target_qps", "search_min_qps", "search_max_qps"])
def test_rates(name, value):
    with pytest.raises(ValidationError, match=name):
        ServerOptions.model_validate({name: value})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("target_latency_ms", 0), ("target_latency_ms", -5), ("target_latency_ms", math.nan),
        ("target_latency_ms", math.inf), ("max_batch", 0), ("max_batch", -1), ("max_batch", 2.5),
        ("max_wait_us", -1), ("max_wait_us", math.nan), ("max_wait_us", 1e9), ("search_precision", 0),
        ("search_steps", 1), ("search_step_s", 0), ("answer_timeout_s", 0), ("unknown", 1),
    ],
)  # fmt: skip
def test_other_options_of_server(name, value):
    with pytest.raises(ValidationError, match=name):
        ServerOptions.model_validate({name: value})


@pytest.mark.parametrize("value", [0, -8, 1.5, 10**6])
def test_samples_per_query(value):
    with pytest.raises(ValidationError, match="samples_per_query"):
        MultiStreamOptions.model_validate({"samples_per_query": value})


@pytest.mark.parametrize("high", [50.0, 20.0])
def test_an_empty_range(high):
    with pytest.raises(
        ValidationError, match=f"range of the search is empty: search_min_qps 50, search_max_qps {high:g}"
    ):
        ServerOptions(search_min_qps=50.0, search_max_qps=high)


def test_a_rate_and_a_range():
    with pytest.raises(ValidationError, match="target_qps is one rate, and search_max_qps is of a search"):
        ServerOptions(target_qps=50.0, search_max_qps=60.0)


@pytest.mark.parametrize(
    ("rate", "words"),
    [
        (1e6, "a target_qps of 1e[+]06 for 600 s is 600,000,000 queries"),
        (1e-4, "100 queries at a target_qps of 0.0001"),
    ],
)
def test_rates_that_no_run_can_have(rate, words):
    """One would take all memory, the other eleven days."""
    with pytest.raises(UsageError, match=words) as refused:
        Server(ServerOptions(target_qps=rate)).check(LOAD, 1)
    assert refused.value.code == "bad-load"


def test_a_batch_that_the_model_does_not_have():
    Server(ServerOptions(max_batch=4)).check(LOAD, 4)
    with pytest.raises(UsageError, match="max_batch is 5, but the model is loaded for a batch of 4"):
        Server(ServerOptions(max_batch=5)).check(LOAD, 4)


def test_queries_of_a_stopped_run_can_be_counted():
    scenarios = Offline(None), MultiStream(MultiStreamOptions(samples_per_query=3)), Server(ServerOptions())
    assert [samples_per_query(each) for each in scenarios] == [0, 3, 1]
