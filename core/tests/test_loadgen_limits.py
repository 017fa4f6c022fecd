"""Settings that would hang LoadGen, or take all memory, are refused by name before it starts."""

from __future__ import annotations

import math

import pytest

from mlperf_mobile import loadgen
from mlperf_mobile.errors import UsageError
from mlperf_mobile.loadgen import limits
from mlperf_mobile.terms import Load

LOAD = Load(min_query_count=100, min_duration_s=60, max_duration_s=0)
NAMES = {
    "SingleStream": "single_stream_expected_latency_ns",
    "MultiStream": "multi_stream_expected_latency_ns",
    "Server": "server_target_qps",
    "Offline": "offline_expected_qps",
}


@pytest.mark.parametrize("value", [0.0, -1.0, math.nan, math.inf])
@pytest.mark.parametrize("scenario", NAMES)
def test_rates_and_latencies(scenario, value, tmp_path):
    settings = loadgen.performance_settings(scenario, LOAD)
    setattr(settings, NAMES[scenario], value)
    samples = loadgen.SampleLibrary(4, 4, pytest.fail, pytest.fail)
    with pytest.raises(UsageError, match=NAMES[scenario]) as refused:
        loadgen.run(settings, samples, pytest.fail, tmp_path / "logs")
    assert refused.value.code == "bad-load"
    assert not (tmp_path / "logs").exists()


@pytest.mark.parametrize(
    ("name", "value"),
    [("server_target_qps", 1e9), ("server_target_qps", 1e-6), ("server_target_latency_ns", 0)],
)
def test_schedules_of_server(name, value):
    settings = loadgen.performance_settings("Server", LOAD)
    limits.check(settings)
    setattr(settings, name, value)
    with pytest.raises(UsageError, match=name):
        limits.check(settings)


def test_samples_per_query():
    settings = loadgen.performance_settings("MultiStream", LOAD)
    limits.check(settings)
    settings.multi_stream_samples_per_query = 0
    with pytest.raises(UsageError, match="multi_stream_samples_per_query"):
        limits.check(settings)
