"""Whether the device was slowed down by heat or power limits, with the evidence."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from mlperf_mobile_telemetry.timeline import Series, Timeline

FELL, SLOWER, WARMER = 0.05, 0.03, 3.0
"""Changes from the first fifth of the run to the last: shares of frequency and speed, and °C."""
LEAST_ROWS = 10
"""Minimum rows to compare fifths."""
LEAST_CAP = 0.01
"""A cap lowered by a smaller share is rounding."""

_SLOWS = re.compile(r"cpu|gpu|npu|tpu|apu|dsp|processor|freq|clamp|pause|isolate", re.IGNORECASE)
"""Cooling devices that slow down processors; others are fans, modems, chargers, displays."""
_COUNTER = re.compile(r"throttle\.(.+)\.(core|package)_count")


def throttling(timeline: Timeline) -> dict[str, Any]:
    """``throttled``, the ``evidence`` as text, and ``throttling`` as data.

    ``throttled`` is None if no kind of evidence was available. ``throttling`` is ``watched``, the available kinds of
    evidence, and ``events``: the ``kind``, ``series`` and ``at_s`` of each evidence, in the same order;
    ``at_s`` is when it was first observed, in seconds since the recording began.
    """
    kinds = {
        "throttle-counter": [*_counters(timeline)], "firmware": [*_firmware(timeline)],
        "cooling-device": [*_cooling(timeline)], "frequency-cap": [*_caps(timeline)],
        "slowdown": [*_slowdown(timeline)],
    }  # fmt: skip
    watched = [kind for kind, found in kinds.items() if found]
    events = [{"kind": kind, **one} for kind in watched for one in kinds[kind] if one]
    evidence = [event.pop("text") for event in events]
    return {
        "throttled": bool(events) if watched else None,
        "evidence": evidence,
        "throttling": {"watched": watched, "events": events},
    }


# Each of these yields evidence or an empty dictionary for every series that it watches.


def _counters(timeline: Timeline) -> Iterator[dict[str, Any]]:
    for name, series in _timed(timeline, "throttle."):
        if match := _COUNTER.fullmatch(name):
            yield _raised(name, series, f"{match[2]} throttle counter of {match[1]}")


def _firmware(timeline: Timeline) -> Iterator[dict[str, Any]]:
    for name, series in _timed(timeline, "firmware."):
        what = name.removeprefix("firmware.").removesuffix("_flag").replace("_", " ")
        place = next((n for n, value in enumerate(series.values) if value > 0), None)
        yield {} if place is None else _evidence(name, series.times[place], f"the firmware says: {what}")


def _cooling(timeline: Timeline) -> Iterator[dict[str, Any]]:
    for name, series in _timed(timeline, "cooling."):
        kind = name.removeprefix("cooling.").removesuffix("_state")
        if _SLOWS.search(kind):
            yield _raised(name, series, f"cooling device {kind}")


def _caps(timeline: Timeline) -> Iterator[dict[str, Any]]:
    for name, series in _timed(timeline, "cap."):
        policy = name.removeprefix("cap.").removesuffix("_mhz")
        hardware = timeline.series.get(f"hardware.{policy}_mhz")
        if hardware is None:
            continue
        allowed = min(series.values[0], max(hardware.values)) * (1 - LEAST_CAP)
        place = next((n for n, value in enumerate(series.values) if value < allowed), None)
        if place is None:
            yield {}
            continue
        text = (
            f"the highest frequency of {policy} was lowered from {series.values[0]:.0f} to {min(series.values):.0f} MHz"
        )
        yield _evidence(name, series.times[place], text)


def _slowdown(timeline: Timeline) -> Iterator[dict[str, Any]]:
    """Frequency and speed fell while temperature rose, all three from the first fifth to the last."""
    window = timeline.inside()
    frequencies, temperatures = ([*_timed(timeline, f"{kind}.")] for kind in ("frequency", "temperature"))
    if window is None or not temperatures or len(timeline.answered.between(*window)) < LEAST_ROWS:
        return
    fifth = (window[1] - window[0]) / 5
    first, last = (window[0], window[0] + fifth), (window[1] - fifth, window[1])
    before, after = (_speed(timeline.answered.between(*part)) for part in (first, last))
    rises = {
        name: late - early
        for name, series in temperatures
        if (early := _mean(series, first)) is not None and (late := _mean(series, last)) is not None
    }
    warmest = max(rises, key=lambda name: rises[name], default=None)
    for name, series in frequencies:
        early, late = _mean(series, first), _mean(series, last)
        if early is None or late is None or before is None or after is None or warmest is None:
            continue
        if after >= before * (1 - SLOWER) or late >= early * (1 - FELL) or rises[warmest] < WARMER:
            yield {}
            continue
        what, sensor = (text.partition(".")[2].rpartition("_")[0] for text in (name, warmest))
        yield _evidence(
            name, last[0],
            f"from the first fifth to the last {what} fell from {early:.0f} to {late:.0f} MHz while {sensor} rose by "
            f"{rises[warmest]:.1f} °C and the speed went from {before:.4g} to {after:.4g} inferences/s",
        )  # fmt: skip


def _timed(timeline: Timeline, prefix: str) -> Iterator[tuple[str, Series]]:
    """The series of a kind within the timed run."""
    window = timeline.around()
    for name, series in timeline.series.items():
        if name.startswith(prefix) and (part := series.between(*window)):
            yield name, part


def _raised(name: str, series: Series, what: str) -> dict[str, Any]:
    first = series.values[0]
    place = next((n for n, value in enumerate(series.values) if value > first), None)
    if place is None:
        return {}
    return _evidence(name, series.times[place], f"{what} rose from {first:.0f} to {max(series.values):.0f}")


def _evidence(name: str, at_s: float, text: str) -> dict[str, Any]:
    return {"series": name, "at_s": at_s, "text": text}


def _speed(answered: Series) -> float | None:
    """Inferences per second."""
    if len(answered) < 2 or answered.times[-1] <= answered.times[0]:
        return None
    return (answered.values[-1] - answered.values[0]) / (answered.times[-1] - answered.times[0])


def _mean(series: Series, part: tuple[float, float]) -> float | None:
    found = series.between(*part)
    return found.mean() if found else None
