"""The tests: how each measures a result again, and what passes.

Source: mlcommons/inference, compliance/: TEST01 (accuracy in performance mode: the same responses, within 10 %), TEST04
(the same sample in every query: no more than 10 % faster), TEST05 (other seeds: within 5 %). Latencies of 0.2 ms and
less vary more from run to run, so their limit is 20 %.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from mlperf_mobile.campaigns.repeat import score
from mlperf_mobile.performance_score import NANOSECONDS
from mlperf_mobile.plan import Plan
from mlperf_mobile.results.model import Result
from mlperf_mobile.results.rule import RuleResult
from mlperf_mobile.terms import Mode, Seeds

SHORT_NS = 200_000
SHORT_TOLERANCE = 0.20
SAMPLED = 128
"""Responses that TEST01 compares, about: upstream's ``accuracy_log_sampling_target`` of the small benchmarks."""
LOG_SEED = 720381539243781796
"""Upstream's ``accuracy_log_rng_seed`` of TEST01."""
SAME_INDEX = 3
"""Upstream's ``performance_issue_same_index`` of TEST04."""

Responses = Mapping[int, bytes]
"""Responses by sample."""


@dataclass(frozen=True, slots=True)
class ComplianceTest:
    """One way of measuring a result again."""

    name: str
    about: str
    plan: Callable[[Plan, Result], Plan]
    """The run, from the plan and the result that are tested."""
    rules: Callable[[Result, Result], list[RuleResult]]
    """The rules that its result must meet, given the tested result."""
    compares_responses: bool = False


def same_responses(expected: Responses, logged: list[tuple[int, bytes]]) -> list[RuleResult]:
    """TEST01: the responses of the timed run equal those of the accuracy run."""
    equal = sum(expected.get(index) == response for index, response in logged)
    share = equal / len(logged) if logged else 0.0
    note = f"{equal} of {len(logged)} logged responses are those of the accuracy run"
    return [
        RuleResult(name="responses-logged", ok=bool(logged), observed=len(logged), required=1),
        RuleResult(name="same-responses", ok=share == 1.0, observed=share, required=1.0, note=note),
    ]


def _again(plan: Plan, loadgen: Mapping[str, int | float | bool], seeds: Seeds | None = None) -> Plan:
    load = plan.load.model_copy(update={"loadgen": dict(loadgen), "seeds": seeds or plan.load.seeds})
    return plan.model_copy(update={"mode": Mode.PERFORMANCE, "load": load, "session": None, "official": None})


def _test01(plan: Plan, result: Result) -> Plan:
    """On the data of the accuracy run, whose responses are known."""
    queries = result.performance.samples if result.performance else SAMPLED
    probability = min(1.0, SAMPLED / max(1, queries))
    settings = {"accuracy_log_rng_seed": LOG_SEED, "accuracy_log_probability": probability}
    return _again(plan, settings).model_copy(update={"performance_dataset": None})


def _test04(plan: Plan, result: Result) -> Plan:
    held = (result.system.performance_sample_count if result.system else None) or 1
    index = SAME_INDEX if held > SAME_INDEX else 0
    return _again(plan, {"performance_issue_same": True, "performance_issue_same_index": index})


def _test05(plan: Plan, result: Result) -> Plan:
    """Unannounced seeds: the next numbers of Knuth's MMIX generator."""
    other = {
        name: (seed * 6364136223846793005 + 1442695040888963407) % 2**64
        for name, seed in plan.load.seeds.model_dump().items()
    }
    return _again(plan, {}, Seeds(**other))


def _tolerance(result: Result, usual: float) -> float:
    claimed = score(result)
    return SHORT_TOLERANCE if claimed and claimed.unit == NANOSECONDS and claimed.value <= SHORT_NS else usual


def _within(usual: float, *, faster_only: bool = False) -> Callable[[Result, Result], list[RuleResult]]:
    """The score of the test is within a tolerance of the result's; or only not above it."""

    def rules(tested: Result, test: Result) -> list[RuleResult]:
        tolerance, claimed, found = _tolerance(tested, usual), score(tested), score(test)
        ratio = found.speed_against(claimed) if found and claimed and found.kind == claimed.kind else 0.0
        ok = 0 < ratio < 1 + tolerance if faster_only else abs(ratio - 1) <= tolerance
        name = "not-faster" if faster_only else "same-speed"
        required = f"below {1 + tolerance:.2f}" if faster_only else f"{1 - tolerance:.2f} to {1 + tolerance:.2f}"
        note = f"its speed by the {claimed.name if claimed else 'score'}, as a share of that of the result"
        return [
            RuleResult(name="valid-run", ok=test.valid, observed=test.verdict, required="VALID"),
            RuleResult(name=name, ok=ok, observed=round(ratio, 4), required=required, note=note),
        ]

    return rules


TESTS = (
    ComplianceTest("TEST01", "accuracy in performance mode: the timed answers are real", _test01, _within(0.10), True),
    ComplianceTest(
        "TEST04", "the same sample in every query: nothing is cached", _test04, _within(0.10, faster_only=True)
    ),
    ComplianceTest("TEST05", "other seeds: none are favoured", _test05, _within(0.05)),
)
