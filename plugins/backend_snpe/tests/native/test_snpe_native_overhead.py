"""What a query costs on the stand-in library, whose own work is all but nothing."""

from __future__ import annotations

from collections.abc import Callable
from time import thread_time_ns

import numpy as np

from mlperf_mobile.contracts import Session


def test_a_query_costs_little(load: Callable[..., Session]) -> None:
    """At most 15 microseconds of processor time, the call through ctypes and the stand-in's own work included."""
    run = load().run
    sample = (np.ones((1, 4), np.float32),)
    costs = []
    for _ in range(5):
        begin = thread_time_ns()
        for _ in range(3000):
            run(sample)
        costs.append((thread_time_ns() - begin) / 3000)
    print(f"a query on the stand-in costs {min(costs) / 1000:.2f} us")
    assert min(costs) < 15_000
