"""Shared by the benchmarks of Python's overhead: alternating rounds of a loop in C and of a session."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Sequence

import harness
import numpy as np

from mlperf_mobile.contracts import Session

HEAD = "".join(f" {title:>12}" for title in ("C mean ns", "ours mean ns", "added us", "ours p50", "ours p90"))
"""The heading of :func:`row`'s columns."""


def row(theirs: Sequence[object], ours: Sequence[object], rounds: int) -> str:
    """The medians of all rounds, each a separate process.

    Args:
        theirs: The command of the loop in C, which prints nanoseconds per query.
        ours: The command that prints :func:`timed`'s result as JSON.
        rounds: Number of rounds of each.
    """
    loops, sessions = [], []
    for _ in range(rounds):
        loops.append(float(_output(theirs)))
        sessions.append(json.loads(_output(ours)))
    mean, p50, p90 = (harness.median([each[key] for each in sessions]) for key in ("mean", "p50", "p90"))
    added = harness.median([each["mean"] - one for each, one in zip(sessions, loops, strict=True)])
    return f" {harness.median(loops):12.0f} {mean:12.0f} {added / 1e3:12.2f} {p50:12.0f} {p90:12.0f}"


def timed(session: Session, queries: int) -> dict[str, float]:
    """Nanoseconds per query of ``y = x + x``: the mean of one uninterrupted loop, and percentiles of single timings."""
    samples = [(np.full((1, 4), number, np.float32),) for number in range(harness.SAMPLES)]
    with session:
        run, now = session.run, time.perf_counter_ns
        in_a_row = [samples[number % harness.SAMPLES] for number in range(queries)]
        for sample in in_a_row[:1000]:
            run(sample)
        start = now()
        for sample in in_a_row:
            run(sample)
        mean = (now() - start) / queries
        latencies = []
        for sample in in_a_row:
            start = now()
            run(sample)
            latencies.append(now() - start)
        if float(run(samples[3])[0][0, 0]) != 6.0:
            raise SystemExit("the sum is wrong")
    latencies.sort()
    return {"mean": mean, "p50": latencies[queries // 2], "p90": latencies[queries * 9 // 10]}


def _output(command: Sequence[object]) -> str:
    return subprocess.run([*map(str, command)], check=True, capture_output=True, text=True).stdout
