"""Charts of what the device did during a run: temperature, frequency, power, speed, over the run's own time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from mlperf_mobile.results.parts import TelemetryFacts
from mlperf_mobile.telemetry.timeline import Series, Timeline
from mlperf_mobile_report.html.axis import linear
from mlperf_mobile_report.html.chart import COLUMNS, SERIES, Chart, figure
from mlperf_mobile_report.html.markup import Markup, cut, number, shown, table
from mlperf_mobile_report.html.reduce import extremes

_ROWS = 20
_LEAST_S = 1e-4
"""Between two values of a counter whose rate means something."""
_NAME = 40
_FROM_ZERO = ("W", "samples/s", "processes")


@dataclass(frozen=True, slots=True)
class _Line:
    name: str
    series: Series


def figures(key: str, timeline: Timeline, summary: TelemetryFacts) -> list[Markup]:
    """A chart for each kind of series that was recorded; none for an empty recording.

    Args:
        key: Makes the ids on the page unique.
        timeline: The recording.
        summary: What the result says about it; evidence of throttling is marked.
    """
    if len(timeline.answered) < 2:
        return []
    start, end = timeline.around()
    events = _events(summary, start)
    kinds = (
        ("Temperature", "°C", _named(timeline, ("temperature.", "battery."), "_celsius")),
        ("Frequency", "MHz", _named(timeline, ("frequency.",), "_mhz")),
        ("Power", "W", [*_power(timeline)]),
        (
            "Speed",
            "samples/s",
            [_Line("answered samples", _rate(timeline.answered.between(*(timeline.inside() or (0.0, 0.0)))))],
        ),
        ("Battery level", "%", _named(timeline, ("battery.",), "_percent")),
        ("Load", "processes", _named(timeline, ("load.",), "_processes")),
    )
    return [
        _figure(f"{key}-device{place}", (what, unit), lines, (start, end), events)
        for place, (what, unit, found) in enumerate(kinds)
        if (lines := [line for line in found if len(line.series) > 1])
    ]


def _named(timeline: Timeline, prefixes: tuple[str, ...], suffix: str) -> list[_Line]:
    return [
        _Line(name.partition(".")[2].removesuffix(suffix), series)
        for name, series in timeline.series.items()
        if name.startswith(prefixes) and name.endswith(suffix)
    ]


def _power(timeline: Timeline) -> Iterator[_Line]:
    for name, series in timeline.series.items():
        if name.startswith("energy.") and name.endswith("_joules"):
            yield _Line(name.removeprefix("energy.").removesuffix("_joules"), _rate(series))
        elif name.startswith("battery.") and name.endswith("_watts"):
            watts = type(series.values)("d", map(abs, series.values))  # drivers do not agree on the sign
            yield _Line(name.removesuffix("_watts"), Series(series.times, watts))


def _rate(series: Series) -> Series:
    """Change for each second, over the intervals between the values."""
    found = Series()
    for (before, low), (after, high) in pairwise(zip(series.times, series.values, strict=True)):
        if after - before > _LEAST_S:
            found.times.append(after)
            found.values.append((high - low) / (after - before))
    return found


def _events(summary: TelemetryFacts, start: float) -> list[tuple[float, str]]:
    events = summary.throttling.events if summary.throttling else []
    return [
        (event.at_s - start, cut(event.kind, 24))
        for event in events[:3]
        if event.at_s is not None and abs(event.at_s) < 1e9
    ]


def _figure(
    key: str, title: tuple[str, str], lines: Sequence[_Line], window: tuple[float, float],
    events: Sequence[tuple[float, str]],
) -> Markup:  # fmt: skip
    """The lines that reach highest; the others are counted."""
    start, end = window
    drawn = sorted(lines, key=lambda line: -max(line.series.values))[:SERIES]
    what, unit = title
    values = [value for line in drawn for value in (min(line.series.values), max(line.series.values))]
    first, last = (of(line.series.times[place] for line in drawn) for of, place in ((min, 0), (max, -1)))
    x = linear("seconds since the clock was started", first - start, max(last, first + 0.001) - start, widen=False)
    y = linear(unit, min([*values, 0.0] if unit in _FROM_ZERO else values), max(values))
    caption = "; ".join(
        f"{cut(line.name, _NAME)} from {line.series.values[0]:.4g} to {line.series.values[-1]:.4g}, "
        f"at most {max(line.series.values):.4g}"
        for line in drawn
    )
    chart = Chart(key, f"{what} over time", f"{what} in {unit}: {caption}", x, y)
    chart.bar((max(x.low, 0.0), y.low), (min(x.high, end - start), y.high), "timed")
    for style, line in enumerate(drawn, 1):
        times = [time - start for time in line.series.times]
        chart.line(extremes(times, line.series.values, COLUMNS), style)
    for row, (at, kind) in enumerate(events):
        chart.upright(at, kind, row)
    left = len(lines) - len(drawn)
    note = "The shaded part is the timed run." + (f" {left} lower series are left out." if left else "")
    names = [cut(line.name, _NAME) for line in drawn]
    name = f"{what}, {unit}"
    return figure(name, chart.svg(), note=note, legend=names, data=_numbers(name, drawn, start, x.high))


def _numbers(title: str, lines: Sequence[_Line], start: float, end: float) -> Markup:
    """Each series at some moments, the same for all."""
    first = min(line.series.times[0] for line in lines) - start
    moments = [first + (end - first) * n / (_ROWS - 1) for n in range(_ROWS)]
    rows = [(number(moment, 4), *(_at(line.series, moment + start) for line in lines)) for moment in moments]
    return table(title, ("s", *(cut(line.name, _NAME) for line in lines)), rows)


def _at(series: Series, time: float) -> object:
    try:
        return number(series.at(time + 1e-6), 5)
    except IndexError:
        return ""


def summary_rows(summary: TelemetryFacts) -> list[tuple[str, object]]:
    """The recording in words."""
    rows: list[tuple[str, object]] = []
    unknown = "not known: nothing here could have shown it"
    rows.append(("throttled", unknown if summary.throttled is None else shown(summary.throttled)))
    if heat := summary.temperature:
        degrees = " → ".join(shown(value) for value in (heat.first_celsius, heat.max_celsius, heat.last_celsius))
        rows.append(("hottest sensor", f"{cut(heat.sensor)}: {degrees} °C (first, highest, last)"))
    for source in summary.energy[:20]:
        used = f"{shown(source.joules_per_inference)} J per inference, {shown(source.watts)} W"
        rows.append((f"energy by {cut(source.source)}", f"{used}; {cut(source.includes)}"))
    power = {True: "connected", False: "on battery", None: "not known"}[summary.external_power]
    rows.append(("external power", power))
    if summary.battery_drop_percent is not None:
        rows.append(("battery", f"{shown(summary.battery_drop_percent)} % less at the end"))
    rows.append(("recorded", f"{summary.rows} rows, one in {shown(summary.interval_s)} s at first"))
    if summary.trouble:
        rows.append(("trouble", cut(summary.trouble)))
    return rows
