"""Comparisons as tables of text: one row per result, so that a dozen fit on a screen."""

from __future__ import annotations

import math
from collections.abc import Iterable

from mlperf_mobile.results.tokens import TokenFacts
from mlperf_mobile.statistics import Interval
from mlperf_mobile_report.compare.backends import BackendTable, Cell
from mlperf_mobile_report.compare.comparison import Comparison, Group, Row
from mlperf_mobile_report.tables.grid import Grid, grid

_HEAD = ("RESULT", "SWEPT", "ON", "VALUE", "VALUE 95 %", "TIME RATIO", "RATIO 95 %", "ACCURACY", "DIFFERENCE", "STATE")

_TOKENS = (
    "RESULT", "TTFT P50", "TTFT P90", "RATIO", "TPOT MEAN", "TPOT P90", "RATIO", "DECODE/S", "PREFILL/S", "GENERATED/S",
    "ANSWER",
)  # fmt: skip


def comparison_grids(comparison: Comparison) -> list[Grid]:
    """One table per benchmark and scenario."""
    grids = []
    for group in comparison.groups:
        grids.append(_group(group))
        if any(row.entry.tokens for row in group.rows):
            grids.append(_token_grid(group))
    return grids


def backend_grid(table: BackendTable) -> Grid:
    """The whole table: values, and the change of time against the first column."""
    rows = [
        [f"{benchmark}, {scenario}", *(_cell(cells.get(column), n == 0) for n, column in enumerate(table.columns))]
        for (benchmark, scenario), cells in table.cells.items()
    ]
    return grid(f"time for one sample against {table.columns[0]}", ("BENCHMARK", *table.columns), rows)


def csv_rows(comparison: Comparison) -> Iterable[tuple[object, ...]]:
    """Header and rows with full digits, for CSV."""
    yield (
        "benchmark", "scenario", "label", "source", "model", "runs_on", "options", "swept", "value", "unit",
        "value_low", "value_high", "ratio", "ratio_low", "ratio_high", "metric", "accuracy", "accuracy_difference",
        "state", "refused", "score",
    )  # fmt: skip
    for group in comparison.groups:
        for row in group.rows:
            entry, values = row.entry, row.to_json()
            yield (
                group.benchmark, group.scenario, entry.label, entry.source, entry.model, entry.runs_on,
                entry.options_text, entry.swept, entry.value,
                values["unit"], *_bounds(row.own_interval), row.ratio, *_bounds(row.interval), entry.metric,
                entry.accuracy, row.accuracy_difference, entry.state, entry.refused, values["score"],
            )  # fmt: skip


def backend_csv_rows(table: BackendTable) -> Iterable[tuple[object, ...]]:
    """Head, and a row for each cell."""
    yield ("benchmark", "scenario", "column", "value", "unit", "change", "runs", "state", "refused", "source")
    for (benchmark, scenario), cells in table.cells.items():
        for column, cell in cells.items():
            entry = cell.row.entry
            yield (
                benchmark, scenario, column, entry.value, entry.unit, cell.change, cell.runs, entry.state,
                entry.refused, entry.source,
            )  # fmt: skip


def _group(group: Group) -> Grid:
    score = group.baseline.score
    what = score.name if score else "no score"
    title = f"{group.benchmark}, {group.scenario} ({what}; ratios over 1 are slower than {group.baseline.label})"
    return grid(title, _HEAD, [_row(row, group) for row in group.rows])


def _token_grid(group: Group) -> Grid:
    """Times and rates of tokens; the ratios are of the time to the first token at p90, and of the mean per token."""
    base, rows = group.baseline.tokens, []
    for row in group.rows:
        found = row.entry.tokens
        if found is None:
            continue
        claims = row.ratio is not None and base is not None and row.entry is not group.baseline
        rows.append((
            row.entry.label, *(token_time(found, found.ttft_ns.get(name)) for name in ("p50", "p90")),
            _quotient(found.ttft_ns.get("p90"), base.ttft_ns.get("p90")) if claims and base else "",
            *(token_time(found, found.tpot_ns.get(name)) for name in ("mean", "p90")),
            _quotient(found.tpot_ns.get("mean"), base.tpot_ns.get("mean")) if claims and base else "",
            *(f"{rate:.5g}" if rate is not None else "-" for rate in (found.decode_per_s, found.prefill_per_s)),
            f"{found.generated_per_s:.5g}" if found.generated_per_s is not None else "",
            f"{found.generated.get('mean', 0):.4g}",
        ))  # fmt: skip
    return grid(f"{group.benchmark}, {group.scenario}: tokens (times in ms)", _TOKENS, rows)


def token_time(found: TokenFacts, value_ns: float | None) -> str:
    """Milliseconds; where a scenario such as offline has no such time, that is said."""
    if value_ns is None:
        return "not defined" if found.times_undefined else "-"
    return f"{value_ns / 1e6:.5g}"


def _quotient(value: float | None, base: float | None) -> str:
    return f"{value / base:.4f}" if value is not None and base else ""


def _row(row: Row, group: Group) -> tuple[str, ...]:
    entry = row.entry
    base = entry is group.baseline
    own = row.own_interval
    return (
        entry.label,
        entry.swept,
        entry.configuration,
        entry.text,
        interval_text(Interval(own.low / 1e6, own.high / 1e6), 5) + " ms" if own else "",
        "baseline" if base else f"{row.ratio:.4f}" if row.ratio is not None else "no claim",
        interval_text(row.interval, 4) if row.interval else "",
        _accuracy(entry.metric, entry.accuracy),
        "" if base or row.accuracy_difference is None else f"{row.accuracy_difference:+.4f}",
        entry.state,
    )


def interval_text(interval: Interval, digits: int) -> str:
    """``0.9871 .. 1.012``; a missing bound is ``?``."""
    bounds = (interval.low, 0.0), (interval.high, math.inf)
    return " .. ".join("?" if bound == none else f"{bound:.{digits}g}" for bound, none in bounds)


def _accuracy(metric: str, value: float | None) -> str:
    return "" if value is None else f"{metric} {value:.4f}"


def _cell(cell: Cell | None, first: bool) -> str:
    if cell is None:
        return "-"
    entry = cell.row.entry
    text = entry.text + (f", median of {cell.runs}" if cell.runs > 1 else "")
    if entry.refused:
        return f"{text} [{entry.state}: no claim]"
    return text if first or cell.change is None else f"{text} ({cell.change:+.2%})"


def _bounds(interval: Interval | None) -> tuple[float | None, float | None]:
    bounds = interval.to_json() if interval else {}
    return bounds.get("low"), bounds.get("high")
