"""Results of a report, and their columns: one definition for the page, CSV and Markdown.

To add a column to the report, add an entry to ``COLUMNS``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from mlperf_mobile.errors import OutputError, UsageError
from mlperf_mobile.registry import Registry
from mlperf_mobile.results import observed
from mlperf_mobile.results.model import Result
from mlperf_mobile_report.compare.entry import ComparedResult
from mlperf_mobile_rounds.reference.standing import Standing, standing_of

MOST_RESULTS = 64
"""On one page."""
MOST_LATENCIES = 20_000_000
_LATENCIES = ("mean", "min", "max", "p50", "p90", "p95", "p97", "p99", "p99_9")


@dataclass(frozen=True, slots=True)
class ReportedResult:
    """One result with its rank and its observers' parts."""

    key: str
    """Its name inside of the page: ``r1``, ``r2``, …"""
    entry: ComparedResult
    result: Result
    standing: Standing | None
    observed: tuple[observed.LoadedPart, ...] = ()
    """The parts of installed observers."""

    @property
    def name(self) -> str:
        """Its label, which is unique in the report."""
        return self.entry.label

    @property
    def folder(self) -> Path:
        """Its folder."""
        return Path(self.entry.source)


def shown(entries: Sequence[ComparedResult], warnings: Iterable[str]) -> tuple[list[ReportedResult], list[str]]:
    """The own results among the entries with unique labels, and the warnings under these labels.

    Raises:
        OutputError: All results are official.
        UsageError: They are too many for a page.
    """
    ours = [entry for entry in entries if entry.result is not None]
    if not ours:
        raise OutputError("no-result", "only official results were given", "add a result of a run")
    if len(ours) > MOST_RESULTS:
        hint = f"a report shows at most {MOST_RESULTS}"
        raise UsageError("too-many", f"{len(ours)} results are too many for one report", hint)
    by_label = {f"{entry.label}: {text}" for entry in entries for text in entry.warnings}
    general = [text for text in warnings if text not in by_label]
    bases = [entry.label.partition(" #")[0] for entry in ours]
    for place, (entry, base) in enumerate(zip(ours, bases, strict=True)):
        if bases.count(base) > 1:
            entry.label = f"{base}{bases[: place + 1].count(base)}"
    found, registry = [], Registry()
    for number, entry in enumerate(ours, 1):
        assert entry.result is not None
        parts = tuple(observed.load_parts(registry, entry.result.observed))
        found.append(ReportedResult(f"r{number}", entry, entry.result, standing_of(entry.result), parts))
    return found, general + [f"{entry.label}: {text}" for entry in entries for text in entry.warnings]


@dataclass(frozen=True, slots=True)
class Column:
    """One number or word of a result."""

    name: str
    about: str
    """Its description, with the unit."""
    of: Callable[[ReportedResult], object]


def _performance(name: str) -> Callable[[ReportedResult], object]:
    return lambda one: getattr(one.result.performance, name, None)


def _score(name: str) -> Callable[[ReportedResult], object]:
    return lambda one: getattr(one.result.performance.score, name, None) if one.result.performance else None


def _accuracy(name: str) -> Callable[[ReportedResult], object]:
    return lambda one: getattr(one.result.accuracy, name, None)


def _latency(name: str) -> Callable[[ReportedResult], object]:
    return lambda one: one.result.performance.latency_ns.get(name) if one.result.performance else None


def margin(one: ReportedResult) -> float | None:
    """How far the accuracy is above its target."""
    accuracy = one.result.accuracy
    return accuracy.value - accuracy.target if accuracy and accuracy.target is not None else None


