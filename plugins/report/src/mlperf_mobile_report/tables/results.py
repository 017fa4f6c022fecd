"""Results as CSV and Markdown: one row per result, with the numbers of the page."""

from __future__ import annotations

from collections.abc import Sequence

from mlperf_mobile.registry import installed_plugins
from mlperf_mobile.results.columns import SWEPT, accuracy_margin
from mlperf_mobile_report.measures import Column, ReportedResult, columns, values
from mlperf_mobile_report.tables.grid import as_csv, grid
from mlperf_mobile_report.tables.grid import markdown as as_markdown

_HEAD = (
    "RESULT", "VERDICT", "BENCHMARK", "SCENARIO", "ON", "P50 MS", "P90 MS", "P99 MS", "TTFT P50 MS", "DECODE/S",
    "GENERATED/S", "SAMPLES/S", "ACCURACY", "MARGIN",
    "THROTTLED", "OFFICIAL",
)  # fmt: skip


def csv(results: Sequence[ReportedResult]) -> str:
    """Head and rows with full digits; every one of :func:`~mlperf_mobile_report.measures.columns`."""
    every = columns(installed_plugins(), results)
    return as_csv([[column.name for column in every], *(values(one, every) for one in results)])


def markdown(results: Sequence[ReportedResult]) -> str:
    """The most important numbers; empty columns are left out."""
    every = columns(installed_plugins(), results)
    swept = [column for column in every if column.name.startswith(SWEPT)]
    head = (*_HEAD, *(column.name.removeprefix(SWEPT).upper() for column in swept))
    rows = [(*_row(one, every), *(str(cell) for cell in values(one, swept))) for one in results]
    return as_markdown([grid("Results", head, rows)])


def _row(one: ReportedResult, every: Sequence[Column]) -> Sequence[str]:
    found = dict(zip((column.name for column in every), values(one, every), strict=True))
    above = accuracy_margin(one.result)
    word = {"yes": "reached", "no": "MISSED"}.get(str(found["accuracy_passed"]), "")
    accuracy = f"{found['metric']} {found['accuracy']:.6g}" if isinstance(found["accuracy"], float) else ""
    return (
        one.name, f"FUNCTIONAL ONLY, {found['verdict']}" if one.result.functional_only else str(found["verdict"]),
        one.result.benchmark, one.result.scenario, one.entry.runs_on,
        *(_scaled(found[f"latency_{name}_ns"], 1e-6) for name in ("p50", "p90", "p99")),
        _scaled(found.get("ttft_p50_ns"), 1e-6),
        *(_scaled(found.get(name)) for name in ("decode_per_s", "generated_per_s", "throughput")),
        accuracy, f"{above:+.4g} {word}".strip() if above is not None else "", str(found.get("throttled", "")),
        str(found["official"]),
    )  # fmt: skip


def _scaled(value: object, factor: float = 1.0) -> str:
    return f"{value * factor:.6g}" if isinstance(value, int | float) else ""
