"""Graphs of a recording: temperature, frequency, power, speed, battery and load."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

from mlperf_mobile.contracts import Graph
from mlperf_mobile_telemetry.timeline import Series, Timeline

_LEAST_S = 1e-4
"""Minimum seconds between two values of a counter for a meaningful rate."""


def of(timeline: Timeline, marks: Sequence[tuple[float, str]] = ()) -> Iterable[Graph]:
    """A graph for each recorded kind of series; empty for an empty recording.

    Args:
        timeline: The recording.
        marks: Times of evidence of throttling, in seconds since the recording began.
    """
    if len(timeline.answered) < 2:
        return
    speed = _rate(timeline.answered.between(*(timeline.inside() or (0.0, 0.0))))
    kinds = (
        ("Temperature", "°C", _named(timeline, ("temperature.", "battery."), "_celsius")),
        ("Frequency", "MHz", _named(timeline, ("frequency.",), "_mhz")),
        ("Power", "W", _power(timeline)),
        ("Speed", "samples/s", [("answered samples", speed)]),
        ("Battery level", "%", _named(timeline, ("battery.",), "_percent")),
        ("Load", "processes", _named(timeline, ("load.",), "_processes")),
    )
    for title, unit, found in kinds:
        if lines := {name: (series.times, series.values) for name, series in found if len(series) > 1}:
            yield Graph(title, unit, lines, timeline.around(), marks)


def _named(timeline: Timeline, prefixes: tuple[str, ...], suffix: str) -> Iterator[tuple[str, Series]]:
    for name, series in timeline.series.items():
        if name.startswith(prefixes) and name.endswith(suffix):
            yield name.partition(".")[2].removesuffix(suffix), series


def _power(timeline: Timeline) -> Iterator[tuple[str, Series]]:
    for name, series in timeline.series.items():
        if name.startswith("energy.") and name.endswith("_joules"):
            yield name.removeprefix("energy.").removesuffix("_joules"), _rate(series)
        elif name.startswith("battery.") and name.endswith("_watts"):
            watts = type(series.values)("d", map(abs, series.values))  # the sign differs between drivers
            yield name.removesuffix("_watts"), Series(series.times, watts)


def _rate(series: Series) -> Series:
    """Change per second between successive values."""
    found = Series()
    for (before, low), (after, high) in pairwise(zip(series.times, series.values, strict=True)):
        if after - before > _LEAST_S:
            found.times.append(after)
            found.values.append((high - low) / (after - before))
    return found
