"""What a query costs on the stand-in library, whose own work is all but nothing."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter_ns

import numpy as np

from mlperf_mobile.contracts import Session


def test_a_query_costs_little(load: Callable[..., Session]) -> None:
    """At most 15 microseconds, the call through ctypes and the stand-in's own work included.

    The least of several medians, because the machine may be busy.
    """
    run = load().run
    sample = (np.ones((1, 4), np.float32),)
    medians = []
    for _ in range(5):
        times = []
        for _ in range(3000):
            begin = perf_counter_ns()
            run(sample)
            times.append(perf_counter_ns() - begin)
        medians.append(float(np.median(times)))
    print(f"a query on the stand-in costs {min(medians) / 1000:.2f} us")
    assert min(medians) < 15_000
