"""The columns of tables of results: one definition for reports, CSV, data frames and notebooks.

To add a column to the report and to data frames, add an entry to ``COLUMNS``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlperf_mobile.results.model import Result

SWEPT = "swept."
"""The beginning of the names of columns with swept settings."""
OPTION = "option."
"""The beginning of the names of columns with options that are not their defaults."""
_LATENCIES = ("mean", "min", "max", "p50", "p90", "p95", "p97", "p99", "p99_9")


class Kind(StrEnum):
    """What the cells of a column are, besides None for what was not measured."""

    TEXT = "text"
    NUMBER = "number"
    COUNT = "count"
    FLAG = "flag"


@dataclass(frozen=True, slots=True)
class ResultColumn:
    """One number or word of a result."""

    name: str
    about: str
    """Its description, with the unit."""
    kind: Kind
    of: Callable[[Result], object]


def accuracy_margin(result: Result) -> float | None:
    """How far the accuracy is above its target."""
    accuracy = result.accuracy
    return accuracy.value - accuracy.target if accuracy and accuracy.target is not None else None


def _text(name: str, about: str, of: Callable[[Result], object]) -> ResultColumn:
    return ResultColumn(name, about, Kind.TEXT, of)


def _timed(name: str, about: str, kind: Kind = Kind.NUMBER, attribute: str = "") -> ResultColumn:
    return ResultColumn(name, about, kind, lambda result: getattr(result.performance, attribute or name, None))


def _of_part(part: str) -> Callable[[str, str, Kind, str], ResultColumn]:
    """Columns of a part of the measurements, such as the score, that a result may not have."""

    def column(name: str, about: str, kind: Kind, attribute: str) -> ResultColumn:
        return ResultColumn(
            name, about, kind, lambda result: getattr(getattr(result.performance, part, None), attribute, None)
        )

    return column


_score, _rate = _of_part("score"), _of_part("rate")


def _accuracy(name: str, about: str, kind: Kind, attribute: str) -> ResultColumn:
    return ResultColumn(name, about, kind, lambda result: getattr(result.accuracy, attribute, None))


def _latency(name: str) -> ResultColumn:
    what = "latency of a query" if name.startswith("query_") else "latency"
    about = f"{what}, {name.removeprefix('query_').replace('p99_9', 'p99.9')}, in nanoseconds"
    return ResultColumn(
        f"latency_{name}_ns", about, Kind.NUMBER,
        lambda result: result.performance.latency_ns.get(name) if result.performance else None,
    )  # fmt: skip


def _tokens(name: str, about: str, *path: str) -> ResultColumn:
    """A number about the tokens of a run; ``path`` leads to it, by default the name itself."""

    def of(result: Result) -> object:
        found: object = result.performance.tokens if result.performance else None
        for part in path or (name,):
            found = found.get(part) if isinstance(found, dict) else getattr(found, part, None)
        return found

    return ResultColumn(name, about, Kind.NUMBER, of)


_TIMES = ("mean", "p50", "p90", "p99")
COLUMNS: Sequence[ResultColumn] = (
    _text("run_id", "the run", lambda result: result.run_id),
    _text("created", "time of the run", lambda result: result.created),
    _text("verdict", "`VALID`, or why not, or why it cannot be submitted", lambda result: result.verdict),
    ResultColumn("valid", "whether its numbers count", Kind.FLAG, lambda result: result.valid),
    ResultColumn("submittable", "whether the rules of its round allow submitting it", Kind.FLAG,
                 lambda result: result.submittable),
    _text("functional_only", "why its speed is meaningless", lambda result: result.functional_only),
    _text("task", "task", lambda result: result.task),
    _text("benchmark", "the task's name in the suite", lambda result: result.benchmark),
    _text("suite", "suite", lambda result: result.suite),
    _text("scenario", "scenario", lambda result: result.scenario),
    _text("mode", "`performance`, `accuracy` or `both`", lambda result: result.mode),
    _text("rules", "rule set", lambda result: result.rule_set),
    _text("model", "model", lambda result: result.model.name),
    _text("model_sha256", "digest of its file", lambda result: result.model.sha256),
    _text("dataset", "data set", lambda result: result.dataset),
    _text("backend", "backend", lambda result: result.backend),
    _text("runtime", "its runtime, with version", lambda result: result.runtime),
    _text("accelerator", "accelerators", lambda result: result.accelerator),
    _text("inputs", "input types and shapes", lambda result: ", ".join(s.inputs) if (s := result.system) else ""),
    _text("options", "options and settings that are not their defaults", lambda result: result.options_text()),
    _score("score", "the score that the scenario reports, in its unit", Kind.NUMBER, "value"),
    _score("score_unit", "unit of the score", Kind.TEXT, "unit"),
    _score("score_name", "name of the score", Kind.TEXT, "name"),
    *map(_latency, (*_LATENCIES, "query_p50", "query_p90", "query_p99")),
    _rate("target_rate", "target rate of the queries, per second", Kind.NUMBER, "target"),
    _rate("scheduled_rate", "the rate at which they arrived", Kind.NUMBER, "scheduled"),
    _rate("completed_rate", "the rate at which they were completed", Kind.NUMBER, "completed"),
    _rate("latency_bound_ns", "the latency bound, in nanoseconds", Kind.NUMBER, "latency_bound_ns"),
    _rate("over_bound", "queries that took longer than the bound", Kind.COUNT, "over_bound"),
    *(_tokens(f"ttft_{name}_ns", f"time to the first token, {name}, in nanoseconds", "ttft_ns", name)
      for name in _TIMES),
    *(_tokens(f"tpot_{name}_ns", f"time per output token after the first, {name}, in nanoseconds", "tpot_ns", name)
      for name in _TIMES),
    _tokens("decode_per_s", "tokens per second after the first, 1 / mean time per token: the decode rate, `DECODE/S`"),
    _tokens("decode_total_per_s", "tokens per second after the first, as all such tokens divided by all their time"),
    _tokens("prefill_per_s", "tokens of prompts per second until the first token"),
    _tokens("generated_per_s", "all tokens of answers per second of the run, where first tokens are not reported"),
    _tokens("prompt_tokens", "mean length of a prompt, in tokens", "prompt", "mean"),
    _tokens("new_tokens", "mean length of an answer, in tokens", "generated", "mean"),
    _tokens("peak_memory_bytes", "largest resident memory until the end of a run with tokens", "memory_bytes", "end"),
    _timed("throughput", "samples per second of the timed region"),
    _timed("queries", "queries of the timed run", Kind.COUNT),
    _timed("samples", "samples of the timed run", Kind.COUNT),
    _timed("duration_s", "seconds of the timed run"),
    _accuracy("metric", "metric of the accuracy", Kind.TEXT, "metric"),
    _accuracy("accuracy", "accuracy", Kind.NUMBER, "value"),
    _accuracy("accuracy_target", "its target", Kind.NUMBER, "target"),
    ResultColumn("accuracy_margin", "accuracy minus target", Kind.NUMBER, accuracy_margin),
    _accuracy("accuracy_passed", "whether the target is reached; empty if it is not enforced", Kind.FLAG, "passed"),
)  # fmt: skip
ENDING: Sequence[ResultColumn] = (
    _text("error", "why it failed", lambda result: result.error.code if result.error else None),
    _text("folder", "folder of the result", lambda result: result.directory),
)
"""The columns after those of plugins."""


def swept_keys(results: Iterable[Result]) -> list[str]:
    """The keys of all swept settings, in order of appearance."""
    return list(dict.fromkeys(key for result in results for key in result.swept))


def table(results: Sequence[Result]) -> tuple[list[tuple[str, Kind | None]], list[list[object]]]:
    """Every column with its kind, None for settings, whose values may be anything; and a row for each result.

    Swept settings and options have columns of their own; an option that has its default is None.
    """
    swept = swept_keys(results)
    options = sorted({key for result in results for key in result.options})
    heads: list[tuple[str, Kind | None]] = [(each.name, each.kind) for each in (*COLUMNS, *ENDING)]
    heads[len(COLUMNS) : len(COLUMNS)] = [(f"{SWEPT}{key}", None) for key in swept]
    heads[len(COLUMNS) + len(swept) : len(COLUMNS) + len(swept)] = [(f"{OPTION}{key}", None) for key in options]
    rows = [
        [
            *(_finite(each.of(result)) for each in COLUMNS), *(result.swept.get(key) for key in swept),
            *(result.options.get(key) for key in options), *(each.of(result) for each in ENDING),
        ]
        for result in results
    ]  # fmt: skip
    return heads, rows


def _finite(value: object) -> object:
    return None if isinstance(value, float) and not math.isfinite(value) else value
