"""The latency that LoadGen is given: the best of a warm-up, which is never too short to get over slow first calls."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from mlperf_mobile.plan import Plan
from mlperf_mobile.worker import untimed

SLOW_NS, FAST_NS = 3_000_000, 50_000


@pytest.fixture
def warmed_up(monkeypatch):
    """``warmed_up(12, 0.05)``: the estimate if the first 12 calls are slow, and how many calls it took."""

    def run(slow, seconds):
        clock = SimpleNamespace(ns=0, calls=0)
        watch = SimpleNamespace(perf_counter=lambda: clock.ns / 1e9, perf_counter_ns=lambda: clock.ns)
        monkeypatch.setattr(untimed, "time", watch)

        def answer(index):
            clock.calls += 1
            clock.ns += SLOW_NS if clock.calls <= slow else FAST_NS

        system = SimpleNamespace(sessions=1, batch=1, answer=answer, unload_samples=lambda samples: None)
        checks = SimpleNamespace(first=lambda *call: None, repeat=lambda *call: {}, vary=lambda *call: None)
        return untimed.warm_up(system, [0, 1], seconds, checks), clock.calls

    return run


def test_slow_first_calls_do_not_count(warmed_up):
    shortest = Plan.model_construct(warmup_s=0.0).warm_up_s
    assert shortest == 0.05
    assert warmed_up(12, shortest) == (FAST_NS, 12 + (50_000_000 - 12 * SLOW_NS) // FAST_NS)


def test_a_slow_model_is_called_three_times(warmed_up):
    assert warmed_up(100, 0.005) == (SLOW_NS, 3)
