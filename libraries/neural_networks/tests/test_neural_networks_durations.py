"""Durations are kept within bounds, and summed up by nearest rank."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from mlperf_mobile_neural_networks.durations import KEPT, UNKNOWN, Durations, report, summarise


def test_of_a_hundred():
    assert summarise(range(1, 101)) == {"count": 100, "p50_ns": 50, "p90_ns": 90, "mean_ns": 50}


@given(st.lists(st.integers(0, 1 << 40), min_size=1))
def test_nearest_rank(values):
    told = summarise(values)
    ordered = sorted(values)
    assert told["p50_ns"] == ordered[math.ceil(0.5 * len(values)) - 1]
    assert told["p90_ns"] == ordered[math.ceil(len(values) * 9 / 10) - 1]


def test_what_was_not_measured_does_not_count():
    kept, silent = Durations(), Durations()
    for value in (5, UNKNOWN, 7):
        kept.add(value)
    silent.add(UNKNOWN)
    told = report({"on_hardware": silent, "in_driver": kept})
    assert told == {"in_driver": {"count": 2, "p50_ns": 5, "p90_ns": 7, "mean_ns": 6}}


def test_the_latest_are_kept():
    kept = Durations()
    for value in range(KEPT + 10):
        kept.add(value)
    told = kept.summary()
    assert told is not None
    assert told["count"] == KEPT
    assert told["p50_ns"] == KEPT // 2 + 9
