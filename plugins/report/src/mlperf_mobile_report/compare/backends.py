"""Framework against framework: a row for each benchmark, a column for each backend and accelerator."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median_low
from typing import Any

from mlperf_mobile.errors import UsageError, did_you_mean
from mlperf_mobile_report.compare.comparison import Comparison, Group, Row


@dataclass(frozen=True, slots=True)
class Cell:
    """The score of one backend on one benchmark: the median of its runs, the lower middle one of an even number."""

    row: Row
    runs: int
    change: float | None
    """Change of the time per sample relative to the first column: -0.1 is 10 % less. None if either is missing."""


@dataclass(frozen=True, slots=True)
class BackendTable:
    """``cells[(benchmark, scenario)][column]``."""

    columns: tuple[str, ...]
    cells: dict[tuple[str, str], dict[str, Cell]]

    def to_json(self) -> dict[str, Any]:
        """As JSON-serialisable data."""
        return {
            "columns": list(self.columns),
            "rows": [
                {
                    "benchmark": benchmark,
                    "scenario": scenario,
                    "cells": {
                        column: {
                            "value": cell.row.entry.value, "state": cell.row.entry.state,
                            "refused": cell.row.entry.refused or None, "runs": cell.runs, "change": cell.change,
                            "source": cell.row.entry.source,
                        }
                        for column, cell in cells.items()
                    },
                }
                for (benchmark, scenario), cells in self.cells.items()
            ],
        }  # fmt: skip


def backend_table(comparison: Comparison, baseline: str = "") -> BackendTable:
    """The table of all groups.

    Args:
        comparison: Where the numbers come from.
        baseline: The column that the others are compared with; the first one without it.

    Raises:
        UsageError: No column has this name.
    """
    columns = list(dict.fromkeys(_column(row) for group in comparison.groups for row in group.rows))
    if baseline and baseline not in columns:
        raise UsageError("no-baseline", f"no column is called {baseline!r}", did_you_mean(baseline, columns))
    columns.sort(key=lambda column: column != baseline)
    return BackendTable(
        tuple(columns), {(group.benchmark, group.scenario): _cells(group, columns) for group in comparison.groups}
    )


def _column(row: Row) -> str:
    entry = row.entry
    return "/".join(entry.published.name.split("/")[:2]) if entry.published else entry.configuration


def _cells(group: Group, columns: Sequence[str]) -> dict[str, Cell]:
    """Runs that make no claim are used only if no other run makes one."""
    chosen: dict[str, tuple[Row, int]] = {}
    for column in columns:
        rows = [row for row in group.rows if _column(row) == column]
        claims = [row for row in rows if not row.entry.refused]
        if claims:
            alike = [row for row in claims if row.entry.time_ratio(claims[0].entry) is not None]
            middle = median_low(row.entry.cost for row in alike)
            chosen[column] = next(row for row in alike if row.entry.cost == middle), len(alike)
        elif rows:
            chosen[column] = rows[0], len(rows)
    first = chosen.get(columns[0])
    base = first[0].entry if first else None
    return {
        column: Cell(row, runs, ratio - 1 if base and (ratio := row.entry.time_ratio(base)) is not None else None)
        for column, (row, runs) in chosen.items()
    }
