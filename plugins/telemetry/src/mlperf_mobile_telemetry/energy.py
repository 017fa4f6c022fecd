"""The energy of the timed run by each source, and what each source includes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from mlperf_mobile_telemetry.timeline import Series, Timeline

LEAST_WATTS = 0.05
"""A battery with less power than this under load reports its current in a wrong unit."""

_RAPL, _PLUGIN, _BATTERY = "energy.rapl.", "energy.plugin.", "battery."


def energies(timeline: Timeline, lengths: Sequence[int] = ()) -> list[dict[str, Any]]:
    """The energy by each source, while the timed run was certainly in progress; empty without a source.

    Each is ``source``, ``includes``, ``joules``, ``seconds``, ``watts``, ``inferences``, ``joules_per_inference``.
    Only complete intervals between two rows within the timed region count, with the inferences completed in them. For
    a language model also ``tokens``, those of the answers completed in them, and ``joules_per_token``.

    Args:
        timeline: The recording.
        lengths: Tokens of each answer of a language model, in order of completion.
    """
    window = timeline.inside()
    if window is None:
        return []
    found = []
    for source, includes, joules in _sources(timeline, *window):
        if len(joules) < 2 or min(joules.values) < 0:
            continue
        start, end = joules.times[0], joules.times[-1]
        first, last = timeline.answered.at(start), timeline.answered.at(end)
        inferences = last - first
        used, seconds = joules.values[-1] - joules.values[0], end - start
        if used <= 0 or inferences <= 0 or seconds <= 0:
            continue
        found.append({
            "source": source, "includes": includes, "joules": used, "seconds": seconds, "watts": used / seconds,
            "inferences": int(inferences), "joules_per_inference": used / inferences,
        } | _per_token(used, lengths, int(first), int(last)))  # fmt: skip
    return found


def _per_token(joules: float, lengths: Sequence[int], first: int, last: int) -> dict[str, Any]:
    """The energy of a token of the answers from ``first`` to ``last``; nothing if their lengths are not known."""
    tokens = sum(lengths[first:last]) if last <= len(lengths) else 0
    return {"tokens": tokens, "joules_per_token": joules / tokens} if tokens > 0 else {}


def _sources(timeline: Timeline, start: float, end: float) -> Iterator[tuple[str, str, Series]]:
    """Name, contents and cumulative joules of every source."""
    joules = {
        name.removesuffix("_joules"): series.between(start, end)
        for name, series in timeline.series.items()
        if name.endswith("_joules")
    }
    for name, series in joules.items():
        if name.startswith(_PLUGIN):
            counter = name.removeprefix(_PLUGIN)
            yield f"plugin {counter}", timeline.energy_includes.get(counter, "unknown"), series
    packages = {
        name.removeprefix(_RAPL): series for name, series in joules.items() if name.startswith(f"{_RAPL}package-")
    }
    whole = {name: series for name, series in packages.items() if "." not in name}
    if whole:
        yield "RAPL", f"processor packages ({', '.join(whole)}): cores, caches, graphics; no memory", _sum(whole)
    for name, series in packages.items():
        if name.endswith(".dram"):
            yield "RAPL", f"memory of {name.removesuffix('.dram')}", series
    if (platform := joules.get(f"{_RAPL}psys")) is not None:
        yield "RAPL", "the platform (psys)", platform
    yield from _batteries(timeline, start, end)


def _sum(parts: dict[str, Series]) -> Series:
    """The sum, at the times that all parts have."""
    first, *others = parts.values()
    held = [dict(zip(other.times, other.values, strict=True)) for other in others]
    summed = Series()
    for time, value in zip(first.times, first.values, strict=True):
        if all(time in other for other in held):
            summed.times.append(time)
            summed.values.append(value + sum(other[time] for other in held))
    return summed


def _batteries(timeline: Timeline, start: float, end: float) -> Iterator[tuple[str, str, Series]]:
    """The whole device, if batteries were its only supply all the time."""
    discharging = timeline.series.get("battery.discharging_flag", Series()).between(start, end)
    external = timeline.series.get("power.external_flag", Series()).between(start, end)
    if not discharging or 0.0 in discharging.values or 1.0 in external.values:
        return
    watts = {}
    for name in battery_names(timeline):
        series = _watts(timeline, name)
        if series is None:
            return
        watts[name] = series.between(start, end)
    if not watts:
        return
    total = _sum(watts)
    if len(total) < 2 or total.mean() < LEAST_WATTS:
        return
    yield "battery", f"the whole device, with its display ({', '.join(watts)})", total.integral()


def battery_names(timeline: Timeline) -> list[str]:
    """The batteries that report a level. Android's ``battery`` includes all others, which would be counted twice."""
    names = [
        name.removeprefix(_BATTERY).removesuffix("_percent")
        for name in timeline.series
        if name.startswith(_BATTERY) and name.endswith("_percent")
    ]
    return ["battery"] if "battery" in names else names


def _watts(timeline: Timeline, battery: str) -> Series | None:
    """Power as reported, or voltage times current; the sign differs between drivers."""
    power = timeline.series.get(f"{_BATTERY}{battery}_watts")
    if power is not None:
        return Series(power.times, type(power.values)("d", map(abs, power.values)))
    current, voltage = (timeline.series.get(f"{_BATTERY}{battery}_{unit}") for unit in ("amperes", "volts"))
    if current is None or voltage is None:
        return None
    volts = dict(zip(voltage.times, voltage.values, strict=True))
    watts = Series()
    for time, amperes in zip(current.times, current.values, strict=True):
        if time in volts:
            watts.times.append(time)
            watts.values.append(abs(amperes) * volts[time])
    return watts
