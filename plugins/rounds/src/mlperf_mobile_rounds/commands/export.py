"""``mlperf-mobile export``: results as the reference app's result file, or as a submission."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mlperf_mobile.errors import ExitCode, OutputError, UsageError
from mlperf_mobile.printing import counted

_EXAMPLES = """examples:
  mlperf-mobile export RESULT… --format app --output phone.json
  mlperf-mobile export RESULT… --format submission --submitter ACME --device phone_1 --output v5.0
RESULT is a result folder, or its result.json. Nothing is overwritten.
"""


def add(command: argparse.ArgumentParser) -> None:
    """Add its arguments to the parser of the command."""
    command.description = "Write results in the official formats. 'mlperf-mobile check' can check them."
    command.epilog = _EXAMPLES
    command.add_argument("results", metavar="RESULT", nargs="+", type=Path, help="result folders of one device")
    command.add_argument("--format", choices=("app", "submission"), required=True, help="the format")
    command.add_argument("--output", metavar="PATH", type=Path, required=True, help="the file, or the folder")
    command.add_argument("--submitter", metavar="NAME", help="submission: the organisation, as a folder name")
    command.add_argument("--device", metavar="NAME", help="submission: the device, as a folder name")
    command.add_argument("--division", choices=("closed", "open"), default="closed", help="submission: the division")
    command.add_argument("--json", action="store_true", help="print JSON")
    command.set_defaults(handler=handle)


def handle(args: argparse.Namespace) -> int:
    """Run the command."""
    from mlperf_mobile.results.store import read_both
    from mlperf_mobile_rounds.follows import alone, doubts

    read = [(path, *read_both(path)) for path in args.results]
    found = [(path if path.is_dir() else path.parent, result) for path, _, result in read]
    edited = {}
    for (folder, result), (_, raw, _) in zip(found, read, strict=True):
        texts = [] if alone(folder, result) else doubts(folder, raw, result)
        edited[folder] = [f"it does not match its folder: {text}" for text in texts]
    if args.format == "app":
        if args.submitter or args.device:
            raise UsageError("bad-flag", "--submitter and --device are only for --format submission", "see --help")
        written = _app([result for _, result in found], args.output)
    else:
        from mlperf_mobile_rounds.official.submission_export import Header, write_submission

        if not args.submitter or not args.device:
            raise UsageError("missing-flag", "a submission needs --submitter and --device", "see --help")
        _refuse_speed_alone(found)
        written = write_submission(found, args.output, Header(args.submitter, args.device, args.division))
    notes = [f"{result.run_id}: {text}" for folder, result in found for text in (*edited[folder], *_doubts(result))]
    if args.json:
        print(json.dumps({"schema": 1, "written": str(written), "results": len(found), "doubts": notes}, indent=2))
        return ExitCode.OK
    print(f"{counted(len(found), 'result')} in {written}")
    for note in notes:
        print(f"note: {note}")
    if args.format == "submission":
        print("fill in what is marked TO FILL IN, add code/ and calibration.md, then run 'mlperf-mobile check'")
    return ExitCode.OK


def _refuse_speed_alone(results: Sequence[tuple[Path, Any]]) -> None:
    """Refuse results of tasks without a metric, which no round has.

    Raises:
        OutputError: ``no-round``.
    """
    from mlperf_mobile.registry import installed_plugins

    tasks = installed_plugins().tasks
    for folder, result in results:
        if result.task in tasks and not tasks[result.task].info.has_metric:
            summary = f"{folder}: task {result.task} has no metric, so it cannot be part of a round"
            raise OutputError("no-round", summary, "leave it out; it can be compared and reported")


def _doubts(result: Any) -> list[str]:
    """Why a result is not like an official one."""
    found = [] if result.valid and result.submittable is not False else [result.verdict]
    if result.functional_only:
        found.append(f"its speed is meaningless: {result.functional_only}")
    if result.suite is None:
        found.append("it does not belong to a round: its model and data set differ from the benchmark's")
    return found


def _app(results: list[Any], output: Path) -> Path:
    import os

    from mlperf_mobile.results.store import output_errors, write_json
    from mlperf_mobile.user_paths import expand
    from mlperf_mobile_rounds.official.app_export import app_file

    content = app_file(results)
    path = expand(output, "--output").absolute()
    if os.path.lexists(path):
        raise OutputError("output-exists", f"{path} is already there", "choose another --output")
    with output_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, content)
    return path
