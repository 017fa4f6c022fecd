"""Sustained: single-stream, long enough to show throttling by comparing the first and the last minute."""

from __future__ import annotations

from array import array
from dataclasses import replace
from pathlib import Path

from mlperf_mobile.contracts import Load, Measurement, SystemUnderTest
from mlperf_mobile.results.latencies import summary
from mlperf_mobile.scenarios.single_stream import SingleStream

MINUTE_S = 60.0


class Sustained(SingleStream):
    """LoadGen's SingleStream, which also reports the latencies of the first and the last minute.

    They are ``first_minute_p50``, ``first_minute_p90``, ``last_minute_p50`` and ``last_minute_p90``. In a run of less
    than ten minutes they are those of its first and last tenth: ``first_tenth_p50``.
    """

    def run(self, system: SystemUnderTest, load: Load, latencies_ns: array[int], logs: Path) -> Measurement:
        measured = super().run(system, load, latencies_ns, logs)
        return replace(measured, latency_ns={**measured.latency_ns, **ends(latencies_ns, measured.duration_s)})


def ends(latencies_ns: array[int], duration_s: float) -> dict[str, float]:
    """p50 and p90 of both ends of a run, in nanoseconds.

    The time between queries is LoadGen's, and is assumed to be constant.
    """
    part = "minute" if round(duration_s * 1000) >= 10 * MINUTE_S * 1000 else "tenth"
    share = MINUTE_S / duration_s if part == "minute" else 0.1
    limit = sum(latencies_ns) * share
    first = latencies_ns[: until(latencies_ns, limit)]
    last = latencies_ns[-until(array("q", reversed(latencies_ns)), limit) :]
    summaries = {"first": summary(first), "last": summary(last)}
    return {f"{end}_{part}_{name}": values[name] for end, values in summaries.items() for name in ("p50", "p90")}


def until(latencies_ns: array[int], limit: float) -> int:
    """The number of queries, at least 1, whose latencies add up to ``limit`` nanoseconds."""
    passed = 0
    for count, latency in enumerate(latencies_ns, 1):
        passed += latency
        if passed >= limit:
            return count
    return len(latencies_ns)
