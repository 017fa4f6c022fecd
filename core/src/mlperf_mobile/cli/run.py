"""``mlperf-mobile run``: plans, measures, and shows the results."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlperf_mobile.errors import ExitCode, MobileError, OutputError, UsageError

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from mlperf_mobile.campaigns.campaign import Campaign
    from mlperf_mobile.campaigns.estimate import Estimate
    from mlperf_mobile.campaigns.run import Listen
    from mlperf_mobile.config.resolve import PlannedRuns
    from mlperf_mobile.plan import Plan
    from mlperf_mobile.results.model import Result

MOST_REPEATS = 100

_EXAMPLES = """examples:
  mlperf-mobile run                                     the suite 'quickstart': every task, about a minute
  mlperf-mobile run image_classification --rules normal   with the counts and durations of MLPerf Mobile
  mlperf-mobile run image_classification --model my.tflite --dataset imagenet --data-path DIR
  mlperf-mobile run --scenario offline --set threads=1 --set shards=4
  mlperf-mobile run --suite NAME --dry-run               what a suite would run, and what is missing
  mlperf-mobile run --suite NAME --mode submission       all performance runs, then all accuracy runs, with cool-down
  mlperf-mobile run --config run.yaml --dry-run          what would run, and where each value comes from
"""


def add(command: argparse.ArgumentParser) -> None:
    """Add its arguments to the parser of the command."""
    command.description = "Measure one or more tasks, each in a separate process."
    command.epilog = _EXAMPLES
    command.add_argument(
        "tasks", nargs="*", metavar="TASK", help="tasks, or benchmarks of the suite (default: the suite 'quickstart')"
    )
    command.add_argument("--suite", metavar="NAME", help="use the models, data sets and rules of this suite")
    command.add_argument("--backend", metavar="NAME", help="the backend that runs the model")
    command.add_argument("--accelerator", metavar="NAME", help="one of the backend's accelerators")
    command.add_argument("--scenario", metavar="NAME", help="single-stream, offline, sustained, or a plugin's scenario")
    command.add_argument("--mode", metavar="MODE", help="performance, accuracy, both or submission")
    command.add_argument("--rules", metavar="NAME", help="run rules: normal, quick or rapid")
    command.add_argument("--model", metavar="NAME|PATH", help="a model of the task by name, or a model file")
    command.add_argument("--dataset", metavar="NAME", help="a data set of the task")
    command.add_argument("--data-path", metavar="DIR", help="the folder of the data set")
    command.add_argument("--set", metavar="KEY=VALUE", action="append", default=[], help="any other setting or option")
    command.add_argument("--config", metavar="FILE", type=Path, help="a run file in YAML")
    command.add_argument("--output", metavar="DIR", help="folder for results (default: mlperf-mobile-results)")
    command.add_argument(
        "--repeat", metavar="N", type=int, default=1, help="run everything N times, and show the spread"
    )
    command.add_argument(
        "--resume", metavar="FILE", type=Path, help="resume an interrupted campaign from its .session.json"
    )
    command.add_argument("--dry-run", action="store_true", help="show the plans, and where each value comes from")
    command.add_argument("--json", action="store_true", help="print results (or plans) as JSON")
    command.add_argument("--quiet", action="store_true", help="no progress")
    command.set_defaults(handler=handle)


def handle(args: argparse.Namespace) -> int:
    """Run the command."""
    if args.resume:
        return _resume(args)
    from mlperf_mobile.cli.flags import flags
    from mlperf_mobile.config.document import read_file
    from mlperf_mobile.config.layers import load_environment
    from mlperf_mobile.config.resolve import resolve
    from mlperf_mobile.config.selection import Request
    from mlperf_mobile.registry import Registry
    from mlperf_mobile.resources.cache import missing_resources

    registry = Registry()
    request = Request(
        file=read_file(args.config) if args.config else {}, environment=load_environment(), flags=flags(args, _FLAGS)
    )
    with redirect_stdout(sys.stderr):  # planning imports plugins; standard output is for results
        resolved = resolve(registry, request, args.repeat)
    if not args.quiet:
        for problem in registry.problems:
            print(problem.line(), file=sys.stderr)
        for note in dict.fromkeys(note for plan in resolved.plans for note in plan.notes):
            print(f"mlperf-mobile: note: {note}", file=sys.stderr)
    if args.dry_run:
        return _show_plans(args, resolved)
    if resolved.missing:
        raise missing_resources(resolved.missing, resolved.cache.folder)
    campaign = _campaign(resolved, args.repeat)
    with campaign.owned() if len(campaign.steps) > 1 else nullcontext():
        return _carry_out(args, campaign)


def _carry_out(args: argparse.Namespace, campaign: Campaign, adopted: Sequence[Result] = ()) -> int:
    """Run the rest of a campaign, and show its results.

    Args:
        args: The command line.
        campaign: The campaign, owned by this process if it is kept.
        adopted: Recovered results that were not shown before.
    """
    from mlperf_mobile.results.store import Unstored

    results: list[Result] = []
    try:
        for result in _run(args, campaign):
            results.append(result)  # noqa: PERF402  results before an error are shown
    except OutputError as error:
        results += [error.result] if isinstance(error, Unstored) else []
        if not results:
            raise
        _show(args, results, campaign, error)
        print(f"mlperf-mobile: {error.line()}", file=sys.stderr)
        return error.exit_code
    final = {step.result for step in campaign.steps}
    results = [*(result for result in adopted if result.run_id in final), *results]  # the others were tried again
    if args.resume and not results:
        print(f"{args.resume}: all runs are done", file=sys.stderr)
    return _show(args, results, campaign)


def _show(args: argparse.Namespace, results: list[Result], campaign: Campaign, error: MobileError | None = None) -> int:
    from mlperf_mobile.campaigns.repeat import repetitions
    from mlperf_mobile.campaigns.run import results_of

    shown = {result.run_id: result for result in results}
    earlier = {result.run_id: result for result in results_of(campaign)} if args.resume else {}
    again = repetitions((earlier | shown).values())
    if args.json:
        output: dict[str, Any] = {"schema": 1, "results": [result.to_json() for result in results]}
        if error:
            output["error"] = error.record()
        if again:
            output["repeated"] = [each.to_json() for each in again]
        print(json.dumps(output, indent=2))
    else:
        from mlperf_mobile.terminal.card import print_repetitions, print_results

        print_results(results)
        print_repetitions(again)
    holds = all(rule.ok for each in again for rule in each.rules())
    return exit_code(results) or (ExitCode.OK if holds else ExitCode.NOT_VALID)


def _resume(args: argparse.Namespace) -> int:
    """Resume a campaign with its own settings."""
    from mlperf_mobile.campaigns.campaign import read
    from mlperf_mobile.campaigns.settle import settle

    given = [name for name in (*_FLAGS, "config") if getattr(args, name) is not None]
    if args.tasks or args.set or given or args.dry_run or args.repeat != 1:
        raise UsageError(
            "resume", "a campaign is resumed with its own settings", "give no other arguments with --resume FILE"
        )
    with read(args.resume).owned():
        campaign = read(args.resume)  # again, now that it is locked
        campaign.interruptions += 1
        return _carry_out(args, campaign, settle(campaign))


def exit_code(results: list[Result]) -> int:
    """The exit code of the first failed run, else whether all results are valid."""
    failed = [result.error.exit_code for result in results if result.error]
    if failed:
        return failed[0]
    return ExitCode.OK if all(result.valid for result in results) else ExitCode.NOT_VALID


def _campaign(resolved: PlannedRuns, repeat: int = 1) -> Campaign:
    from mlperf_mobile.campaigns.campaign import Campaign, again

    if not 1 <= repeat <= MOST_REPEATS:
        raise UsageError("bad-value", f"--repeat {repeat} is not 1 to {MOST_REPEATS}", "write --repeat 5")
    plans, rest = list(resolved.plans), resolved.rest
    for _ in range(1, repeat):
        plans += [again(plan) for plan in resolved.plans]
    return Campaign.of(plans, resolved.output, resolved.mode, rest.kind, rest.seconds)


def _run(args: argparse.Namespace, campaign: Campaign) -> Iterator[Result]:
    """The results of the pending runs of a campaign, as they end."""
    from mlperf_mobile.campaigns.run import CampaignRunner

    _recover(args, campaign.output)
    keep = len(campaign.steps) > 1
    if keep:
        campaign.save()

    def show(plan: Plan, place: int, runs: int, left: Estimate) -> AbstractContextManager[Listen]:
        title = f"{plan.benchmark} {plan.model.name}"
        if runs > 1:
            title += f" ({place} of {runs}, {plan.mode}, at least {left} left)"
        return _shown(title, quiet=args.quiet, cards=not args.json)

    try:
        for result in CampaignRunner(campaign, show, keep=keep).run():
            if result.error:
                error = result.error
                hint = f"; {error.hint}" if error.hint else ""
                print(f"mlperf-mobile: error[{error.code}]: {error.summary}{hint}", file=sys.stderr)
            yield result
    finally:
        if keep and campaign.pending and campaign.path.exists():
            print(f"{len(campaign.pending)} of {len(campaign.steps)} runs are pending: ", end="", file=sys.stderr)
            print(f"mlperf-mobile run --resume {campaign.path}", file=sys.stderr)


@contextmanager
def _shown(title: str, *, quiet: bool, cards: bool) -> Iterator[Listen]:
    """A listener that shows one run; what prints its card is imported while the worker loads, and not after it."""
    from mlperf_mobile import events
    from mlperf_mobile.terminal.progress import listener

    with listener(title, quiet=quiet) as listen:

        def heard(event: events.Event) -> None:
            listen(event)
            if cards and isinstance(event, events.Phase) and event.name == "load":
                import mlperf_mobile.terminal.card  # noqa: F401

        yield heard


def _recover(args: argparse.Namespace, output: Path) -> None:
    """Compose the results of interrupted runs in the same folder whose process has ended."""
    from mlperf_mobile.launch.recover import recover_all
    from mlperf_mobile.results.model import Result

    for found in recover_all(output):
        if args.quiet:
            continue
        if isinstance(found, Result):
            print(f"recovered {found.directory}: {found.verdict}", file=sys.stderr)
        else:
            print(f"mlperf-mobile: {found.line()}", file=sys.stderr)


_FLAGS = (
    "suite", "backend", "accelerator", "scenario", "mode", "rules", "model", "dataset", "data_path", "output",
)  # fmt: skip


def _show_plans(args: argparse.Namespace, resolved: PlannedRuns) -> int:
    from mlperf_mobile.terminal.plans import duration_range, missing_text, plan_text, total_text

    plans = resolved.plans
    if args.json:
        records = [plan.to_json() | {"estimated_s": duration_range(plan)} for plan in plans]
        missing = [
            {"url": resource.url, "path": str(resolved.cache.location(resource)), "about": resource.about}
            for resource in resolved.missing
        ]
        print(json.dumps({"schema": 1, "plans": records, "missing": missing}, indent=2))
    else:
        parts = [
            *(plan_text(plan) for plan in plans),
            total_text(_campaign(resolved, args.repeat)),
            missing_text(resolved),
        ]
        print("\n\n".join(filter(None, parts)))
    return ExitCode.OK
