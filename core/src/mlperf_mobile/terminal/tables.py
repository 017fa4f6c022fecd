"""Results and plans as HTML tables for notebooks; all text is escaped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from mlperf_mobile.plan import Plan
from mlperf_mobile.printing import clean
from mlperf_mobile.results.columns import swept_keys
from mlperf_mobile.results.model import Result
from mlperf_mobile.terminal.plans import accelerators_text
from mlperf_mobile.terminal.sweep import value_text

MOST_ROWS = 200


def results_html(results: Sequence[Result]) -> str:
    """A row for each result: what ran where, its score, accuracy and verdict."""
    keys = swept_keys(results)
    head = ["benchmark", "model", *keys, "on", "scenario", "score", "accuracy", "verdict"]
    return _html(head, (_result_row(result, keys) for result in results[:MOST_ROWS]), len(results))


def plans_html(plans: Sequence[Plan]) -> str:
    """A row for each plan."""
    keys = list(dict.fromkeys(key for plan in plans for key in plan.swept))
    head = ["benchmark", "model", *keys, "data set", "on", "scenario", "mode", "rules"]
    rows = (
        [
            plan.benchmark, plan.model.name, *(value_text(plan.swept.get(key)) for key in keys), plan.dataset.name,
            f"{plan.backend}/{accelerators_text(plan)}", plan.scenario, plan.mode.value, plan.rules,
        ]
        for plan in plans[:MOST_ROWS]
    )  # fmt: skip
    return _html(head, rows, len(plans))


def _result_row(result: Result, keys: Sequence[str]) -> list[str]:
    score, accuracy = result.performance.score if result.performance else None, result.accuracy
    return [
        result.benchmark, result.model.name, *(value_text(result.swept.get(key)) for key in keys),
        f"{result.backend}/{result.accelerator}", result.scenario, f"{score.text}, {score.name}" if score else "–",
        f"{accuracy.metric} {accuracy.value:.4f}" if accuracy else "–", result.verdict,
    ]  # fmt: skip


def _html(head: Iterable[str], rows: Iterable[Sequence[str]], count: int) -> str:
    parts = [f"<tr>{''.join(f'<th>{_cell(name)}</th>' for name in head)}</tr>"]
    parts += [f"<tr>{''.join(f'<td>{_cell(cell)}</td>' for cell in row)}</tr>" for row in rows]
    more = f"<p>{count - MOST_ROWS} more are not shown</p>" if count > MOST_ROWS else ""
    return f"<table>{''.join(parts)}</table>{more}"


def _cell(text: str) -> str:
    return escape(clean(text)[:300])
