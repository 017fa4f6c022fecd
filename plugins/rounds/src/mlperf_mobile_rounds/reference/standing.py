"""Ranks a score among the published results of the same benchmark."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mlperf_mobile_rounds.reference.table import PublishedResult, benchmark_of, published_results

if TYPE_CHECKING:
    from mlperf_mobile.results.model import Result


@dataclass(frozen=True, slots=True)
class Standing:
    """The rank of a score, from the fastest; neighbours are the nearest results that differ from it."""

    benchmark: str
    scenario: str
    value: float
    """In the unit of the published scores."""
    higher_is_better: bool
    place: int
    of: int
    """Published results, without this one."""
    slower: PublishedResult | None
    faster: PublishedResult | None
    equal: tuple[PublishedResult, ...]

    @property
    def sentence(self) -> str:
        """``between a Snapdragon 8 Gen 2 (v3.0, 0.255000 ms) and a Snapdragon 8 Gen 3 (v4.0, 0.184322 ms)``."""
        if self.equal:
            return "equal to " + " and ".join(described(row) for row in self.equal)
        if self.slower and self.faster:
            return f"between {described(self.slower)} and {described(self.faster)}"
        if self.slower:
            return f"faster than all {self.of} official results, the fastest of them {described(self.slower)}"
        assert self.faster is not None
        return f"slower than all {self.of} official results, the slowest of them {described(self.faster)}"

    def to_json(self) -> dict[str, Any]:
        """As JSON-serialisable data."""
        return {
            "benchmark": self.benchmark,
            "scenario": self.scenario,
            "place": self.place,
            "of": self.of,
            "slower": self.slower.name if self.slower else None,
            "faster": self.faster.name if self.faster else None,
            "equal": [row.name for row in self.equal],
            "sentence": self.sentence,
        }


def standing(benchmark: str, scenario: str, value: float) -> Standing | None:
    """The rank of a score among the closed division's results of all rounds, or the open division's without any.

    Args:
        benchmark: A name of the rounds, such as ``image_classification_v2``.
        scenario: The scenario of the published results.
        value: In their unit: the 90th percentile in nanoseconds, or samples per second.

    Returns:
        None if nothing was published, or the value is not a number above zero.
    """
    if not (math.isfinite(value) and value > 0):
        return None
    rows = [row for row in published_results() if (row.benchmark, row.scenario) == (benchmark, scenario)]
    rows = [row for row in rows if row.division == "closed"] or rows
    if not rows:
        return None
    higher = rows[0].score.higher_is_better
    sign = 1 if higher else -1
    rows.sort(key=lambda row: sign * row.value)
    slower = [row for row in rows if sign * row.value < sign * value]
    faster = [row for row in rows if sign * row.value > sign * value]
    return Standing(
        benchmark, scenario, value, higher, len(faster) + 1, len(rows), slower[-1] if slower else None,
        faster[0] if faster else None, tuple(row for row in rows if row.value == value),
    )  # fmt: skip


def standing_of(result: Result) -> Standing | None:
    """The rank of a result.

    Returns:
        None if it is not valid, ran on a simulator or a stand-in, ran a model without published results, or has another
        kind of score than the published results.
    """
    benchmark = benchmark_of(result.model.name, result.scenario)
    if benchmark is None or result.performance is None or not result.valid or result.functional_only:
        return None
    score = result.performance.score
    if score is None or score.kind != benchmark.score.kind:
        return None
    return standing(benchmark.name, result.scenario, score.value)


def described(row: PublishedResult) -> str:
    """The name of a published result in a sentence."""
    article = "an" if row.soc[:1] in "AEIOU" else "a"
    return f"{article} {row.soc} ({row.round}, {row.text})"
