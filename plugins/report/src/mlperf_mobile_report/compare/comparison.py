"""Compares results of the same benchmark and scenario with one of them, the baseline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from mlperf_mobile.errors import UsageError, did_you_mean
from mlperf_mobile.statistics import Interval
from mlperf_mobile_report.compare.differences import SettingDifference, differences
from mlperf_mobile_report.compare.entry import ComparedResult
from mlperf_mobile_report.compare.ratio import ratio_of


@dataclass(frozen=True, slots=True)
class Row:
    """One result next to the baseline's."""

    entry: ComparedResult
    ratio: float | None
    """Time per sample divided by the baseline's: over 1 is slower. None if either makes no claim.

    For a score where higher is better, the time is its inverse.
    """
    interval: Interval | None
    """Interval of the ratio; None if either has no latencies."""
    own_interval: Interval | None
    """Interval of the score's percentile, in nanoseconds."""
    accuracy_difference: float | None

    def slower(self, limit: float, *, strict: bool = False) -> bool:
        """Whether it is significantly slower than the baseline, by more than ``limit`` (0.05 for 5 %).

        Significantly: the whole interval of the ratio is above 1. With ``strict``, or without an interval, the ratio
        alone decides.
        """
        if self.ratio is None or self.ratio <= 1 + limit:
            return False
        return strict or self.interval is None or self.interval.above(1)

    def to_json(self) -> dict[str, Any]:
        """As JSON-serialisable data."""
        entry = self.entry
        return {
            "label": entry.label, "source": entry.source, "model": entry.model, "runs_on": entry.runs_on,
            "options": entry.options, "swept": entry.swept,
            "value": entry.value, "unit": entry.unit, "score": entry.score.name if entry.score else None,
            "state": entry.state, "refused": entry.refused or None, "ratio": self.ratio,
            "ratio_interval": self.interval.to_json() if self.interval else None,
            "value_interval": self.own_interval.to_json() if self.own_interval else None,
            "accuracy": {"metric": entry.metric, "value": entry.accuracy} if entry.accuracy is not None else None,
            "accuracy_difference": self.accuracy_difference,
        } | ({"tokens": entry.tokens.model_dump(mode="json")} if entry.tokens else {})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Group:
    """All numbers of one benchmark and scenario, the baseline first."""

    benchmark: str
    scenario: str
    rows: tuple[Row, ...]

    @property
    def baseline(self) -> ComparedResult:
        return self.rows[0].entry

    def to_json(self) -> dict[str, Any]:
        """As JSON-serialisable data."""
        return {
            "benchmark": self.benchmark,
            "scenario": self.scenario,
            "baseline": self.baseline.label,
            "rows": [row.to_json() for row in self.rows],
        }


@dataclass(frozen=True, slots=True)
class Comparison:
    """All groups that can be compared, with differences and warnings."""

    groups: tuple[Group, ...]
    differences: tuple[SettingDifference, ...]
    warnings: tuple[str, ...] = field(default=())

    def slower(self, limit: float, *, strict: bool = False) -> list[tuple[Group, Row]]:
        """Results slower than their baseline; see :meth:`Row.slower`."""
        return [(group, row) for group in self.groups for row in group.rows[1:] if row.slower(limit, strict=strict)]

    def undecided(self) -> list[tuple[Group, Row]]:
        """Results without a ratio, because they or their baseline make no claim."""
        return [(group, row) for group in self.groups for row in group.rows[1:] if row.ratio is None]

    def to_json(self) -> dict[str, Any]:
        """As JSON-serialisable data."""
        return {
            "groups": [group.to_json() for group in self.groups],
            "differences": [each.to_json() for each in self.differences],
            "warnings": list(self.warnings),
        }


def compare(
    entries: Sequence[ComparedResult], baseline: str = "", warnings: Sequence[str] = (), *, alone: bool = False
) -> Comparison:
    """Pair the entries by benchmark and scenario, and compare each with the baseline of its group.

    A published result joins a group of own results only if they ran the published benchmark's model.

    Args:
        entries: In the order of the command line.
        baseline: A label; by default the first entry of each group.
        warnings: Warnings from reading them.
        alone: Keep results that cannot be compared with any other.

    Raises:
        UsageError: No two results can be compared, or the baseline is unknown.
    """
    labels = dict.fromkeys(label for entry in entries for label in (entry.label, entry.label.partition(" #")[0]))
    if baseline and baseline not in labels:
        raise UsageError("no-baseline", f"no result is called {baseline!r}", did_you_mean(baseline, labels))
    remarks = list(warnings)
    groups = []
    for (benchmark, scenario), members in _grouped(entries).items():
        ordered = sorted(members, key=lambda entry: not _called(entry, baseline))
        if len(ordered) < 2 and not alone:
            remarks.append(_alone(ordered[0], entries))
            continue
        if baseline and not _called(ordered[0], baseline):
            remarks.append(f"{baseline} has no {benchmark}, {scenario}: {ordered[0].label} is the baseline there")
        groups.append(Group(benchmark, scenario, tuple(_row(ordered[0], entry) for entry in ordered)))
    if not groups:
        hint = "benchmark and scenario have to be the same, and for official results the model, too"
        raise UsageError("nothing-to-compare", "; ".join(_kinds(entries)), hint)
    remarks += _remarks(groups)
    different = dict.fromkeys(each for group in groups for each in differences(row.entry for row in group.rows))
    return Comparison(tuple(groups), tuple(different), tuple(dict.fromkeys(remarks)))


