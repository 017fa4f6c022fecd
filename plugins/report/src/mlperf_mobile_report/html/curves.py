"""Draws charts that a scenario describes: numbers against another number, such as rates against lengths."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice

from mlperf_mobile.contracts import Curves
from mlperf_mobile_report.html.axis import drawable, linear, spread
from mlperf_mobile_report.html.chart import SERIES, Chart, figure
from mlperf_mobile_report.html.markup import Markup, cut, number, table

_NAME = 40
_MOST_CHARTS, _MOST_POINTS = 20, 1000

_Line = tuple[str, Sequence[tuple[float, float]]]


def figures(key: str, charts: Iterable[Curves]) -> list[Markup]:
    """A chart for each of the curves that has a line of two points.

    Args:
        key: Makes the ids on the page unique.
        charts: What a scenario describes.
    """
    found = []
    for place, curves in enumerate(islice(charts, _MOST_CHARTS)):
        lines = [*_lines(curves)]
        if any(len(points) > 1 for _, points in lines):
            found.append(_figure(f"{key}-{place}", curves, lines))
    return found


def _lines(curves: Curves) -> Iterable[_Line]:
    """The points that can be drawn: others, such as infinities, are left out."""
    for name, points in curves.lines.items():
        drawn = sorted((x, y) for x, y in islice(points, _MOST_POINTS) if drawable(x) and drawable(y))
        if drawn:
            yield cut(str(name), _NAME), drawn


def _figure(key: str, curves: Curves, lines: Sequence[_Line]) -> Markup:
    what, along, unit = (cut(text, _NAME) for text in (curves.title, curves.along, curves.unit))
    drawn = lines[:SERIES]
    every = [point for _, points in drawn for point in points]
    x = spread(along, min(x for x, _ in every), max(x for x, _ in every))
    y = linear(unit, 0.0, max(y for _, y in every))
    words = "; ".join(
        f"{name} from {points[0][1]:.4g} at {points[0][0]:.6g} to {points[-1][1]:.4g} at {points[-1][0]:.6g}"
        for name, points in drawn
    )
    chart = Chart(key, f"{what} against {along}", f"{what} in {unit}: {words}", x, y)
    for style, (_, points) in enumerate(drawn, 1):
        chart.line(points, style)
    left = len(lines) - len(drawn)
    title = f"{what}, {unit}"
    rows = [(name, number(x), number(y, 5)) for name, points in lines for x, y in points]
    return figure(
        title, chart.svg(), note=f"{left} more lines are in the table only." if left else "",
        legend=[name for name, _ in drawn] if len(lines) > 1 else [], data=table(title, ("line", along, unit), rows),
    )  # fmt: skip
