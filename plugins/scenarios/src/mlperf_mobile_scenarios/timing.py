"""Durations of a run from the latencies and arrivals of its samples."""

from __future__ import annotations

from array import array


def lasted_s(latencies_ns: array[int], arrivals_ns: array[int]) -> tuple[float, float]:
    """Seconds from the first arrival to the last completion, and to the last arrival."""
    ends = (arrived + latency for arrived, latency in zip(arrivals_ns, latencies_ns, strict=True))
    return max(ends) / 1e9, max(arrivals_ns) / 1e9
