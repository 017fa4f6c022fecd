"""Charts of a run's latencies: their distribution, and their course over time."""

from __future__ import annotations

from array import array
from collections.abc import Mapping

import numpy as np

from mlperf_mobile_report.html.axis import Axis, linear, spread
from mlperf_mobile_report.html.chart import COLUMNS, Chart, figure
from mlperf_mobile_report.html.markup import Markup, element, milliseconds, number, table
from mlperf_mobile_report.html.reduce import Column, Floats, envelope

BINS = 60
WINDOWS = 20
"""Rows of the table beside a chart over time."""
_HEADROOM = 1.3
"""Above the highest bar, for the names of the percentiles."""
_MARKED = ("p50", "p90", "p99")
_SEQUENTIAL_SHARE = 0.9, 1.001
"""Of the run's duration: latencies whose sum lies between these follow one another, and their sum is the time."""


def figures(
    key: str, latencies_ns: array[int], percentiles: Mapping[str, float], *, one_query: bool, duration_s: float
) -> list[Markup]:
    """The charts of one run.

    Args:
        key: Makes the ids on the page unique.
        latencies_ns: In order of completion.
        percentiles: ``p50 p90 p99`` as the result has them, in nanoseconds.
        one_query: Whether all latencies are of the samples of one query, since its issue.
        duration_s: Of the timed region.
    """
    values = np.frombuffer(latencies_ns, dtype=np.int64).astype(np.float64) if latencies_ns else np.empty(0)
    if len(values) < 2:
        return []
    if one_query:
        strange = values.min() < 0 or values.max() <= 0
        return [
            element("p", "Some latencies are not positive, so none are drawn.")
            if strange
            else _completions(key, values)
        ]
    unit = _unit(values)
    return [_distribution(key, values / unit[0], unit, percentiles), _over_time(key, values, unit, duration_s)]


def _unit(values: Floats) -> tuple[float, str]:
    """Nanoseconds of a unit that suits the median, and its name."""
    middle = float(np.median(values))
    return (1e9, "s") if middle >= 2e9 else (1e6, "ms") if middle >= 1e4 else (1e3, "µs")


def _distribution(key: str, values: Floats, unit: tuple[float, str], percentiles: Mapping[str, float]) -> Markup:
    x = spread(f"latency, {unit[1]}", float(values.min()), float(values.max()))
    edges = np.geomspace(x.low, x.high, BINS + 1) if x.log else np.linspace(x.low, x.high, BINS + 1)
    edges[0], edges[-1] = min(edges[0], values.min()), max(edges[-1], values.max())
    counts = np.histogram(values, edges)[0]
    y = linear("latencies in each bar", 0.0, float(counts.max()) * _HEADROOM)
    marked = {name: percentiles[name] / unit[0] for name in _MARKED if name in percentiles}
    marks = {name: value for name, value in marked.items() if x.low <= value <= x.high}
    chart = Chart(
        f"{key}-distribution", "Distribution of latencies",
        f"Histogram of {len(values):,} latencies from {values.min():.4g} to {values.max():.4g} {unit[1]}"
        + "".join(f", {name} {value:.4g}" for name, value in marks.items()),
        x, y,
    )  # fmt: skip
    for left, right, count in zip(edges[:-1], edges[1:], counts, strict=True):
        if count:
            chart.bar((float(left), 0.0), (float(right), float(count)))
    for row, (name, value) in enumerate(marks.items()):
        chart.upright(value, f"{name} {value:.4g}", row)
    rows = [
        (f"{left:.5g} to {right:.5g}", number(float(count)))
        for left, right, count in zip(edges[:-1], edges[1:], counts, strict=True)
        if count
    ]
    scale = " The axis goes by powers of ten, and so do the bars' widths." if x.log else ""
    return figure(
        "Distribution of latencies", chart.svg(),
        note=f"{len(values):,} latencies in {BINS} bars; a single one still gives a bar one pixel high.{scale}",
        data=table("Latencies in each bar", (f"latency, {unit[1]}", "latencies"), rows),
    )  # fmt: skip