_MEASURED: Sequence[Column] = (
    Column("label", "label of the result", lambda one: one.name),
    Column("run_id", "the run", lambda one: one.result.run_id),
    Column("created", "time of the run", lambda one: one.result.created),
    Column("verdict", "`VALID`, or why not, or why it cannot be submitted", lambda one: one.result.verdict),
    Column("valid", "whether its numbers count", lambda one: one.result.valid),
    Column("submittable", "whether the rules of its round allow submitting it", lambda one: one.result.submittable),
    Column("functional_only", "why its speed is meaningless", lambda one: one.result.functional_only),
    Column("task", "task", lambda one: one.result.task),
    Column("benchmark", "the task's name in the suite", lambda one: one.result.benchmark),
    Column("suite", "suite", lambda one: one.result.suite),
    Column("scenario", "scenario", lambda one: one.result.scenario),
    Column("mode", "`performance`, `accuracy` or `both`", lambda one: one.result.mode),
    Column("rules", "rule set", lambda one: one.result.rule_set),
    Column("model", "model", lambda one: one.result.model.name),
    Column("model_sha256", "digest of its file", lambda one: one.result.model.sha256),
    Column("dataset", "data set", lambda one: one.result.dataset),
    Column("backend", "backend", lambda one: one.result.backend),
    Column("runtime", "its runtime, with version", lambda one: one.result.runtime),
    Column("accelerator", "accelerators", lambda one: one.result.accelerator),
    Column("inputs", "input types and shapes", lambda one: ", ".join(s.inputs) if (s := one.result.system) else ""),
    Column("options", "options and settings that are not their defaults", lambda one: one.result.options_text()),
    Column("score", "the score that the scenario reports, in its unit", _score("value")),
    Column("score_unit", "unit of the score", _score("unit")),
    Column("score_name", "name of the score", _score("name")),
    *(Column(f"latency_{name}_ns", f"latency, {name.replace('p99_9', 'p99.9')}, in nanoseconds", _latency(name))
      for name in _LATENCIES),
    Column("throughput", "samples per second of the timed region", _performance("throughput")),
    Column("queries", "queries of the timed run", _performance("queries")),
    Column("samples", "samples of the timed run", _performance("samples")),
    Column("duration_s", "seconds of the timed run", _performance("duration_s")),
    Column("metric", "metric of the accuracy", _accuracy("metric")),
    Column("accuracy", "accuracy", _accuracy("value")),
    Column("accuracy_target", "its target", _accuracy("target")),
    Column("accuracy_margin", "accuracy minus target", margin),
    Column("accuracy_passed", "whether the target is reached; empty if it is not enforced", _accuracy("passed")),
)  # fmt: skip
_PLACED: Sequence[Column] = (
    Column("official_place", "place among the published results, from the fastest",
           lambda one: one.standing.place if one.standing else None),
    Column("official_of", "the number of published results", lambda one: one.standing.of if one.standing else None),
    Column("official", "its neighbours among the published results",
           lambda one: one.standing.sentence if one.standing else None),
    Column("error", "why it failed", lambda one: one.result.error.code if one.result.error else None),
    Column("folder", "folder of the result", lambda one: one.entry.source),
)  # fmt: skip


def columns(registry: Registry) -> list[Column]:
    """All columns, with those of the installed observers; a name that exists already is left out."""
    found = {column.name: column for column in (*_MEASURED, *_PLACED)}
    added: dict[str, Column] = {}
    for name, offer in registry.observers.items():
        for key, about in observed.columns(offer).items():
            if key not in found:
                added.setdefault(key, Column(key, about, partial(_observed, name, key)))
    return [*_MEASURED, *added.values(), *_PLACED]


def _observed(name: str, key: str, one: ReportedResult) -> object:
    """A value of an observer's column."""
    cells = [each.view(lambda part: [part.values().get(key)]) for each in one.observed if each.name == name]
    return next((cell for found in cells for cell in found), None)


def values(one: ReportedResult, columns: Iterable[Column]) -> list[object]:
    """A cell for each column: text, numbers, and empty if the value is missing or not finite."""
    return [_plain(column.of(one)) for column in columns]


def _plain(value: object) -> object:
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value if isinstance(value, int | float | str) else str(value)
