"""``mlperf-mobile compare A B …``: results side by side, and whether one is slower."""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING

from mlperf_mobile.errors import ExitCode, UsageError
from mlperf_mobile.printing import clean

if TYPE_CHECKING:
    from mlperf_mobile_report.compare.comparison import Comparison, Group, Row
    from mlperf_mobile_report.tables.grid import Grid

_EXAMPLES = """examples:
  mlperf-mobile compare results/before results/after
  mlperf-mobile compare old=results/before new=results/after --baseline new
  mlperf-mobile compare results/mine official:v4.0/SD8G3 official:v5.0/SD8Elite/object_detection
  mlperf-mobile compare results/before results/after --fail-if-slower 5%
  mlperf-mobile compare mlperf-mobile-results --table backends --markdown
A time ratio is the time for one sample divided by the baseline's: above 1 is slower, in offline too.
Official results are named ROUND/SYSTEM/BENCHMARK; 'mlperf-mobile leaderboard' lists them.
"""
_DIFFERENCES_SHOWN = 25


def add(command: argparse.ArgumentParser) -> None:
    """Add its arguments to the parser of the command."""
    command.description = "Compare results with the first one of the same benchmark and scenario."
    command.epilog = _EXAMPLES
    command.add_argument(
        "results", metavar="[LABEL=]RESULT", nargs="+",
        help="a result folder, a folder of them, a result.json, or official:ROUND/SYSTEM[/BENCHMARK]",
    )  # fmt: skip
    command.add_argument("--baseline", metavar="LABEL", default="", help="the result that the others are compared with")
    command.add_argument(
        "--table", choices=("backends",), help="backends: one row per benchmark, one column per backend"
    )
    command.add_argument(
        "--fail-if-slower", metavar="5%", dest="limit",
        help="exit code 1 if a result is slower than the baseline by more than this, and the confidence interval of "
        "the ratio, if there is one, is above 1; also if a result makes no claim about speed",
    )  # fmt: skip
    command.add_argument("--strict", action="store_true", help="with --fail-if-slower: ignore the confidence interval")
    form = command.add_mutually_exclusive_group()
    for name, text in (("json", "JSON"), ("markdown", "Markdown"), ("csv", "CSV, with full precision")):
        form.add_argument(f"--{name}", action="store_true", help=f"print {text}")
    command.set_defaults(handler=handle)


def handle(args: argparse.Namespace) -> int:
    """Run the command; 1 when ``--fail-if-slower`` says so."""
    from mlperf_mobile_report.compare.comparison import compare
    from mlperf_mobile_report.compare.sources import read_all

    limit = _limit(args.limit)
    if args.strict and limit is None:
        raise UsageError("bad-flag", "--strict needs --fail-if-slower", "see --help")
    if args.table and limit is not None:
        raise UsageError("bad-flag", "--fail-if-slower cannot be combined with --table", "compare without --table")
    entries, warnings = read_all(args.results)
    if args.table:
        return _backends(args, compare(entries, warnings=warnings, alone=True))
    comparison = compare(entries, args.baseline, warnings)
    failures = _failures(comparison, limit, strict=args.strict)
    _print(args, comparison, failures, limit)
    return ExitCode.NOT_VALID if failures else ExitCode.OK


def _limit(text: str | None) -> float | None:
    if text is None:
        return None
    match = re.fullmatch(r"\s*(\d{1,4}(?:\.\d{1,6})?)\s*%\s*", text)
    if not match:
        raise UsageError("bad-value", f"--fail-if-slower takes a percentage, not {text!r}", "for example 5%")
    return float(match[1]) / 100


def _failures(comparison: Comparison, limit: float | None, *, strict: bool) -> list[str]:
    if limit is None:
        return []
    slow = [_slow(group, row, limit) for group, row in comparison.slower(limit, strict=strict)]
    undecided = [
        f"{row.entry.label} on {group.benchmark}: it or {group.baseline.label} makes no claim about speed"
        for group, row in comparison.undecided()
    ]
    return slow + undecided


def _slow(group: Group, row: Row, limit: float) -> str:
    from mlperf_mobile_report.tables.comparisons import interval_text

    assert row.ratio is not None
    sure = f"95 % interval {interval_text(row.interval, 4)}" if row.interval else "no interval"
    than = f"{row.ratio - 1:.1%} slower than {group.baseline.label}"
    return f"{row.entry.label} on {group.benchmark}: {than}, the limit is {limit * 100:g} % ({sure})"


def _print(args: argparse.Namespace, comparison: Comparison, failures: list[str], limit: float | None) -> None:
    from mlperf_mobile_report.tables import comparisons, grid

    if args.json:
        output = comparison.to_json() | {"limit": limit, "failures": failures}
        print(json.dumps({"schema": 1} | output, indent=2, allow_nan=False))
    elif args.csv:
        print(grid.as_csv(comparisons.csv_rows(comparison)))
    elif args.markdown:
        _print_markdown(comparisons.comparison_grids(comparison), [*_legend(comparison), *_remarks(comparison)])
    else:
        _print_text(comparisons.comparison_grids(comparison), [*_legend(comparison), "", *_remarks(comparison)])
    if args.csv:
        _tell(_remarks(comparison))
    _tell(failures)


def _backends(args: argparse.Namespace, comparison: Comparison) -> int:
    from mlperf_mobile_report.compare.backends import backend_table
    from mlperf_mobile_report.tables import comparisons, grid

    table = backend_table(comparison, args.baseline)
    meant = {"backend", "accelerator", "runtime"}
    remarks = _remarks(comparison, without=meant)
    if args.json:
        different = [each.to_json() for each in comparison.differences if each.name not in meant]
        more = {"differences": different, "warnings": list(comparison.warnings)}
        print(json.dumps({"schema": 1} | table.to_json() | more, indent=2, allow_nan=False))
    elif args.csv:
        print(grid.as_csv(comparisons.backend_csv_rows(table)))
        _tell(remarks)
    elif args.markdown:
        _print_markdown([comparisons.backend_grid(table)], remarks)
    else:
        _print_text([comparisons.backend_grid(table)], remarks)
    return ExitCode.OK


def _legend(comparison: Comparison) -> list[str]:
    """The result of each label."""
    entries = {
        row.entry.label: row.entry for group in comparison.groups for row in group.rows if not row.entry.published
    }
    return [f"{label}: {entry.source}" for label, entry in entries.items()]


def _remarks(comparison: Comparison, without: Iterable[str] = ()) -> list[str]:
    different = [each.text for each in comparison.differences if each.name not in set(without)]
    more = len(different) - _DIFFERENCES_SHOWN
    if more > 0:
        different = [*different[:_DIFFERENCES_SHOWN], f"{more} more differences: --json shows them"]
    return [f"warning: {text}" for text in (*comparison.warnings, *different)]


def _print_text(grids: Iterable[Grid], lines: Iterable[str]) -> None:
    from mlperf_mobile.terminal.columns import table

    for each in grids:
        print(f"{each.title}\n{table(each.head, each.rows)}\n")
    for line in lines:
        print(clean(line))


def _print_markdown(grids: Iterable[Grid], lines: Iterable[str]) -> None:
    from mlperf_mobile_report.tables.grid import escape, markdown

    print(markdown(grids), *(f"- {escape(clean(line))}" for line in lines if line), sep="\n")


def _tell(lines: Iterable[str]) -> None:
    for line in lines:
        print(f"mlperf-mobile: {clean(line)}", file=sys.stderr)
