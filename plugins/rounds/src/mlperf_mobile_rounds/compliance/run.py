"""Runs the compliance tests on one result."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from mlperf_mobile import events, loadgen
from mlperf_mobile.errors import UsageError
from mlperf_mobile.launch.local import launch
from mlperf_mobile.plan import Plan, identity
from mlperf_mobile.results import store
from mlperf_mobile.results.model import Result, Status
from mlperf_mobile.results.rule import RuleResult
from mlperf_mobile_rounds.compliance.catalogue import ComplianceTest, same_responses

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
        UsageError: The result has no performance or no accuracy, or is not valid.
        DataError: Its accuracy log cannot be read.
    """
    tested, plan = store.read(folder), store.read_plan(folder)
    if not (tested.performance and tested.accuracy and tested.valid):
        summary = f"{folder} is not a valid result with both performance and accuracy: {tested.verdict}"
        raise UsageError("no-claim", summary, "run it with --mode both, and name that result")
    for test in tests:
        changed = test.plan(plan, tested)
        name = f"{plan.benchmark}-{test.name}"
        changed = changed.model_copy(update=identity(name))
        with show(test, changed) as listen:
            result = launch(changed, output, listen)
        yield ComplianceVerdict(test.name, tuple(_rules(test, folder, tested, result)), result.directory)
        if result.status is Status.INTERRUPTED:
            return


def _rules(test: ComplianceTest, folder: Path, tested: Result, result: Result) -> list[RuleResult]:
    rules = test.rules(tested, result)
    if test.compares_responses and result.status is Status.COMPLETED:
        logged = list(loadgen.read_responses(Path(result.directory) / "performance" / loadgen.ACCURACY_LOG))
        in_log = {index for index, _ in logged}
        answered = loadgen.read_responses(folder / "accuracy" / loadgen.ACCURACY_LOG)
        expected = {index: response for index, response in answered if index in in_log}
        rules += same_responses(expected, logged)
    return rules
