"""The duration of a run against the one that its rule observed: a last query that takes long is no contradiction."""

from __future__ import annotations

import pytest

from mlperf_mobile.results.measured import Performance
from mlperf_mobile_rounds.official.checks.own_rules import _lasted


@pytest.mark.parametrize(
    ("scenario", "observed_s", "duration_s", "fits"),
    [
        ("single-stream", 60.0, 60.0, True),
        ("single-stream", 60.0, 60.25, True),  # issued at 60 s, completed 0.25 s later
        ("single-stream", 60.0, 60.31, False),  # no query took that long
        ("single-stream", 60.0, 59.9, False),
        ("sustained", 60.0, 60.25, True),
        ("a-plugins", 60.0, 60.25, True),
        ("offline", 60.0, 60.0004, True),
        ("offline", 60.0, 60.25, False),
    ],
)
def test_the_last_query_ends_after_its_issue(scenario, observed_s, duration_s, fits):
    told = Performance(latency_ns={"max": 0.3e9}, throughput=1.0, queries=60, samples=60, duration_s=duration_s)
    assert _lasted(observed_s, scenario, told) is fits
