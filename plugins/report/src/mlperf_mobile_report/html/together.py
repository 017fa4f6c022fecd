"""Results beside each other: an overview, their latencies on one axis, ratios, and in what they differ."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from mlperf_mobile.errors import UsageError
from mlperf_mobile.performance_score import displayed
from mlperf_mobile.results.columns import accuracy_margin
from mlperf_mobile_report.compare.comparison import Comparison, compare
from mlperf_mobile_report.compare.differences import differences
from mlperf_mobile_report.compare.entry import ComparedResult
from mlperf_mobile_report.html.axis import Axis, drawable, linear, spread
from mlperf_mobile_report.html.chart import Chart, figure
from mlperf_mobile_report.html.markup import Markup, cut, details, element, join, milliseconds, number, shown, table
from mlperf_mobile_report.html.parts import verdict
from mlperf_mobile_report.html.sweep import sweeps
from mlperf_mobile_report.measures import ReportedResult
from mlperf_mobile_report.tables.comparisons import comparison_grids

_ON_CHART = ("min", "p50", "p90", "p99")
_SCORE = "score"
_NAME = 16


def overview(results: Sequence[ReportedResult]) -> Markup:
    """One row a result."""
    head = (
        "result", "verdict", "benchmark", "scenario", "swept", "on", "score", "p50, ms", "p90, ms", "p99, ms",
        "samples/s", "accuracy", "margin to target", "throttled", "among official results",
    )  # fmt: skip
    rows = [_row(one) for one in results]
    used = [n for n in range(len(head)) if n < 2 or any(row[n] not in ("", number(None)) for row in rows)]
    return table("All results", [head[n] for n in used], [[row[n] for n in used] for row in rows], wide=True)


def _row(one: ReportedResult) -> list[object]:
    result, timed = one.result, one.result.performance
    latency = timed.latency_ns if timed else {}
    above = accuracy_margin(one.result)
    functional = element("strong", " · FUNCTIONAL ONLY", class_="care") if result.functional_only else ""
    accuracy, throttled = result.accuracy, str((result.telemetry or {}).get("throttled"))
    reached = {True: " ✓", False: " ✗"}.get(accuracy.passed, "") if accuracy and accuracy.passed is not None else ""
    return [
        element("a", one.name, href=f"#{one.key}"), element("span", verdict(result), functional),
        cut(result.benchmark, 60), cut(result.scenario, 40), cut(result.swept_text, 80), cut(one.entry.runs_on, 80),
        cut(f"{one.entry.text}, {one.entry.score.name}", 120) if one.entry.score else "",
        *(milliseconds(latency.get(name)) for name in ("p50", "p90", "p99")),
        number(timed.throughput if timed else None),
        f"{cut(accuracy.metric, 40)} {shown(accuracy.value)}" if accuracy else "",
        f"{above:+.4g}{reached}" if above is not None else "", {"True": "YES", "False": "no"}.get(throttled, ""),
        f"place {one.standing.place} of {one.standing.of + 1}" if one.standing else "",
    ]  # fmt: skip


def charts(results: Sequence[ReportedResult]) -> Markup | None:
    """A chart for each benchmark, scenario and kind of score that several results have."""
    groups: dict[tuple[object, ...], list[ReportedResult]] = {}
    for one in results:
        if one.entry.score and drawable(one.entry.score.value * displayed(one.entry.score.unit)[0]):
            key = (one.result.benchmark, one.result.scenario, one.entry.score.kind)
            groups.setdefault(key, []).append(one)
    found = [_chart(f"all-{place}", group) for place, group in enumerate(groups.values()) if len(group) > 1]
    return element("div", *found, class_="charts") if found else None


def _chart(key: str, group: Sequence[ReportedResult]) -> Markup:
    """Latencies as spans with the score's percentile at their end; other scores as bars from zero."""
    score, count = group[0].entry.score, len(group)
    assert score is not None
    by_latency = group[0].entry.percentile is not None
    unit = cut(displayed(score.unit)[1], 24)
    rows = [one.name if len(one.name) <= _NAME else f"{one.name[: _NAME - 1]}…" for one in group]
    y = Axis("", -0.5, count - 0.5, tuple(float(count - 1 - n) for n in range(count)))
    spans = [_span(one) for one in group]
    values = [value for span in spans for value in span.values()]
    x = spread("latency, ms", min(values), max(values)) if by_latency else linear(unit, 0.0, max(values))
    title = f"{cut(group[0].result.benchmark, 60)}, {cut(group[0].result.scenario, 40)}"
    caption = "; ".join(f"{one.name} {one.entry.text}" for one in group)
    chart = Chart(key, title, f"{cut(score.name, 60).capitalize()} of {count} results: {caption}", x, y, rows=rows)
    for tick, one, span in zip(y.ticks, group, spans, strict=True):
        style = "claimless" if one.entry.refused else "bar"
        value = span[_SCORE]
        chart.beside(tick, number(value, 4).text)
        if not by_latency:
            chart.bar((0.0, tick - 0.28), (value, tick + 0.28), style)
            continue
        low, high = span.get("min", value), max(value, span.get("p99", value))
        chart.bar((min(low, high), tick - 0.03), (high, tick + 0.03), "span")
        middle = span.get("p50", value)
        chart.bar((min(middle, value), tick - 0.28), (max(middle, value), tick + 0.28), style)
    mine = f"p{score.percentile * 100:g}" if score.percentile else ""
    how = f" The bar goes from p50 to {mine}, the thin line from the least to p99; the number is {mine}."
    how = how if by_latency else ""
    claim = " An empty bar makes no claim about speed." if any(one.entry.refused for one in group) else ""
    names = (*_ON_CHART, _SCORE) if by_latency else (_SCORE,)
    head = ("result", *(f"{cut(score.name, 60) if name == _SCORE else name}, {unit}" for name in names))
    data = [(one.name, *(number(span.get(name), 5) for name in names)) for one, span in zip(group, spans, strict=True)]
    return figure(title, chart.svg(), note=f"{how}{claim}".strip(), data=table(title, head, data))


