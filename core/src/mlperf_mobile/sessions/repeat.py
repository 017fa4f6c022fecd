"""Whether a number holds when it is measured again: the rules for repeating and for auditing a claim.

Source: mobile_open, rules/submissionRuleV3_0.adoc: a submitter's number is repeated within 5 % in at most 5 tries, with
5 minutes between them; an audit has 5 tries, and passes with 95 % of the claim.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mlperf_mobile.errors import UsageError
from mlperf_mobile.results.model import Result
from mlperf_mobile.results.rule import RuleResult

TRIES = 5
WAIT_S = 300.0
WITHIN = 0.05
AUDIT_SHARE = 0.95


@dataclass(frozen=True, slots=True)
class Repeated:
    """One benchmark, measured several times."""

    benchmark: str
    scenario: str
    scores: tuple[float, ...]
    """Samples per second, the more the better; those of runs that do not count are left out."""
    left_out: int
    """Runs that are invalid or failed."""

    @property
    def median(self) -> float:
        return statistics.median(self.scores)

    @property
    def spread(self) -> float:
        """The largest difference from the median, as a share of it."""
        return max(abs(score - self.median) for score in self.scores) / self.median

    def rules(self) -> list[RuleResult]:
        """Whether all scores are within 5 % of their median, and all runs count."""
        runs = len(self.scores) + self.left_out
        found = [RuleResult(name="all-runs-count", ok=not self.left_out, observed=len(self.scores), required=runs)]
        if len(self.scores) > 1:
            note = "the largest difference from the median"
            found.append(
                RuleResult(
                    name="within-5-percent", ok=self.spread <= WITHIN, observed=self.spread, required=WITHIN, note=note
                )
            )
        return found


def score(result: Result) -> float | None:
    """Samples per second as the benchmark counts them: 1 / p90 of single-stream, else the throughput; None without one.

    Source: mobile_app_open, flutter/lib/benchmark/benchmark.dart: single-stream throughput is 1 / latency90.
    """
    performance = result.performance
    if performance is None:
        return None
    latency = performance.latency_ns.get("target_percentile") or performance.latency_ns.get("p90")
    if result.scenario == "single-stream":
        return 1e9 / latency if latency else None
    return performance.throughput or None


def repeated(results: Iterable[Result]) -> list[Repeated]:
    """Every benchmark that was measured more than once."""
    groups: dict[tuple[str, str], list[Result]] = {}
    for result in results:
        if result.mode != "accuracy":
            groups.setdefault((result.benchmark, result.scenario), []).append(result)
    found = []
    for (benchmark, scenario), runs in groups.items():
        scores = [value for run in runs if run.valid and (value := score(run))]
        if len(runs) > 1:
            found.append(Repeated(benchmark, scenario, tuple(scores), len(runs) - len(scores)))
    return found


def claim_of(result: Result) -> float:
    """The number that an audit holds a result to.

    Raises:
        UsageError: It has none.
    """
    claim = score(result)
    if claim is None:
        raise UsageError("no-claim", f"{result.directory} has no performance to audit", "name a performance run")
    return claim


def audited(claim: float, scores: Sequence[float]) -> RuleResult:
    """Whether the best try reaches 95 % of the claim."""
    best = max(scores, default=0.0)
    note = f"{len(scores)} of at most {TRIES} tries, the best counts"
    return RuleResult(
        name="audit", ok=best >= AUDIT_SHARE * claim, observed=best, required=AUDIT_SHARE * claim, note=note
    )
