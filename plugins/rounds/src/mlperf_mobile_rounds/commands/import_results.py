"""``mlperf-mobile import``: official results as results of this program, to show, compare and report."""

from __future__ import annotations

import argparse
import json
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING

from mlperf_mobile.errors import ExitCode
from mlperf_mobile.printing import counted

if TYPE_CHECKING:
    from mlperf_mobile.results.measured import Performance

_EXAMPLES = """examples:
  mlperf-mobile import result.json                     a result file of the reference app, of any version
  mlperf-mobile import mobile_results_v3.1 --output v3.1
Each benchmark becomes a result folder. The score is the published one: 1 / p90 in single-stream, tokens per second of a
language model.
"""


def add(command: argparse.ArgumentParser) -> None:
    """Add its arguments to the parser of the command."""
    command.description = "Import result files and logs of the reference app. Nothing is overwritten."
    command.epilog = _EXAMPLES
    command.add_argument("source", metavar="PATH", type=Path, help="a result file, a submission, or a part of one")
    command.add_argument("--round", metavar="NAME", help="the round, such as v3.1; by default inferred from the seeds")
    command.add_argument(
        "--output", metavar="DIR", type=Path, default=Path("mlperf-mobile-results"), help="folder for results"
    )
    command.add_argument("--json", action="store_true", help="print JSON")
    command.set_defaults(handler=handle)


def handle(args: argparse.Namespace) -> int:
    """Run the command."""
    from mlperf_mobile.registry import installed_plugins
    from mlperf_mobile_rounds.official.findings import Severity
    from mlperf_mobile_rounds.official.imported import read, write

    with redirect_stdout(sys.stderr):  # plugins' code is imported, and standard output is for the results
        results, report = read(args.source, installed_plugins(), args.round)
        folders = write(results, args.output)
    wrong = [finding for finding in report.findings if finding.severity is Severity.ERROR]
    written = [result.model_copy(update={"directory": str(to)}) for result, to in zip(results, folders, strict=True)]
    if args.json:
        findings = report.to_json()["findings"]
        print(
            json.dumps({"schema": 1, "results": [each.to_json() for each in written], "findings": findings}, indent=2)
        )
        return ExitCode.OK
    from mlperf_mobile.terminal.columns import table

    rows = []
    for result in written:
        performance, accuracy = result.performance, result.accuracy
        score = performance.score if performance else None
        p90 = performance.latency_ns.get("p90") if performance and score and score.percentile else None
        rows.append(
            [
                result.run_id, f"{_score(performance):.2f}" if performance else "",
                f"{p90 / 1e6:.3f}" if p90 else "",
                f"{accuracy.metric} {accuracy.value:.4f}" if accuracy else "", result.verdict,
            ]
        )  # fmt: skip
    print(table(("RESULT", "SCORE", "P90 MS", "ACCURACY", "VERDICT"), rows))
    print(f"{counted(len(written), 'result')} in {args.output}")
    for finding in wrong:
        print(f"error: {finding.place.text(report.root)}: {finding.text}", file=sys.stderr)
    return ExitCode.OK


def _score(performance: Performance) -> float:
    """The app's number: tokens per second of a language model, samples per second of all others."""
    return performance.score.value if performance.tokens and performance.score else performance.throughput
