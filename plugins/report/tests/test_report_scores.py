"""Scores that no run can have make no claim."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from mlperf_mobile.performance_score import throughput
from mlperf_mobile_report.compare.entry import _refusal


@pytest.mark.parametrize(
    ("value", "words"),
    [(500.0, ""), (0.0, "its throughput is zero"), (5e-324, "which no run can have"), (1e308, "which no run can have")],
)
def test_why_a_score_makes_no_claim(value, words):
    result = SimpleNamespace(valid=True, functional_only="", performance=object())
    found = _refusal(result, throughput(value))
    assert found.endswith(words)
    assert bool(found) == bool(words)
