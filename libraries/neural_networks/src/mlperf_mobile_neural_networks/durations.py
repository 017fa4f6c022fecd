"""Durations that a driver measures, collected at next to no cost and summed up at the end."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import Any

KEPT = 1 << 16
"""Of the latest runs; a longer run forgets its first ones."""

UNKNOWN = (1 << 64) - 1
"""What a driver says that did not measure (ANeuralNetworksExecution_getDuration)."""


class Durations:
    """One kind of duration, in nanoseconds."""

    def __init__(self) -> None:
        self._kept: deque[int] = deque(maxlen=KEPT)
        self.add: Callable[[int], None] = self._kept.append

    def summary(self) -> dict[str, int] | None:
        """``{"count": …, "p50_ns": …, "p90_ns": …, "mean_ns": …}``, or None where the driver did not measure."""
        return summarise(value for value in self._kept if value != UNKNOWN)


def summarise(values: Iterable[int]) -> dict[str, int] | None:
    """Count, percentiles by nearest rank, and mean; None of no values."""
    ordered = sorted(values)
    if not ordered:
        return None
    count = len(ordered)
    return {
        "count": count,
        "p50_ns": ordered[-(-count // 2) - 1],
        "p90_ns": ordered[-(-count * 9 // 10) - 1],
        "mean_ns": round(sum(ordered) / count),
    }


def report(kinds: Mapping[str, Durations]) -> dict[str, Any]:
    """The summaries of those kinds that were measured."""
    return {name: summary for name, kept in kinds.items() if (summary := kept.summary())}
