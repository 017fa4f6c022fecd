"""``mlperf-mobile score``: recomputes the accuracy from a LoadGen accuracy log."""

from __future__ import annotations

import argparse
import json
import sys
import time
from contextlib import redirect_stdout
from pathlib import Path

from mlperf_mobile.errors import ExitCode

_EXAMPLES = """examples:
  mlperf-mobile score mlperf-mobile-results/20261124T…      a result folder
  mlperf-mobile score mlperf-mobile-results/20261124T… --data-path DIR     the same data set in another place
  mlperf-mobile score LOGDIR --task question_answering --dataset squad --data-path DIR
  mlperf-mobile score LOGDIR --suite NAME --task BENCHMARK
"""


def add(command: argparse.ArgumentParser) -> None:
    """Add its arguments to the parser of the command."""
    command.description = "Score an accuracy log with its data set. Neither the model nor the device is needed."
    command.description += " A result folder brings its own settings, which options override."
    command.epilog = _EXAMPLES
    command.add_argument(
        "logs",
        type=Path,
        metavar="RESULT",
        help="a result folder, a folder with mlperf_log_accuracy.json, or this file",
    )
    command.add_argument(
        "--task",
        metavar="TASK",
        dest="tasks",
        action="append",
        help="the task of the log, or with --suite its benchmark",
    )
    command.add_argument("--suite", metavar="NAME", help="use the data set and quality target of this suite")
    command.add_argument("--dataset", metavar="NAME", help="the data set of the accuracy run")
    command.add_argument("--data-path", metavar="DIR", help="the folder of the data set")
    command.add_argument("--model", metavar="NAME", help="a model of the task by name, for its quality target")
    command.add_argument(
        "--set", metavar="KEY=VALUE", action="append", default=[], help="an option of the task or data set"
    )
    command.add_argument("--json", action="store_true", help="print JSON")
    command.set_defaults(handler=handle)


def handle(args: argparse.Namespace) -> int:
    """Run the command."""
    from dataclasses import asdict

    from mlperf_mobile import loadgen
    from mlperf_mobile.cli.flags import flags, request
    from mlperf_mobile.config.scoring import rescoring, resolve_scoring, scoring_of
    from mlperf_mobile.printing import clean
    from mlperf_mobile.registry import installed_plugins
    from mlperf_mobile.resources.cache import missing_resources
    from mlperf_mobile.results.accuracy import judged
    from mlperf_mobile.results.measured import MetricScore
    from mlperf_mobile.results.store import PLAN, read_plan
    from mlperf_mobile.scoring import score
    from mlperf_mobile.terminal.card import accuracy_text

    registry = installed_plugins()
    with redirect_stdout(sys.stderr):  # plugins are imported; standard output is for the score
        if (args.logs / PLAN).is_file():
            plan, given, log = read_plan(args.logs), flags(args), loadgen.responses_of(args.logs / "accuracy")
            scoring = rescoring(registry, plan, given, str(args.logs / PLAN)) if given else scoring_of(plan)
        else:
            scoring = resolve_scoring(registry, request(args))
            log = loadgen.responses_of(args.logs) if args.logs.is_dir() else args.logs
        if scoring.missing:
            raise missing_resources(scoring.missing, scoring.cache.folder)
        started = time.perf_counter()
        warnings: list[str] = []
        found = score(registry, scoring, log, warnings.append)
        scored = MetricScore.model_validate(asdict(found) | {"duration_s": time.perf_counter() - started})
    accuracy = judged(scored, scoring.quality, scoring.unverified)
    if args.json:
        record = {"schema": 1, "log": str(log), "task": scoring.task, "dataset": scoring.dataset.name}
        record |= {"warnings": warnings} if warnings else {}
        print(json.dumps(record | {"accuracy": accuracy.model_dump(mode="json")}, indent=2))
    else:
        for warning in warnings:
            print(f"mlperf-mobile: warning: {clean(warning)}", file=sys.stderr)
        print(accuracy_text(accuracy))
        print("\n".join(f"  {name}: {value:.6g}" for name, value in accuracy.details.items()))
    return ExitCode.NOT_VALID if accuracy.passed is False else ExitCode.OK
