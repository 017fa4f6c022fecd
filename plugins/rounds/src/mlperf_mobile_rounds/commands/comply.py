"""``mlperf-mobile comply``: MLPerf's compliance tests on a result."""

from __future__ import annotations

import argparse
import json
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

from mlperf_mobile.errors import ExitCode, UsageError, did_you_mean

if TYPE_CHECKING:
    from mlperf_mobile.campaigns.run import Listen
    from mlperf_mobile.plan import Plan
    from mlperf_mobile_rounds.compliance.catalogue import ComplianceTest
    from mlperf_mobile_rounds.compliance.run import ComplianceVerdict


def add(command: argparse.ArgumentParser) -> None:
    """Add its arguments to the parser of the command."""
    command.description = (
        "Run MLPerf's compliance tests on a result: TEST01, TEST04 and TEST05; for language models TEST01, TEST05 and "
        "TEST06."
    )
    command.epilog = (
        "The result needs performance and accuracy (--mode both). Each test takes as long as the timed run."
    )
    command.add_argument("result", metavar="RESULT", type=Path, help="a result with performance and accuracy")
    command.add_argument("--test", metavar="NAME", action="append", default=[], help="only this test, such as TEST01")
    command.add_argument("--output", metavar="DIR", type=Path, help="folder for results; that of the result by default")
    command.add_argument("--json", action="store_true", help="print JSON")
    command.add_argument("--quiet", action="store_true", help="do not show progress")
    command.set_defaults(handler=handle)


def handle(args: argparse.Namespace) -> int:
    """Run the command; exit code 1 when a test is not passed."""
    from mlperf_mobile.terminal.progress import listener
    from mlperf_mobile_rounds.compliance.catalogue import TESTS, suiting
    from mlperf_mobile_rounds.compliance.run import comply
    from mlperf_mobile_rounds.follows import read_with_warning

    known = {test.name: test for test in TESTS}
    if unknown := next((name for name in args.test if name not in known), None):
        raise UsageError("unknown-test", f"--test {unknown}: the test is unknown", did_you_mean(unknown, known))
    tests = suiting(read_with_warning(args.result), [known[name] for name in dict.fromkeys(args.test)])

    def show(test: ComplianceTest, plan: Plan) -> AbstractContextManager[Listen]:
        return listener(f"{test.name} {plan.benchmark}", quiet=args.quiet)

    verdicts = []
    for verdict in comply(args.result, tests, args.output or args.result.resolve().parent, show):
        verdicts.append(verdict)
        if not args.json:
            _print(verdict, known[verdict.test].about)
    passed = len(verdicts) == len(tests) and all(verdict.passed for verdict in verdicts)
    if args.json:
        records = [
            {"test": each.test, "passed": each.passed, "directory": each.directory}
            | {"rules": [rule.model_dump() for rule in each.rules]}
            for each in verdicts
        ]
        print(json.dumps({"schema": 1, "result": str(args.result), "passed": passed, "tests": records}, indent=2))
    return ExitCode.OK if passed else ExitCode.NOT_VALID


def _print(verdict: ComplianceVerdict, about: str) -> None:
    print(f"{verdict.test} {'PASSED' if verdict.passed else 'FAILED'}: {about}")
    for rule in verdict.rules:
        mark = "ok" if rule.ok else "NO"
        print(f"  {mark}  {rule.name}: {rule.observed} of {rule.required}  {rule.note}".rstrip())
    print(f"  {verdict.directory}")
