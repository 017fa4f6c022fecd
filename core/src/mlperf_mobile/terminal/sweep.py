"""The results of a sweep as a table: a row for each combination of values, with the median of its repetitions."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from pathlib import PurePath
from typing import Any

from rich.table import Table

from mlperf_mobile.campaigns.repeat import score
from mlperf_mobile.performance_score import displayed, shown
from mlperf_mobile.results.model import Result
from mlperf_mobile.terminal.console import CleanConsole, text

_BAR = 20
_WIDE = 100
"""Columns of a terminal on which there is room for bars."""


def print_sweep(results: Sequence[Result]) -> None:
    """Print the table of the swept results, best first; nothing if none is part of a sweep."""
    console = CleanConsole()
    if table := sweep_table([result for result in results if result.swept], bars=console.width >= _WIDE):
        console.print(table)


def sweep_table(results: Sequence[Result], *, bars: bool = True) -> Table | None:
    """A row for each combination of benchmark and swept values; None without results.

    Args:
        results: Results of a sweep.
        bars: Whether to add bars, by speed.
    """
    if not results:
        return None
    keys = list(dict.fromkeys(key for result in results for key in result.swept))
    rows = sorted(_grouped(results), key=_cost)
    best = min((cost for runs in rows if 0 < (cost := _cost(runs)) < math.inf), default=0.0)
    columns: list[tuple[str, list[str]]] = [("benchmark", [runs[0].benchmark for runs in rows])]
    columns += [(key, [value_text(runs[0].swept.get(key)) for runs in rows]) for key in keys]
    columns += [
        ("score", [_score(runs) for runs in rows]), ("spread", [_spread(runs) for runs in rows]),
        ("accuracy", [_accuracy(runs) for runs in rows]),
        ("valid", [f"{sum(run.valid for run in runs)} of {len(runs)}" for runs in rows]),
        ("speed", [_bar(_cost(runs), best) if bars else "" for runs in rows]),
    ]  # fmt: skip
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold", title="sweep", title_justify="left")
    shown_columns = [each for each in columns if any(each[1]) and (each[0] != "benchmark" or len(set(each[1])) > 1)]
    for name, _ in shown_columns:
        table.add_column(text(name), justify="right" if name in ("score", "spread") else "left", no_wrap=True)
    for cells in zip(*(cells for _, cells in shown_columns), strict=True):
        table.add_row(*map(text, cells))
    return table


def _score(runs: Sequence[Result]) -> str:
    found = [each for run in runs if (each := score(run))]
    return shown(statistics.median(each.value for each in found), found[0].unit, 4) if found else "–"


def _spread(runs: Sequence[Result]) -> str:
    """The least and the largest score; empty for a single one."""
    found = [each for run in runs if (each := score(run))]
    if len(found) < 2:
        return ""
    scale, _ = displayed(found[0].unit)
    values = [each.value * scale for each in found]
    return f"{min(values):.4g} to {max(values):.4g}"


def _accuracy(runs: Sequence[Result]) -> str:
    found = [run.accuracy.value for run in runs if run.accuracy]
    return f"{statistics.median(found):.4f}" if found else ""


def _bar(cost: float, best: float) -> str:
    return "▇" * max(1, round(_BAR * best / cost)) if 0 < cost < math.inf else ""


def value_text(value: Any) -> str:
    """A swept value in a cell: a path by its last part."""
    shown_value = PurePath(value).name if isinstance(value, str) and "/" in value else value
    return "–" if value is None else str(shown_value)


def _grouped(results: Sequence[Result]) -> list[list[Result]]:
    """The runs of each combination."""
    groups: dict[tuple[str, str], list[Result]] = {}
    for result in results:
        groups.setdefault((result.benchmark, result.swept_text), []).append(result)
    return list(groups.values())


def _cost(runs: Sequence[Result]) -> float:
    """The median of their scores as a cost, lower is better; infinite without scores."""
    costs = [found.cost for run in runs if (found := score(run))]
    return statistics.median(costs) if costs else math.inf
