"""An audit: measures a result again until one try reaches its claim.

Source: mobile_open, rules/submissionRuleV3_0.adoc: an audit has 5 tries, with 5 minutes between them, and passes with
95 % of the claim.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from mlperf_mobile.campaigns.repeat import score
from mlperf_mobile.errors import UsageError
from mlperf_mobile.performance_score import PerformanceScore
from mlperf_mobile.results.model import Result
from mlperf_mobile.results.rule import RuleResult

TRIES = 5
SHARE = 0.95
"""The fraction of the claim's speed that a try has to reach."""


@dataclass(frozen=True, slots=True)
class Try:
    """One run of an audit."""

    result: Result
    score: PerformanceScore | None
    """None if it has no score that counts."""

    def to_json(self) -> dict[str, Any]:
        """As JSON-serialisable data."""
        value = self.score.value if self.score else None
        return {"directory": self.result.directory, "valid": self.result.valid, "score": value}


@dataclass(slots=True)
class Audit:
    """The claim of a result, and the tries so far to reach it."""

    claim: PerformanceScore
    tries: list[Try] = field(default_factory=list)

    @classmethod
    def of(cls, result: Result) -> Audit:
        """An audit of a result.

        Raises:
            UsageError: The result has no score.
        """
        claim = score(result)
        if claim is None:
            what = "score" if result.performance else "performance"
            raise UsageError("no-claim", f"{result.directory} has no {what} to audit", "name a run that has one")
        return cls(claim)

    def run(self, results: Iterable[Result]) -> Iterator[Try]:
        """Each result as a try, until one reaches the claim or fails; ``results`` measures lazily."""
        for result in results:
            one = Try(result, score(result) if result.valid or not result.error else None)
            self.tries.append(one)
            yield one
            if result.error or self.rule().ok:
                return

    @property
    def best(self) -> PerformanceScore | None:
        """The best score of the claim's kind; None without one."""
        scores = [one.score for one in self.tries if one.score and one.score.kind == self.claim.kind]
        return min(scores, key=lambda score: score.cost, default=None)

    def rule(self) -> RuleResult:
        """Whether the best try is at least 95 % as fast as the claim."""
        claim, best = self.claim, self.best
        count = sum(1 for one in self.tries if one.score and one.score.kind == claim.kind)
        limit = claim.value * SHARE if claim.higher_is_better else claim.value / SHARE
        order = "at least" if claim.higher_is_better else "at most"
        note = f"{claim.unit}, {order}; {count} of at most {TRIES} tries, the best counts"
        ok = best is not None and best.speed_against(claim) >= SHARE
        return RuleResult(name="audit", ok=ok, observed=best.value if best else None, required=limit, note=note)
