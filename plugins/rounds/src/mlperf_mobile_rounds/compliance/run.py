"""Runs the compliance tests on one result."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlperf_mobile import events, loadgen
from mlperf_mobile.errors import UsageError
from mlperf_mobile.launch.local import launch
from mlperf_mobile.loadgen import accuracy_log
from mlperf_mobile.plan import Plan, identity
from mlperf_mobile.results import latencies, store, tokens
from mlperf_mobile.results.model import Result, Status
from mlperf_mobile.results.rule import RuleResult
from mlperf_mobile_rounds.compliance.catalogue import ComplianceTest, same_responses
from mlperf_mobile_rounds.compliance.tokens import ID_BYTES, Limits, paired, token_rules

Show = Callable[[ComplianceTest, Plan], AbstractContextManager[Callable[[events.Event], None]]]


@dataclass(frozen=True, slots=True)
class ComplianceVerdict:
    """One test's outcome."""

    test: str
    rules: tuple[RuleResult, ...]
    directory: str

    @property
    def passed(self) -> bool:
        return all(rule.ok for rule in self.rules)


def comply(folder: Path, tests: Iterable[ComplianceTest], output: Path, show: Show) -> Iterator[ComplianceVerdict]:
    """The verdicts, one after the other; each test writes a separate result.

    Args:
        folder: Of a result with performance and accuracy.
        tests: Which tests.
        output: The folder for results.
        show: Shows a run.

    Raises:
        UsageError: The result has no performance or no accuracy, is not valid, or LoadGen did not time it.
        DataError: Its accuracy log cannot be read.
    """
    tested, plan = store.read(folder), store.read_plan(folder)
    check_claim(folder, tested)
    tests = list(tests)
    if any(test.compares_responses or test.compares_tokens for test in tests):
        _expected(folder, set())  # reads the whole log now: a damaged one must not cost a measurement
    for test in tests:
        changed = test.plan(plan, tested)
        name = f"{plan.benchmark}-{test.name}"
        changed = changed.model_copy(update=identity(name))
        with show(test, changed) as listen:
            result = launch(changed, output, listen)
        yield ComplianceVerdict(test.name, tuple(_rules(test, folder, tested, result)), result.directory)
        if result.status is Status.INTERRUPTED:
            return


def check_claim(folder: Path, tested: Result) -> None:
    """Refuse a result that no test can measure again.

    Raises:
        UsageError: ``no-claim``: names what it lacks.
    """
    parts = {"performance": tested.performance, "accuracy": tested.accuracy}
    if missing := [name for name, part in parts.items() if part is None]:
        hint = "run it with --mode both, and name that result"
        raise UsageError("no-claim", f"{folder} has no {' and no '.join(missing)}", hint)
    if not tested.valid:
        raise UsageError("no-claim", f"{folder} is not valid: {tested.verdict}", "name a valid result")
    if tested.performance and tested.performance.loadgen.version is None:
        summary = f"{folder}: scenario {tested.scenario} is not timed by LoadGen, whose settings and logs the tests use"
        raise UsageError("no-claim", summary, "run it with another --scenario, and name that result")


def _rules(test: ComplianceTest, folder: Path, tested: Result, result: Result) -> list[RuleResult]:
    rules = test.rules(tested, result)
    if test.compares_responses and result.status is Status.COMPLETED:
        logged = list(loadgen.read_responses(Path(result.directory) / "performance" / loadgen.ACCURACY_LOG))
        rules += same_responses(_expected(folder, {index for index, _ in logged}), logged, _common_bytes(tested))
    if test.compares_tokens:
        rules += _token_rules(folder, result) if result.status is Status.COMPLETED else [_unfinished(result)]
    return rules


def _expected(folder: Path, samples: set[int]) -> dict[int, bytes]:
    """The responses of the accuracy run to these samples."""
    answered = loadgen.read_responses(loadgen.responses_of(folder / "accuracy"))
    return {index: response for index, response in answered if index in samples}


def _common_bytes(tested: Result) -> int | None:
    """How much of two answers of a language model must be equal: the limits of both modes differ.

    The last id of a text that was cut may be another one when the text goes on.
    """
    facts = _facts(tested)
    both = facts.get("generation")
    limits = [each.get("max_new_tokens") for each in both.values()] if isinstance(both, dict) else []
    known = [each for each in limits if isinstance(each, int)]
    return ID_BYTES * (min(known) - bool(facts.get("tokens_counted_by"))) if known else None


def _facts(result: Result) -> dict[str, Any]:
    return (result.system.model_extra or {}) if result.system else {}


def _token_rules(folder: Path, result: Result) -> list[RuleResult]:
    """The rules about tokens, from the logs and the saved answers of the test."""
    place = Path(result.directory)
    limits = Limits.of(_facts(result))
    if limits is None:
        return [RuleResult(name="tokens-generated", ok=False, observed="no limits in the result", required="limits")]
    items = list(accuracy_log.read([place / "performance" / loadgen.ACCURACY_LOG]))
    saved = list(tokens.answers(latencies.read(place / tokens.TOKENS), latencies.read(place / latencies.FILE)))
    return token_rules(paired(items, saved), _expected(folder, {item.index for item in items}), limits)


def _unfinished(result: Result) -> RuleResult:
    return RuleResult(name="completed", ok=False, observed=result.status.value, required=Status.COMPLETED.value)
