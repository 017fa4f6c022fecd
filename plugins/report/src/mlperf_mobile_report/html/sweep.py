"""Sweeps on the page: the score against a swept number, a line for each combination of the others, and a table."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mlperf_mobile.performance_score import displayed
from mlperf_mobile_report.html.axis import drawable, linear, spread
from mlperf_mobile_report.html.chart import SERIES, Chart, figure
from mlperf_mobile_report.html.markup import Markup, cut, element, join, number, table
from mlperf_mobile_report.measures import ReportedResult

_NAME = 60

Values = Mapping[str, object]
"""One combination of swept values, by key."""


def sweeps(results: Sequence[ReportedResult]) -> Markup | None:
    """A chart and a table for each benchmark, scenario and kind of score with swept settings; None without any."""
    groups: dict[tuple[object, ...], list[ReportedResult]] = {}
    for one in results:
        score = one.entry.score
        if one.result.swept and score and drawable(score.value * displayed(score.unit)[0]):
            key = one.result.benchmark, one.result.scenario, score.kind, tuple(one.result.swept)
            groups.setdefault(key, []).append(one)
    parts = [part for place, group in enumerate(groups.values()) for part in _sweep(f"sweep-{place}", group)]
    return element("div", join(parts), class_="sweeps") if parts else None


def _sweep(key: str, group: Sequence[ReportedResult]) -> list[Markup]:
    points = _points(group)
    if len(points) < 2:
        return []
    score = group[0].entry.score
    assert score is not None
    unit = cut(displayed(score.unit)[1], 24)
    names = list(group[0].result.swept)
    title = f"{cut(group[0].result.benchmark, 60)}, {cut(group[0].result.scenario, 40)}"
    head = [*(cut(name, _NAME) for name in names), f"{cut(score.name, 60)}, {unit}", "least", "largest", "runs", ""]
    rows = [
        [*(cut(str(point.values[name]), _NAME) for name in names), number(statistics.median(point.scores)),
         number(min(point.scores)), number(max(point.scores)), str(len(point.scores)),
         "" if point.claims else "no claim about speed"]
        for point in points
    ]  # fmt: skip
    numbers = table(f"{title}: medians", head, rows, wide=True)
    along = next((name for name in names if len(_numbers(points, name)) > 1), None)
    return [numbers] if along is None else [_chart(key, title, cut(score.name, 60), unit, along, points), numbers]


@dataclass(frozen=True, slots=True)
class _Point:
    """One combination of swept values, with its scores in the unit that people see."""

    values: Values
    scores: tuple[float, ...]
    """Of the runs with a claim about speed; of all runs if none has one."""
    claims: bool


def _points(group: Sequence[ReportedResult]) -> list[_Point]:
    found: dict[str, list[ReportedResult]] = {}
    for one in group:
        found.setdefault(one.result.swept_text, []).append(one)
    points = []
    for runs in found.values():
        claiming = [one for one in runs if not one.entry.refused]
        scores = [(one.entry.score.value, one.entry.score.unit) for one in claiming or runs if one.entry.score]
        shown = tuple(value * displayed(unit)[0] for value, unit in scores)
        points.append(_Point(runs[0].result.swept, shown, bool(claiming)))
    return points


def _numbers(points: Sequence[_Point], name: str) -> set[float]:
    """The values of a setting if all of them are numbers that an axis can show; else empty."""
    values = [point.values[name] for point in points]
    if not all(isinstance(each, int | float) and not isinstance(each, bool) and drawable(each) for each in values):
        return set()
    return {float(str(each)) for each in values}


def _chart(key: str, title: str, score: str, unit: str, along: str, points: Sequence[_Point]) -> Markup:
    lines: dict[str, list[tuple[float, float]]] = {}
    for point in points:
        name = ", ".join(f"{other}={value}" for other, value in point.values.items() if other != along)
        lines.setdefault(name, []).append((float(str(point.values[along])), statistics.median(point.scores)))
    drawn = dict(list(lines.items())[:SERIES])
    every = [place for line in drawn.values() for place in line]
    across, up = ([place[axis] for place in every] for axis in (0, 1))
    x, y = spread(cut(along, 30), min(across), max(across)), linear(f"{score}, {unit}", 0.0, max(up))
    chart = Chart(key, f"{title}: {along}", f"{score} against {along}", x, y)
    for style, line in enumerate(drawn.values(), 1):
        chart.line(sorted(line), style)
    left = f"{len(lines) - SERIES} more lines are in the table only. " if len(lines) > SERIES else ""
    claims = (
        "" if all(point.claims for point in points) else " Some combinations make no claim about speed: see the table."
    )
    note = f"{left}Each point is the median of the runs of one combination.{claims}"
    legend = [cut(name, _NAME) for name in drawn] if len(drawn) > 1 else []
    return figure(f"{title}: {score} against {cut(along, 30)}", chart.svg(), note=note, legend=legend)
