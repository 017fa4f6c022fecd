"""``mlperf-mobile check DIR``: checks submissions and results."""

from __future__ import annotations

import argparse
import json
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlperf_mobile.errors import ExitCode

if TYPE_CHECKING:
    from mlperf_mobile_rounds.official.findings import Report

_EXAMPLES = """examples:
  mlperf-mobile check mobile_results_v3.1           a whole round
  mlperf-mobile check closed/ACME/results/phone     a part of a submission, a log folder, or a result file
  mlperf-mobile check mlperf-mobile-results         results of this program: were they edited?
  mlperf-mobile check DIR --round v5.0 --json
The exit code is 1 if there are errors, or nothing to check.
"""
MAX_SHOWN = 5
"""Findings shown per file and rule; --all shows all of them."""


def add(command: argparse.ArgumentParser) -> None:
    """Add its arguments to the parser of the command."""
    command.description = "Check logs, result files and descriptions. Everything that can be recomputed is recomputed."
    command.epilog = _EXAMPLES
    command.add_argument("directory", metavar="PATH", type=Path, help="a submission, a part of one, or results")
    command.add_argument("--round", metavar="NAME", help="the round, such as v3.1; by default inferred from the seeds")
    command.add_argument(
        "--signers",
        metavar="FILE",
        type=Path,
        help="the allowed signers of results, in the format of ssh-keygen",
    )
    command.add_argument("--all", action="store_true", help="show all notes, and all checks that were not possible")
    command.add_argument("--json", action="store_true", help="print JSON")
    command.set_defaults(handler=handle)


def handle(args: argparse.Namespace) -> int:
    """Run the command."""
    from mlperf_mobile.registry import installed_plugins
    from mlperf_mobile_rounds.benchmarks import say_problems
    from mlperf_mobile_rounds.official.checker import check

    with redirect_stdout(sys.stderr):  # plugins' code is imported, and standard output is for the report
        report = check(args.directory, installed_plugins(), args.round, args.signers)
    say_problems()
    if args.json:
        print(json.dumps(report.to_json(), indent=2))
    else:
        print("\n".join(lines(report, everything=args.all)))
    return ExitCode.OK if report.clean else ExitCode.NOT_VALID


def lines(report: Report, *, everything: bool = False) -> list[str]:
    """The report as text: findings by file, what was not checked by rule, and the counts."""
    from mlperf_mobile_rounds.official.findings import Place, Severity

    shown: list[str] = []
    by_file: dict[Path, list[Any]] = {}
    for finding in report.findings:
        if everything or finding.severity is not Severity.NOTE:
            by_file.setdefault(finding.place.path, []).append(finding)
    for path in sorted(by_file):
        shown.append(Place(path).text(report.root))
        seen: dict[str, int] = {}
        for finding in by_file[path]:
            seen[finding.rule] = seen.get(finding.rule, 0) + 1
            if everything or seen[finding.rule] <= MAX_SHOWN:
                place = finding.place
                where = ":".join(str(part) for part in (place.line, place.column) if part is not None)
                named = Place(Path(), key=place.key).text()[3:] if place.key else ""
                where = ": ".join(part for part in (f"line {where}" if where else "", named) if part)
                start = f"{finding.severity.value:<8}{finding.rule}: "
                shown.append(f"  {start}{f'{where}: ' if where else ''}{finding.text}")
        shown += [
            f"          {rule}: {count - MAX_SHOWN} more"
            for rule, count in seen.items()
            if count > MAX_SHOWN and not everything
        ]
    if report.unchecked:
        shown += ["", "not checked"] if shown else ["not checked"]
        shown += _unchecked(report, everything=everything)
    if report.signatures:
        states = ", ".join(f"{len(folders)} {state}" for state, folders in report.signatures.items())
        shown += ["", f"signatures: {states}"]
    counts = report.to_json()["counts"]
    round_ = f"round {report.round}; " if report.round else ""
    states = ", ".join(_counted(counts[name], name) for name in ("error", "warning", "note"))
    rest = f"{counts['passed']} checks passed, {counts['not_checked']} not possible"
    verdict = "no errors" if report.clean else "NOT CLEAN"
    shown += ["", f"{round_}{states}; {rest}: {verdict}"]
    return shown[1:] if shown[0] == "" else shown


def _counted(number: int, name: str) -> str:
    return f"{number} {name}" if number == 1 else f"{number} {name}s"


def _unchecked(report: Report, *, everything: bool) -> list[str]:
    if everything:
        return [f"  {each.rule}: {each.place.text(report.root)}: {each.why}" for each in report.unchecked]
    groups: dict[tuple[str, str], list[Any]] = {}
    for each in report.unchecked:
        groups.setdefault((each.rule, each.why), []).append(each)
    shown = []
    for (rule, why), each_of in groups.items():
        places = f"{len(each_of)} times" if len(each_of) > 1 else each_of[0].place.text(report.root)
        shown.append(f"  {rule}: {why} ({places})")
    return shown
