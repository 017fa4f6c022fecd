"""Draws what observers recorded, over the run's own time."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import islice

from mlperf_mobile.contracts import Graph
from mlperf_mobile_report.html.axis import linear
from mlperf_mobile_report.html.chart import COLUMNS, SERIES, Chart, figure
from mlperf_mobile_report.html.markup import Markup, cut, number, table
from mlperf_mobile_report.html.reduce import extremes

_ROWS = 20
_NAME = 40
_MOST_GRAPHS, _MOST_MARKS = 20, 3
_FROM_ZERO = ("W", "samples/s", "processes")

_Line = tuple[str, Sequence[float], Sequence[float]]
"""Its name, seconds since the clock was started, and values."""


def figures(key: str, graphs: Iterable[Graph]) -> list[Markup]:
    """A chart for each graph that has a line of two points.

    Args:
        key: Makes the ids on the page unique.
        graphs: What observers recorded.
    """
    return [
        _figure(f"{key}-{place}", graph, lines)
        for place, graph in enumerate(islice(graphs, _MOST_GRAPHS))
        if (lines := [*_lines(graph)])
    ]


def _lines(graph: Graph) -> Iterable[_Line]:
    """The points that can be drawn: values that are not finite are left out."""
    start = graph.timed[0]
    for name, (times, values) in graph.lines.items():
        points = [
            (time - start, value)
            for time, value in zip(times, values, strict=True)
            if math.isfinite(time) and math.isfinite(value)
        ]
        if len(points) > 1:
            yield cut(str(name), _NAME), [time for time, _ in points], [value for _, value in points]


def _figure(key: str, graph: Graph, lines: Sequence[_Line]) -> Markup:
    """The lines that reach highest; the others are counted."""
    what, unit = cut(graph.title, _NAME), cut(graph.unit, _NAME)
    length = graph.timed[1] - graph.timed[0]
    drawn = sorted(lines, key=lambda line: -max(line[2]))[:SERIES]
    extent = [value for _, _, values in drawn for value in (min(values), max(values))]
    first, last = min(times[0] for _, times, _ in drawn), max(times[-1] for _, times, _ in drawn)
    x = linear("seconds since the clock was started", first, max(last, first + 0.001), widen=False)
    y = linear(unit, min([*extent, 0.0] if unit in _FROM_ZERO else extent), max(extent))
    series_text = "; ".join(
        f"{name} from {values[0]:.4g} to {values[-1]:.4g}, at most {max(values):.4g}" for name, _, values in drawn
    )
    chart = Chart(key, f"{what} over time", f"{what} in {unit}: {series_text}", x, y)
    chart.bar((max(x.low, 0.0), y.low), (min(x.high, length), y.high), "timed")
    for style, (_, times, values) in enumerate(drawn, 1):
        chart.line(extremes(times, values, COLUMNS), style)
    marks = [(at - graph.timed[0], cut(word, 24)) for at, word in graph.marks[:_MOST_MARKS] if abs(at) < 1e9]
    for row, (at, word) in enumerate(marks):
        chart.upright(at, word, row)
    left = len(lines) - len(drawn)
    note = "The shaded part is the timed run." + (f" {left} lower series are left out." if left else "")
    names = [name for name, _, _ in drawn]
    title = f"{what}, {unit}"
    return figure(title, chart.svg(), note=note, legend=names, data=_numbers(title, drawn, x.high))


def _numbers(title: str, lines: Sequence[_Line], end: float) -> Markup:
    """Each line at some moments, the same for all."""
    first = min(times[0] for _, times, _ in lines)
    moments = [first + (end - first) * n / (_ROWS - 1) for n in range(_ROWS)]
    rows = [(number(moment, 4), *(_at(line, moment) for line in lines)) for moment in moments]
    return table(title, ("s", *(name for name, _, _ in lines)), rows)


def _at(line: _Line, moment: float) -> object:
    """The value at a moment, or the last one before it."""
    place = bisect_right(line[1], moment + 1e-6) - 1
    return number(line[2][place], 5) if place >= 0 else ""
