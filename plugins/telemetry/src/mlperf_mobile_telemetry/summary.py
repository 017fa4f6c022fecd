"""The summary of a recording, for the result."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mlperf_mobile_telemetry.energy import battery_names, energies
from mlperf_mobile_telemetry.throttling import throttling
from mlperf_mobile_telemetry.timeline import Series, Timeline


def of(timeline: Timeline, lengths: Sequence[int] = ()) -> dict[str, Any]:
    """The summary of the recording of the timed run; ``lengths`` are the tokens of a language model's answers.

    ``series`` has ``min``, ``mean`` (by time), ``max``, ``first`` and ``last`` of every series; ``temperature`` is the
    hottest sensor; ``battery_drop_percent`` is the largest of any battery; ``external_power`` is whether it was
    connected at any time, or None. See :func:`~mlperf_mobile_telemetry.energy.energies` for ``energy``,
    and :func:`~mlperf_mobile_telemetry.throttling.throttling` for ``throttled``, ``evidence`` and ``throttling``.
    """
    start, end = timeline.around()
    parts = {name: series.between(start, end) for name, series in timeline.series.items()}
    external = parts.get("power.external_flag")
    series = {name: _numbers(part) for name, part in sorted(parts.items()) if part}
    trouble = {"trouble": timeline.trouble} if timeline.trouble else {}
    return {
        "interval_s": timeline.interval_s,
        "rows": len(timeline.answered.between(start, end)),
        "duration_s": round(end - start, 3),
        "temperature": _hottest(series),
        "battery_drop_percent": _drop(timeline, series),
        "external_power": any(external.values) if external else None,
        "energy": energies(timeline, lengths),
        **throttling(timeline),
        "series": series,
        **trouble,
    }


def _numbers(part: Series) -> dict[str, float]:
    values = part.values
    found = {"min": min(values), "mean": part.mean(), "max": max(values), "first": values[0], "last": values[-1]}
    return {name: round(value, 6) for name, value in found.items()}


def _hottest(series: dict[str, dict[str, float]]) -> dict[str, Any] | None:
    """The hottest sensor; that of a battery only if there is no other."""
    heat = {name: numbers for name, numbers in series.items() if name.startswith("temperature.")}
    heat = heat or {name: n for name, n in series.items() if name.startswith("battery.") and name.endswith("_celsius")}
    if not heat:
        return None
    name = max(heat, key=lambda name: heat[name]["max"])
    degrees = {f"{key}_celsius": heat[name][key] for key in ("first", "max", "last")}
    return {"sensor": name.partition(".")[2].removesuffix("_celsius"), **degrees}


def _drop(timeline: Timeline, series: dict[str, dict[str, float]]) -> float | None:
    levels = [series[key] for name in battery_names(timeline) if (key := f"battery.{name}_percent") in series]
    return max((numbers["first"] - numbers["last"] for numbers in levels), default=None)