def _over_time(key: str, values: Floats, unit_name: tuple[float, str], duration_s: float) -> Markup:
    unit, name = unit_name
    least, most = (share * duration_s * 1e9 for share in _SEQUENTIAL_SHARE)
    timed = values.min() > 0 and least <= float(values.sum()) <= most
    places = np.cumsum(values) / 1e9 if timed else np.arange(1.0, len(values) + 1)
    x = linear("seconds, as the sum of the latencies so far" if timed else "sample number", 0.0,
               float(places[-1]), widen=False)  # fmt: skip
    y = spread(f"latency, {name}", float(values.min()) / unit, float(values.max()) / unit)
    columns = envelope(places, values / unit, COLUMNS)
    many = len(values) > 2 * COLUMNS
    chart = Chart(
        f"{key}-time", "Latency over time",
        f"{len(values):,} latencies in order: median {columns[0].median:.4g} {name} at the beginning, "
        f"{columns[-1].median:.4g} {name} at the end, between {values.min() / unit:.4g} and {values.max() / unit:.4g}",
        x, y,
    )  # fmt: skip
    if many:
        chart.band([(c.at, c.least) for c in columns], [(c.at, c.greatest) for c in columns])
        chart.median((c.at, c.median) for c in columns)
        note = (
            f"{len(values):,} latencies in {len(columns)} columns: the area spans minimum to maximum of "
            "each column, the line through their medians."
        )
    else:
        chart.line(zip(places.tolist(), (values / unit).tolist(), strict=True))
        note = f"All {len(values):,} latencies are drawn."
    first = "until, s" if timed else "until sample"
    head = (first, "latencies", f"minimum, {name}", f"median, {name}", f"maximum, {name}")
    data = _windows(head, envelope(places, values / unit, WINDOWS))
    return figure("Latency over time", chart.svg(), note=note, data=data)


def _windows(head: tuple[str, ...], columns: list[Column]) -> Markup:
    half = columns[0].at if len(columns) > 1 else 0.0
    rows = [
        (number(column.at + half, 4), number(float(column.count)),
         *(number(value, 5) for value in (column.least, column.median, column.greatest)))
        for column in columns
    ]  # fmt: skip
    return table("Latencies over time", head, rows)


def _completions(key: str, values: Floats) -> Markup:
    """Of one query, a latency is when a sample was done: how many were done in each part of the time."""
    ordered = np.sort(values) / 1e9
    x = linear("seconds since the query", 0.0, float(ordered[-1]), widen=False)
    edges = np.linspace(0.0, float(ordered[-1]), WINDOWS + 1)
    counts = np.histogram(ordered, edges)[0]
    rates = counts / np.diff(edges)
    y: Axis = linear("samples/s", 0.0, float(rates.max()))
    chart = Chart(
        f"{key}-completions", "Throughput over time",
        f"{len(values):,} samples in {ordered[-1]:.4g} seconds: {rates[0]:.4g} samples/s in the first twentieth of the "
        f"time, {rates[-1]:.4g} in the last",
        x, y,
    )  # fmt: skip
    for left, right, rate in zip(edges[:-1], edges[1:], rates, strict=True):
        if rate > 0:
            chart.bar((float(left), 0.0), (float(right), float(rate)))
    rows = [
        (number(float(right), 4), number(float(count)), number(float(rate), 5))
        for right, count, rate in zip(edges[1:], counts, rates, strict=True)
    ]
    return figure(
        "Throughput over time", chart.svg(),
        note=f"{len(values):,} samples by completion time, in {WINDOWS} equal intervals.",
        data=table("Samples answered over time", ("until, s", "samples", "samples/s"), rows),
    )  # fmt: skip


def percentile_table(
    latency_ns: Mapping[str, float], intervals: Mapping[str, tuple[float | None, float | None]]
) -> Markup:
    """Every number that the result has about its latencies.

    Args:
        latency_ns: By name, in nanoseconds.
        intervals: 95 % confidence intervals of some of them, in nanoseconds.
    """
    rows = []
    for name, value in latency_ns.items():
        low, high = intervals.get(name, (None, None))
        span = f"{milliseconds(low).text} to {milliseconds(high).text}" if name in intervals else ""
        rows.append((name.replace("p99_9", "p99.9").replace("_", " "), milliseconds(value), span))
    head = ("latency", "ms", "95 % interval, ms") if intervals else ("latency", "ms")
    return table("Latency", head, [row[: len(head)] for row in rows])
