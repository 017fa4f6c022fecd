"""Whether a performance score is reproduced when it is measured several times in a campaign.

Source: mobile_open, rules/submissionRuleV3_0.adoc: a submitter's number is repeated within 5 % in at most 5 tries, with
5 minutes between them.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from mlperf_mobile.performance_score import PerformanceScore, is_possible
from mlperf_mobile.results.model import Result
from mlperf_mobile.results.rule import RuleResult

WITHIN = 0.05


@dataclass(frozen=True, slots=True)
class Repetitions:
    """One benchmark, measured several times."""

    benchmark: str
    scenario: str
    scores: tuple[PerformanceScore, ...]
    """Scores of one kind; invalid and failed runs are left out."""
    left_out: int
    """Number of runs that are invalid, failed, or have no score of this kind."""
    swept: str = ""
    """Its values in a sweep: ``threads=2, model=a``."""

    @property
    def median(self) -> float:
        """The median of the scores, in their unit."""
        return statistics.median(score.value for score in self.scores)

    @property
    def spread(self) -> float:
        """The largest difference in speed from the median, as a share of it."""
        speeds = [1 / score.cost for score in self.scores]
        middle = statistics.median(speeds)
        return max(abs(speed - middle) for speed in speeds) / middle

    def to_json(self) -> dict[str, Any]:
        """As JSON-serialisable data; ``scores`` are in ``unit``."""
        kind = self.scores[0] if self.scores else None
        return {
            "benchmark": self.benchmark, "scenario": self.scenario, "score": kind.name if kind else None,
            "unit": kind.unit if kind else None, "scores": [score.value for score in self.scores],
            "left_out": self.left_out, "swept": self.swept, "rules": [rule.model_dump() for rule in self.rules()],
        }  # fmt: skip

    def rules(self) -> list[RuleResult]:
        """Whether all scores are within 5 % of their median, and all runs count."""
        runs = len(self.scores) + self.left_out
        rules = [RuleResult(name="all-runs-count", ok=not self.left_out, observed=len(self.scores), required=runs)]
        if len(self.scores) > 1:
            note = "the largest difference from the median"
            rules.append(
                RuleResult(
                    name="within-5-percent", ok=self.spread <= WITHIN, observed=self.spread, required=WITHIN, note=note
                )
            )
        return rules


def score(result: Result) -> PerformanceScore | None:
    """The run's score; None if it has none, or one that no run can have, such as zero."""
    found = result.performance.score if result.performance else None
    return found if found and is_possible(found.value) else None


def repetitions(results: Iterable[Result]) -> list[Repetitions]:
    """Every benchmark that was measured more than once; not where valid runs have no score by their scenario."""
    groups: dict[tuple[str, str, str], list[Result]] = {}
    for result in results:
        if result.mode != "accuracy":
            groups.setdefault((result.benchmark, result.scenario, result.swept_text), []).append(result)
    found = []
    for (benchmark, scenario, swept), runs in groups.items():
        valid = [value for run in runs if run.valid and (value := score(run))]
        scores = [value for value in valid if value.kind == valid[0].kind]
        unscored = all(run.valid and run.performance and run.performance.score is None for run in runs)
        if len(runs) > 1 and not unscored:
            found.append(Repetitions(benchmark, scenario, tuple(scores), len(runs) - len(scores), swept))
    return found