def _span(one: ReportedResult) -> dict[str, float]:
    """The score by :data:`_SCORE` in the unit that people see; of a percentile also its neighbours by name."""
    performance, score = one.result.performance, one.entry.score
    assert performance is not None
    assert score is not None
    found = {_SCORE: score.value * displayed(score.unit)[0]}
    if one.entry.percentile is not None:
        found |= {name: performance.latency_ns.get(name, math.nan) / 1e6 for name in _ON_CHART}
    return {name: value for name, value in found.items() if drawable(value)}


def compared(entries: Sequence[ComparedResult], warnings: Sequence[str]) -> list[Markup]:
    """Ratios of time with their intervals, against the first result of each benchmark, and what to keep in mind."""
    try:
        comparison: Comparison | None = compare(entries, warnings=warnings)
    except UsageError:  # each is of another benchmark
        comparison = None
    remarks = comparison.warnings if comparison else warnings
    parts = [
        table(each.title, [name.lower() for name in each.head], each.rows, wide=True)
        for each in (comparison_grids(comparison) if comparison else ())
    ]
    if remarks:
        parts.append(element("ul", *(element("li", cut(text)) for text in remarks[:50])))
    return parts


def facts(results: Sequence[ReportedResult]) -> list[Markup]:
    """What was run on what, a row a fact and a column a result: what differs, and then what is the same everywhere."""
    entries = [one.entry for one in results]
    different = [each.name for each in differences(entries)]
    names = dict.fromkeys(name for entry in entries for name in entry.facts)
    head = ("fact", *(one.name for one in results))
    parts = []
    if different:
        rows = [_facts(f"≠ {name}", name, entries) for name in different]
        parts.append(table("What differs", head, rows, wide=True, marked=range(len(rows))))
    else:
        parts.append(element("p", "Model, settings, versions and environment are the same everywhere."))
    rest = [_facts(name, name, entries) for name in names if name not in set(different)]
    parts.append(
        details(f"{len(rest)} other facts", table("Same everywhere, or always changing", head, rest, wide=True))
    )
    return parts


def _facts(title: str, name: str, entries: Iterable[ComparedResult]) -> tuple[str, ...]:
    return (title, *(cut(shown(entry.facts.get(name)), 120) for entry in entries))


def section(results: Sequence[ReportedResult], entries: Sequence[ComparedResult], warnings: Sequence[str]) -> Markup:
    """All of it; of one result, what is to be kept in mind alone."""
    if len(entries) < 2:
        return element("ul", *(element("li", cut(text)) for text in warnings[:50])) if warnings else Markup()
    parts: list[Markup | None] = [element("h2", "Overview", id="overview"), overview(results)]
    if swept := sweeps(results):
        parts += [element("h3", "Sweep"), swept]
    parts += [charts(results), element("h3", "Compared"), *compared(entries, warnings)]
    if len(results) > 1:
        parts += [element("h3", "Model, settings, versions, environment"), *facts(results)]
    return element("section", join(part for part in parts if part is not None), aria_labelledby="overview")
