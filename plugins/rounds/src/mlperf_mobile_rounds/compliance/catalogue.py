"""The tests: how each measures a result again, and what passes.

Source: mlcommons/inference, compliance/: TEST01 (accuracy in performance mode: the same responses, within 10 %), TEST04
(the same sample in every query: no more than 10 % faster), TEST05 (other seeds: within 5 %), TEST06 (tokens; see
:mod:`.tokens`). Latencies of 0.2 ms and less vary more from run to run, so their limit is 20 %. How long a language
model takes depends on the sample, so TEST04 is not for it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from mlperf_mobile.campaigns.repeat import score
from mlperf_mobile.errors import UsageError
from mlperf_mobile.performance_score import NANOSECONDS
from mlperf_mobile.plan import Plan
from mlperf_mobile.results.model import Result
from mlperf_mobile.results.rule import RuleResult
from mlperf_mobile.terms import Mode, Seeds
from mlperf_mobile_rounds.compliance.tokens import QUERIES

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
    compares_tokens: bool = False
    of_tokens: bool | None = None
    """Whether it is for language models only, or not for them; None: for all models."""

    def suits(self, result: Result) -> bool:
        """Whether it is a test for the model of a result; those of tokens need a scenario that reports first tokens."""
        found = result.performance.tokens if result.performance else None
        tokens = found is not None and not found.times_undefined
        return self.of_tokens is None or self.of_tokens == tokens


def same_responses(
    expected: Responses, logged: list[tuple[int, bytes]], longest: int | None = None
) -> list[RuleResult]:
    """TEST01: the responses of the timed run equal those of the accuracy run.

    Args:
        expected: Of the accuracy run.
        logged: Of the timed run.
        longest: How many bytes of both are compared: the answers of a language model may be longer in one of the runs.
    """
    equal = sum(_beginning(expected.get(index), longest) == response[:longest] for index, response in logged)
    share = equal / len(logged) if logged else 0.0
    note = f"{equal} of {len(logged)} logged responses are those of the accuracy run"
    return [
        RuleResult(name="responses-logged", ok=bool(logged), observed=len(logged), required=1),
        RuleResult(name="same-responses", ok=share == 1.0, observed=share, required=1.0, note=note),
    ]


def _beginning(response: bytes | None, longest: int | None) -> bytes | None:
    return None if response is None else response[:longest]


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


def _test06(plan: Plan, result: Result) -> Plan:
    """As many answers as upstream, all of them logged."""
    changed = _again(plan, {"accuracy_log_rng_seed": LOG_SEED, "accuracy_log_probability": 1.0})
    load = changed.load.model_copy(update={"min_query_count": QUERIES, "min_duration_s": 0.0})
    return changed.model_copy(update={"performance_dataset": None, "load": load})


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
        "TEST04",
        "the same sample in every query: nothing is cached",
        _test04,
        _within(0.10, faster_only=True),
        of_tokens=False,
    ),
    ComplianceTest("TEST05", "other seeds: none are favoured", _test05, _within(0.05)),
    ComplianceTest(
        "TEST06",
        "tokens: first ones, ends and counts are those of the answers",
        _test06,
        lambda tested, test: [],
        compares_tokens=True,
        of_tokens=True,
    ),
)


def suiting(result: Result, named: Sequence[ComplianceTest] = ()) -> list[ComplianceTest]:
    """The tests that are for the model of a result; only the named ones, if there are any.

    Raises:
        UsageError: A named test is not for it.
    """
    if wrong := next((test for test in named if not test.suits(result)), None):
        summary = f"--test {wrong.name} is {'only' if wrong.of_tokens else 'not'} for language models"
        raise UsageError("unknown-test", summary, "leave it out")
    return [*named] or [test for test in TESTS if test.suits(result)]
