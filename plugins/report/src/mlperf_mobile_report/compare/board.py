"""The published results of a benchmark in order, with own results ranked among them or listed apart.

Language models have boards of own results alone, because nothing is published of them yet.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mlperf_mobile_rounds.reference.table import PublishedBenchmark, PublishedResult, benchmarks, published_results

if TYPE_CHECKING:
    from mlperf_mobile.performance_score import PerformanceScore
    from mlperf_mobile_report.compare.entry import ComparedResult


@dataclass(frozen=True, slots=True)
class BoardRow:
    """A published or an own result; equal scores share a place, and the open division has none."""

    place: int | None
    published: PublishedResult | None
    own: ComparedResult | None

    @property
    def value(self) -> float:
        """In the unit of the board's score."""
        entry = self.published or self.own
        assert entry is not None
        assert entry.value is not None
        return entry.value


@dataclass(frozen=True, slots=True)
class OwnBenchmark:
    """What the own results on one board have in common, where there are no published ones."""

    name: str
    scenario: str
    task: str
    metric: str
    model: str
    """Its name; several in a suite, where each result's own model is shown."""
    score: PerformanceScore
    """A score of the board, for the name, unit and direction of all of them."""


@dataclass(frozen=True, slots=True)
class Board:
    """One benchmark, from the fastest."""

    benchmark: PublishedBenchmark | OwnBenchmark
    places: tuple[BoardRow, ...]
    apart: tuple[ComparedResult, ...] = field(default=())
    """Own results that make no claim about speed, were edited, or report another kind of score."""

    def to_json(self) -> dict[str, Any]:
        """As JSON-serialisable data."""
        known = self.benchmark
        return {
            "benchmark": known.name, "scenario": known.scenario, "task": known.task, "model": known.model,
            "metric": known.metric, "unit": known.score.unit, "score": known.score.name,
            "places": [_place_json(place) for place in self.places],
            "apart": [_own_json(entry) | {"refused": self.why_apart(entry)} for entry in self.apart],
        }  # fmt: skip

    def why_apart(self, entry: ComparedResult) -> str:
        """Why an own result is not ranked."""
        if entry.refused or entry.score is None:
            return entry.refused
        if entry.doubt:
            return entry.doubt
        others = "other results" if isinstance(self.benchmark, OwnBenchmark) else "published results"
        return f"its score is the {entry.score.name}, but {others} report the {self.benchmark.score.name}"


def boards(
    rounds: Sequence[str], chosen: Iterable[PublishedBenchmark] | None = None, own: Iterable[ComparedResult] = ()
) -> list[Board]:
    """The boards that are not empty.

    Args:
        rounds: Only results of these rounds; all rounds if empty.
        chosen: Only these benchmarks; all of them if None.
        own: Own results, ranked among the published ones of their model.
    """
    ours = list(own)
    found = []
    for benchmark in benchmarks() if chosen is None else chosen:
        rows = [
            row for row in published_results()
            if (row.benchmark, row.scenario) == (benchmark.name, benchmark.scenario)
            and (not rounds or row.round in rounds)
        ]  # fmt: skip
        mine = [entry for entry in ours if (entry.published_as, entry.scenario) == (benchmark.name, benchmark.scenario)]
        if rows or mine:
            found.append(_board(benchmark, rows, mine))
    return found


def own_boards(own: Iterable[ComparedResult]) -> list[Board]:
    """Boards of language models that have no published results: one for each benchmark and scenario of a suite.

    Outside of suites, each model has a board of its own. The score's direction and unit are those that the results
    report. Results without a score have no board, unless others of the benchmark have one.
    """
    groups: dict[tuple[str, ...], list[ComparedResult]] = {}
    for entry in own:
        if entry.tokens is not None and not entry.published_as:
            groups.setdefault((entry.benchmark, entry.scenario, entry.suite, entry.suite or entry.model), []).append(
                entry
            )
    found = []
    for (name, scenario, _, _), entries in groups.items():
        scores = [entry.score for entry in entries if entry.score and not entry.refused and not entry.doubt]
        if scores:
            models = ", ".join(dict.fromkeys(entry.model for entry in entries))
            metric = next((entry.metric for entry in entries if entry.metric), "")
            benchmark = OwnBenchmark(name, scenario, entries[0].task, metric, models, scores[0])
            found.append(_board(benchmark, (), entries))
    return found


def _board(
    benchmark: PublishedBenchmark | OwnBenchmark, rows: Iterable[PublishedResult], mine: Sequence[ComparedResult]
) -> Board:
    placed: list[ComparedResult] = []
    apart: list[ComparedResult] = []
    for entry in mine:
        alike = entry.score is not None and entry.score.kind == benchmark.score.kind
        (placed if alike and not entry.refused and not entry.doubt else apart).append(entry)
    places = [BoardRow(None, row, None) for row in rows] + [BoardRow(None, None, entry) for entry in placed]
    sign = -1 if benchmark.score.higher_is_better else 1
    places.sort(key=lambda place: (_open(place), sign * place.value))
    ranked = [place for place in places if not _open(place)]
    numbered = [
        BoardRow(1 + sum(sign * other.value < sign * place.value for other in ranked), place.published, place.own)
        for place in ranked
    ]
    return Board(benchmark, (*numbered, *places[len(ranked) :]), tuple(apart))


def _open(place: BoardRow) -> bool:
    return place.published is not None and place.published.division != "closed"


def _place_json(place: BoardRow) -> dict[str, Any]:
    if place.own:
        return {"place": place.place, "own": True} | _own_json(place.own)
    row = place.published
    assert row is not None
    return {
        "place": place.place, "own": False, "name": row.name, "round": row.round, "division": row.division,
        "category": row.category or None, "organisation": row.organisation, "device": row.device, "soc": row.soc,
        "framework": row.framework or None, "accelerator": row.accelerator or None, "value": row.value,
        "published": row.p90_ns or row.samples_per_s, "accuracy": row.accuracy or None,
        "source": f"https://github.com/{row.repository}", "path": row.path,
    }  # fmt: skip


def _own_json(entry: ComparedResult) -> dict[str, Any]:
    accuracy = f"{entry.metric} {entry.accuracy:.4f}" if entry.accuracy is not None else None
    return {
        "name": entry.label, "runs_on": entry.runs_on, "options": entry.options_text or None,
        "value": entry.value, "state": entry.state,
        "accuracy": accuracy, "source": entry.source,
    } | _token_json(entry)  # fmt: skip


def _token_json(entry: ComparedResult) -> dict[str, Any]:
    """Of a language model: its name, and percentiles of both times in nanoseconds, None where they are not defined."""
    tokens = entry.tokens
    if tokens is None:
        return {}
    times = {
        f"{name}_{key}_ns": getattr(tokens, f"{name}_ns").get(key)
        for name in ("ttft", "tpot") for key in ("p50", "p90", "p99", "mean")
    }  # fmt: skip
    undefined = {"times_undefined": tokens.times_undefined} if tokens.times_undefined else {}
    return {"model": entry.model, **times, "new_tokens": tokens.generated.get("mean"), **undefined}