def _called(entry: ComparedResult, label: str) -> bool:
    return label in (entry.label, entry.label.partition(" #")[0])


def _grouped(entries: Sequence[ComparedResult]) -> dict[tuple[str, str], list[ComparedResult]]:
    """By benchmark and scenario, in order of appearance; published results next to own ones that ran their model."""
    ours = [entry for entry in entries if not entry.published]
    taken = {(entry.benchmark, entry.scenario) for entry in ours}
    published = {
        (entry.published_as, entry.scenario): (entry.benchmark, entry.scenario)
        for entry in reversed(ours)
        if entry.published_as
    }
    groups: dict[tuple[str, str], list[ComparedResult]] = {}
    for entry in entries:
        key = (entry.benchmark, entry.scenario)
        if entry.published:
            key = published.get(key, (f"{entry.benchmark} (official)", entry.scenario) if key in taken else key)
        groups.setdefault(key, []).append(entry)
    return groups


def _row(baseline: ComparedResult, entry: ComparedResult) -> Row:
    ratio = entry.time_ratio(baseline) if _same_model(baseline, entry) else None
    interval = None
    if ratio is not None and entry is not baseline and entry.ratio_bounds and baseline.ratio_bounds:
        interval = ratio_of(baseline.ratio_bounds, entry.ratio_bounds)
    difference = None
    if entry.accuracy is not None and baseline.accuracy is not None and entry.metric == baseline.metric:
        difference = entry.accuracy - baseline.accuracy
    return Row(
        entry,
        ratio,
        interval,
        entry.interval,
        difference,
    )


def _same_model(one: ComparedResult, other: ComparedResult) -> bool:
    """Own results may differ in the model file, with a warning; published ones only have their model."""
    return not (one.published or other.published) or one.published_as == other.published_as


def _remarks(groups: Sequence[Group]) -> list[str]:
    remarks = []
    for group in groups:
        for row in group.rows:
            if row.entry.refused:
                remarks.append(f"{row.entry.label}: no claim about speed on {group.benchmark}: {row.entry.refused}")
            if not _same_model(group.baseline, row.entry):
                remarks.append(f"{row.entry.label} ran another model than {group.baseline.label}: {row.entry.model}")
            mine, theirs = row.entry.score, group.baseline.score
            if mine and theirs and mine.kind != theirs.kind:
                remarks.append(f"{row.entry.label} reports the {mine.name}, {group.baseline.label} the {theirs.name}: "
                            f"not compared on {group.benchmark}")  # fmt: skip
        regions = {row.entry.facts.get("timed_region") for row in group.rows} - {None}
        if len(regions) > 1:
            remarks.append(f"{group.benchmark}: the timed regions differ, so the speeds do: see timed_region")
        metrics = {row.entry.metric for row in group.rows if row.entry.metric}
        if len(metrics) > 1:
            remarks.append(f"{group.benchmark}: accuracies are {', '.join(sorted(metrics))}, and not compared")
    kinds = {bool(row.entry.published) for group in groups for row in group.rows}
    if kinds == {True, False}:
        remarks.append("environment, versions and model files of official results are not known")
    return remarks


def _alone(entry: ComparedResult, entries: Sequence[ComparedResult]) -> str:
    """Why a result is not compared."""
    same = [e for e in entries if e is not entry and (e.benchmark, e.scenario) == (entry.benchmark, entry.scenario)]
    if same:
        return f"{entry.label} ran {entry.model}, {same[0].label} {same[0].model}: {entry.benchmark} is not compared"
    return f"only {entry.label} has {entry.benchmark}, {entry.scenario}: not compared"


def _kinds(entries: Sequence[ComparedResult]) -> list[str]:
    return [f"{e.label} has {e.benchmark}, {e.scenario}, {e.model}" for e in entries[:12]] or ["no results"]
