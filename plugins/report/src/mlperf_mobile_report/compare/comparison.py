"""Results of the same benchmark and scenario against one of them, the baseline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from mlperf_mobile.errors import UsageError, did_you_mean
from mlperf_mobile.statistics import Interval, ratio_of
from mlperf_mobile_report.compare.differences import Difference, differences
from mlperf_mobile_report.compare.entry import Entry


@dataclass(frozen=True, slots=True)
class Row:
    """One number beside the baseline's."""

    entry: Entry
    ratio: float | None
    """Time for one sample divided by the baseline's: over 1 is slower. None where either makes no claim.

    Of a score where higher is better, the time is its inverse.
    """
    interval: Interval | None
    """Of the ratio; None where the latencies of either are not there."""
    own_interval: Interval | None
    """Of the score's percentile, in nanoseconds."""
    accuracy_difference: float | None

    def slower(self, limit: float, *, strict: bool = False) -> bool:
        """Whether it is slower than the baseline by more than ``limit`` (0.05 for 5 %), and surely so.

        Surely: the whole interval of the ratio is above 1. ``strict``, or the lack of an interval, leaves the ratio
        alone to decide.
        """
        if self.ratio is None or self.ratio <= 1 + limit:
            return False
        return strict or self.interval is None or self.interval.above(1)

    def to_json(self) -> dict[str, Any]:
        """As JSON-serialisable data."""
        entry = self.entry
        return {
            "label": entry.label, "source": entry.source, "model": entry.model, "runs_on": entry.runs_on,
            "options": entry.options,
            "value": entry.value, "unit": entry.unit, "score": entry.score.name if entry.score else None,
            "state": entry.state, "refused": entry.refused or None, "ratio": self.ratio,
            "ratio_interval": self.interval.to_json() if self.interval else None,
            "value_interval": self.own_interval.to_json() if self.own_interval else None,
            "accuracy": {"metric": entry.metric, "value": entry.accuracy} if entry.accuracy is not None else None,
            "accuracy_difference": self.accuracy_difference,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Group:
    """All numbers of one benchmark and scenario, the baseline first."""

    benchmark: str
    scenario: str
    rows: tuple[Row, ...]

    @property
    def baseline(self) -> Entry:
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
    """All groups that have something to compare, and what to keep in mind."""

    groups: tuple[Group, ...]
    differences: tuple[Difference, ...]
    warnings: tuple[str, ...] = field(default=())

    def slower(self, limit: float, *, strict: bool = False) -> list[tuple[Group, Row]]:
        """Those that are slower than their baseline; see :meth:`Row.slower`."""
        return [(group, row) for group in self.groups for row in group.rows[1:] if row.slower(limit, strict=strict)]

    def undecided(self) -> list[tuple[Group, Row]]:
        """Those that cannot be said to be slower or not, because they or their baseline make no claim."""
        return [(group, row) for group in self.groups for row in group.rows[1:] if row.ratio is None]

    def to_json(self) -> dict[str, Any]:
        """As JSON-serialisable data."""
        return {
            "groups": [group.to_json() for group in self.groups],
            "differences": [each.to_json() for each in self.differences],
            "warnings": list(self.warnings),
        }


def compare(
    entries: Sequence[Entry], baseline: str = "", warnings: Sequence[str] = (), *, alone: bool = False
) -> Comparison:
    """Pair the entries by benchmark and scenario, and compare each with the baseline of its group.

    A published result joins a group of ours only when that ran the published benchmark's model.

    Args:
        entries: In the order of the command line.
        baseline: A label; the first entry of each group without it.
        warnings: What reading them had to leave out.
        alone: Keep a number that no other can be compared with.

    Raises:
        UsageError: There is nothing to compare, or no such baseline.
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


def _called(entry: Entry, label: str) -> bool:
    return label in (entry.label, entry.label.partition(" #")[0])


def _grouped(entries: Sequence[Entry]) -> dict[tuple[str, str], list[Entry]]:
    """By benchmark and scenario, in order of appearance; published results beside ours that ran their model."""
    ours = [entry for entry in entries if not entry.official]
    taken = {(entry.benchmark, entry.scenario) for entry in ours}
    published = {
        (entry.published_as, entry.scenario): (entry.benchmark, entry.scenario)
        for entry in reversed(ours)
        if entry.published_as
    }
    groups: dict[tuple[str, str], list[Entry]] = {}
    for entry in entries:
        key = (entry.benchmark, entry.scenario)
        if entry.official:
            key = published.get(key, (f"{entry.benchmark} (official)", entry.scenario) if key in taken else key)
        groups.setdefault(key, []).append(entry)
    return groups


def _row(baseline: Entry, entry: Entry) -> Row:
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


def _same_model(one: Entry, other: Entry) -> bool:
    """Ours may differ in the file of the model, which is warned of; published ones are of their model only."""
    return not (one.official or other.official) or one.published_as == other.published_as


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
        metrics = {row.entry.metric for row in group.rows if row.entry.metric}
        if len(metrics) > 1:
            remarks.append(f"{group.benchmark}: accuracies are {', '.join(sorted(metrics))}, and not compared")
    kinds = {bool(row.entry.official) for group in groups for row in group.rows}
    if kinds == {True, False}:
        remarks.append("of official results, environment, versions and files of models are not known")
    return remarks


def _alone(entry: Entry, entries: Sequence[Entry]) -> str:
    """Why a number is compared with nothing."""
    same = [e for e in entries if e is not entry and (e.benchmark, e.scenario) == (entry.benchmark, entry.scenario)]
    if same:
        return f"{entry.label} ran {entry.model}, {same[0].label} {same[0].model}: {entry.benchmark} is not compared"
    return f"only {entry.label} has {entry.benchmark}, {entry.scenario}: not compared"


def _kinds(entries: Sequence[Entry]) -> list[str]:
    return [f"{e.label} is {e.benchmark}, {e.scenario}, {e.model}" for e in entries[:12]] or ["no results"]
