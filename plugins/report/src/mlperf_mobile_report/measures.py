"""A result as it is shown beside others, and its numbers as columns: one definition for the page, CSV and Markdown.

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
from mlperf_mobile_report.compare.entry import Entry
from mlperf_mobile_rounds.reference.standing import Standing, standing_of

MOST_RESULTS = 64
"""On one page."""
MOST_LATENCIES = 20_000_000
_LATENCIES = ("mean", "min", "max", "p50", "p90", "p95", "p97", "p99", "p99_9")


@dataclass(frozen=True, slots=True)
class Shown:
    """One result with what belongs to it."""

    key: str
    """``r1``, ``r2``, …: what it is called inside of the page."""
    entry: Entry
    result: Result
    standing: Standing | None
    observed: tuple[observed.LoadedPart, ...] = ()
    """The parts of its observers that are installed here."""

    @property
    def name(self) -> str:
        """The label that tells it from the others."""
        return self.entry.label

    @property
    def folder(self) -> Path:
        """Where its files lie."""
        return Path(self.entry.source)


def shown(entries: Sequence[Entry], warnings: Iterable[str]) -> tuple[list[Shown], list[str]]:
    """The results of ours among the entries, each with a label of its own, and the warnings under these labels.

    Raises:
        OutputError: There are none.
        UsageError: There are more than a page can show.
    """
    ours = [entry for entry in entries if entry.result is not None]
    if not ours:
        raise OutputError("no-result", "only official results are named", "name a result of a run, too")
    if len(ours) > MOST_RESULTS:
        hint = f"a report shows at most {MOST_RESULTS} at once"
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
        found.append(Shown(f"r{number}", entry, entry.result, standing_of(entry.result), parts))
    return found, general + [f"{entry.label}: {text}" for entry in entries for text in entry.warnings]


@dataclass(frozen=True, slots=True)
class Column:
    """One number or word of a result."""

    name: str
    about: str
    """What it is, with its unit."""
    of: Callable[[Shown], object]


def _performance(name: str) -> Callable[[Shown], object]:
    return lambda one: getattr(one.result.performance, name, None)


def _score(name: str) -> Callable[[Shown], object]:
    return lambda one: getattr(one.result.performance.score, name, None) if one.result.performance else None


def _accuracy(name: str) -> Callable[[Shown], object]:
    return lambda one: getattr(one.result.accuracy, name, None)


def _latency(name: str) -> Callable[[Shown], object]:
    return lambda one: one.result.performance.latency_ns.get(name) if one.result.performance else None


def margin(one: Shown) -> float | None:
    """How far the accuracy is above its target."""
    accuracy = one.result.accuracy
    return accuracy.value - accuracy.target if accuracy and accuracy.target is not None else None


_MEASURED: Sequence[Column] = (
    Column("label", "what the result is called here", lambda one: one.name),
    Column("run_id", "the run", lambda one: one.result.run_id),
    Column("created", "when it was made", lambda one: one.result.created),
    Column("verdict", "`VALID`, or what is wrong, or why it cannot be submitted", lambda one: one.result.verdict),
    Column("valid", "whether its numbers count", lambda one: one.result.valid),
    Column("submittable", "whether its round lets it be submitted", lambda one: one.result.submittable),
    Column("functional_only", "why its speed says nothing", lambda one: one.result.functional_only),
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
    Column("inputs", "types and shapes that ran", lambda one: ", ".join(s.inputs) if (s := one.result.system) else ""),
    Column("options", "options and settings that are not their defaults", lambda one: one.result.options_text()),
    Column("score", "the score that the scenario reports, in its unit", _score("value")),
    Column("score_unit", "unit of the score", _score("unit")),
    Column("score_name", "what the score is", _score("name")),
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
    Column("accuracy_passed", "whether the target is reached; empty where it decides nothing", _accuracy("passed")),
)  # fmt: skip
_PLACED: Sequence[Column] = (
    Column("official_place", "place among the published results, from the fastest",
           lambda one: one.standing.place if one.standing else None),
    Column("official_of", "the number of published results", lambda one: one.standing.of if one.standing else None),
    Column("official", "between which published results it is",
           lambda one: one.standing.sentence if one.standing else None),
    Column("error", "why it failed", lambda one: one.result.error.code if one.result.error else None),
    Column("folder", "where it lies", lambda one: one.entry.source),
)  # fmt: skip


def columns(registry: Registry) -> list[Column]:
    """All columns, with those of the installed observers; a name that is taken already is left out."""
    found = {column.name: column for column in (*_MEASURED, *_PLACED)}
    added: dict[str, Column] = {}
    for name, offer in registry.observers.items():
        for key, about in observed.columns(offer).items():
            if key not in found:
                added.setdefault(key, Column(key, about, partial(_observed, name, key)))
    return [*_MEASURED, *added.values(), *_PLACED]


def _observed(name: str, key: str, one: Shown) -> object:
    """A cell of an observer's."""
    cells = [each.view(lambda part: [part.values().get(key)]) for each in one.observed if each.name == name]
    return next((cell for found in cells for cell in found), None)


def values(one: Shown, columns: Iterable[Column]) -> list[object]:
    """A cell for each column: text, numbers, and empty where there is nothing or no finite number."""
    return [_plain(column.of(one)) for column in columns]


def _plain(value: object) -> object:
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value if isinstance(value, int | float | str) else str(value)
