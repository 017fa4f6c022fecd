"""Results of a report, and their columns: one definition for the page, CSV and Markdown.

Columns of results alone are in :mod:`mlperf_mobile.results.columns`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from mlperf_mobile.contracts import ObservedPart
from mlperf_mobile.errors import OutputError, UsageError
from mlperf_mobile.registry import Registry, installed_plugins
from mlperf_mobile.results import observed, scenario_part
from mlperf_mobile.results.columns import COLUMNS, SWEPT, ResultColumn, swept_keys
from mlperf_mobile.results.model import Result
from mlperf_mobile.results.views import LoadedPart
from mlperf_mobile_report.compare.entry import ComparedResult
from mlperf_mobile_rounds.reference.standing import Standing, standing_of

MOST_RESULTS = 64
"""On one page."""
MOST_LATENCIES = 20_000_000


@dataclass(frozen=True, slots=True)
class ReportedResult:
    """One result with its rank and its observers' parts."""

    key: str
    """Its name inside of the page: ``r1``, ``r2``, …"""
    entry: ComparedResult
    result: Result
    standing: Standing | None
    observed: tuple[LoadedPart[ObservedPart], ...] = ()
    """The parts of installed observers."""
    part: scenario_part.LoadedScenarioPart | None = None
    """What only its scenario measures."""

    @property
    def name(self) -> str:
        """Its label, which is unique in the report."""
        return self.entry.label

    @property
    def failures(self) -> list[str]:
        """Methods of its parts that failed so far."""
        failed = [each for part in (self.part, *self.observed) if part for each in part.failed()]
        return [f"{self.name}: {each.label}: {each.text}" for each in failed]

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
    found, registry = [], installed_plugins()
    for number, entry in enumerate(ours, 1):
        assert entry.result is not None
        parts = tuple(observed.load_parts(registry, entry.result.observed))
        found.append(
            ReportedResult(
                f"r{number}",
                entry,
                entry.result,
                standing_of(entry.result),
                parts,
                scenario_part.load(registry, entry.result),
            )
        )
    return found, general + [f"{entry.label}: {text}" for entry in entries for text in entry.warnings]


@dataclass(frozen=True, slots=True)
class Column:
    """One number or word of a result."""

    name: str
    about: str
    """Its description, with the unit."""
    of: Callable[[ReportedResult], object]


def _column(of: ResultColumn) -> Column:
    return Column(of.name, of.about, lambda one: of.of(one.result))


_MEASURED: Sequence[Column] = (
    Column("label", "label of the result", lambda one: one.name),
    *map(_column, COLUMNS),
)
_PLACED: Sequence[Column] = (
    Column("official_place", "place among the published results, from the fastest",
           lambda one: one.standing.place if one.standing else None),
    Column("official_of", "the number of published results", lambda one: one.standing.of if one.standing else None),
    Column("official", "its neighbours among the published results",
           lambda one: one.standing.sentence if one.standing else None),
    Column("error", "why it failed", lambda one: one.result.error.code if one.result.error else None),
    Column("folder", "folder of the result", lambda one: one.entry.source),
)  # fmt: skip


def columns(registry: Registry, results: Iterable[ReportedResult] = ()) -> list[Column]:
    """All columns, with those of installed scenarios and observers, whose names must be new, and of swept settings."""
    keys = swept_keys(one.result for one in results)
    swept = [Column(f"{SWEPT}{key}", f"the setting {key} of a sweep", partial(_swept, key)) for key in keys]
    found = {column.name: column for column in (*_MEASURED, *_PLACED)}
    added: dict[str, Column] = {}
    for name, scenario in registry.scenarios.items():
        for key, about in scenario_part.columns(scenario).items():
            if key not in found:
                added.setdefault(key, Column(key, about, partial(_of_scenario, name, key)))
    for name, offer in registry.observers.items():
        for key, about in observed.columns(offer).items():
            if key not in found:
                added.setdefault(key, Column(key, about, partial(_observed, name, key)))
    return [*_MEASURED, *swept, *added.values(), *_PLACED]


def _swept(key: str, one: ReportedResult) -> object:
    return one.result.swept.get(key)


def _of_scenario(name: str, key: str, one: ReportedResult) -> object:
    """A value of a scenario's column."""
    if one.part is None or one.part.name != name:
        return None
    return next(iter(one.part.view("values", lambda part: [part.values().get(key)])), None)


def _observed(name: str, key: str, one: ReportedResult) -> object:
    """A value of an observer's column."""
    cells = [each.view("values", lambda part: [part.values().get(key)]) for each in one.observed if each.name == name]
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
