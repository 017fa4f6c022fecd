"""``mlperf-mobile run``: plans, measures, and shows the results."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlperf_mobile.cli import executors
from mlperf_mobile.cli.arguments import debugging
from mlperf_mobile.errors import ExitCode, MobileError, OutputError, UsageError, interrupted

if TYPE_CHECKING:
    from mlperf_mobile.campaigns.campaign import Campaign
    from mlperf_mobile.campaigns.run import Listen
    from mlperf_mobile.config.resolve import PlannedRuns
    from mlperf_mobile.results.model import Result

_EXAMPLES = """examples:
  mlperf-mobile run                                      the suite 'quickstart': every task, about two minutes
  mlperf-mobile run image_classification --rules normal  with the counts and durations of MLPerf Mobile
  mlperf-mobile run image_classification --model my.tflite --dataset imagenet --data-path DIR
  mlperf-mobile run --model my.tflite                    the speed of any model, on generated inputs
  mlperf-mobile run --scenario offline --set threads=1 --set shards=4
  mlperf-mobile run image_classification --sweep threads=1,2,4 --sweep model=a,b --repeat 3
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
    command.add_argument(
        "--device", metavar="ADDRESS", action="append",
        help="the device to run on, such as ssh:HOST or adb:SERIAL; give it twice to run on both at the same time",
    )  # fmt: skip
    command.add_argument("--runner", metavar="NAME", help="what executes the run (default: the device's own)")
    command.add_argument("--backend", metavar="NAME", action="append", help="the backend that runs the model")
    command.add_argument("--accelerator", metavar="NAME", action="append", help="one of the backend's accelerators")
    command.add_argument(
        "--scenario", metavar="NAME", action="append", help="single-stream, offline, sustained, or a plugin's scenario"
    )
    command.add_argument("--mode", metavar="MODE", help="performance, accuracy, both or submission")
    command.add_argument("--rules", metavar="NAME", action="append", help="run rules: normal, quick or rapid")
    command.add_argument(
        "--model", metavar="NAME|PATH", action="append", help="a model of the task by name, or a model file"
    )
    command.add_argument("--dataset", metavar="NAME", action="append", help="a data set of the task")
    command.add_argument("--data-path", metavar="PATH", help="the folder or file of the data set")
    command.add_argument(
        "--inputs", metavar="FILE", dest="data_path", help="an .npz file with inputs of the model, if no task is named"
    )
    command.add_argument(
        "--recompile", action="store_const", const=True, help="compile again, even if the compiled model is cached"
    )
    command.add_argument("--set", metavar="KEY=VALUE", action="append", default=[], help="any other setting or option")
    command.add_argument(
        "--sweep", metavar="KEY=VALUE,VALUE", action="append", default=[],
        help="measure every combination of these values; giving a flag above twice sweeps it, too",
    )  # fmt: skip
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
    command.add_argument("--quiet", action="store_true", help="do not show progress")
    executors.add(command)
    command.set_defaults(handler=handle)


def handle(args: argparse.Namespace) -> int:
    """Run the command."""
    executor = executors.chosen(args)
    if args.resume:
        return executor.execute(args, None) if executor else _resume(args)
    from mlperf_mobile.campaigns import start
    from mlperf_mobile.cli import flags
    from mlperf_mobile.config.document import Setting
    from mlperf_mobile.registry import installed_plugins
    from mlperf_mobile.resources.cache import missing_resources

    registry = installed_plugins()
    request = flags.request(args, chosen_later=executor is not None)
    if not executor and "device" in request.merged():
        from mlperf_mobile.cli.several_devices import devices_of, run_on_each

        if len(devices := devices_of(request)) > 1:
            return run_on_each(args, devices)
        request.flags["device"] = Setting(devices[0] if devices else None, request.merged()["device"].source)
    resolved = start.planned(request, args.repeat)
    if not args.quiet:
        for text in flags.overridden(args.set):
            print(f"mlperf-mobile: note: {text}", file=sys.stderr)
        for problem in registry.problems:
            print(problem.text(debug=debugging(args)), file=sys.stderr)
        for note in dict.fromkeys(note for plan in resolved.plans for note in plan.notes):
            print(f"mlperf-mobile: note: {note}", file=sys.stderr)
    if args.dry_run:
        return _show_plans(args, resolved)
    if resolved.missing:
        raise missing_resources(resolved.missing, resolved.cache.folder)
    campaign = start.campaign_of(resolved, args.repeat)
    if executor:
        return executor.execute(args, campaign)
    with start.owned(campaign):
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
    except (OutputError, KeyboardInterrupt) as raised:
        results += [raised.result] if isinstance(raised, Unstored) else []
        if not results:
            raise
        error = raised if isinstance(raised, OutputError) else interrupted()
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
        if any(result.swept for result in results):
            from mlperf_mobile.terminal.sweep import print_sweep

            print_sweep(list((earlier | shown).values()))
    holds = all(rule.ok for each in again for rule in each.rules())
    return exit_code(results) or (ExitCode.OK if holds else ExitCode.NOT_VALID)


def _resume(args: argparse.Namespace) -> int:
    """Resume a campaign with its own settings."""
    from mlperf_mobile.campaigns.campaign import read
    from mlperf_mobile.campaigns.settle import settle
    from mlperf_mobile.cli.flags import flags

    if flags(args) or args.config or args.dry_run or args.repeat != 1:
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


def _run(args: argparse.Namespace, campaign: Campaign) -> Iterator[Result]:
    """The results of the pending runs of a campaign, as they end."""
    from mlperf_mobile.campaigns.start import measured
    from mlperf_mobile.terminal.progress import shown

    _recover(args, campaign.output)
    traces: list[str] = []
    try:
        for result in measured(campaign, shown(quiet=args.quiet, wrap=_hearing(traces, cards=not args.json))):
            if result.error:
                error = result.error
                if debugging(args):
                    print(traces.pop() if traces else error.stderr_tail, file=sys.stderr)
                hint = f"; {error.hint}" if error.hint else ""
                print(f"mlperf-mobile: error[{error.code}]: {error.summary}{hint}", file=sys.stderr)
            yield result
    finally:
        if len(campaign.steps) > 1 and campaign.pending and campaign.path.exists():
            from shlex import quote

            print(f"{len(campaign.pending)} of {len(campaign.steps)} runs are pending: ", end="", file=sys.stderr)
            print(f"mlperf-mobile run --resume {quote(str(campaign.path))}", file=sys.stderr)


def _hearing(traces: list[str], *, cards: bool) -> Callable[[Listen], Listen]:
    """Adds to a run's listener: it keeps the worker's traceback.

    What prints the run's card is imported while the worker loads, and not after it.
    """
    from mlperf_mobile import events

    def wrap(listen: Listen) -> Listen:
        def heard(event: events.Event) -> None:
            listen(event)
            if isinstance(event, events.Failed):
                traces.append(event.trace)
            if cards and isinstance(event, events.Phase) and event.name == "load":
                import mlperf_mobile.terminal.card  # noqa: F401

        return heard

    return wrap


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


def _show_plans(args: argparse.Namespace, resolved: PlannedRuns) -> int:
    from mlperf_mobile.campaigns.foresee import foreseen
    from mlperf_mobile.campaigns.start import campaign_of
    from mlperf_mobile.registry import installed_plugins
    from mlperf_mobile.terminal.plans import dry_run_text, duration_range

    with redirect_stdout(sys.stderr):  # plugins are imported
        wrong = {
            plan.run_id: error
            for plan in resolved.plans
            if (error := foreseen(plan, installed_plugins(), data=not resolved.missing))
        }
    for error in dict.fromkeys(wrong.values()) if not args.json else ():
        print(f"mlperf-mobile: {error.line()}", file=sys.stderr)
    if args.json:
        records = [plan.to_json() | {"estimated_s": duration_range(plan)} for plan in resolved.plans]
        missing = [
            {"url": resource.url, "path": str(resolved.cache.location(resource)), "about": resource.about}
            for resource in resolved.missing
        ]
        problems = [{"run_id": run_id, **error.record()} for run_id, error in wrong.items()]
        print(json.dumps({"schema": 1, "plans": records, "missing": missing, "problems": problems}, indent=2))
    else:
        print(dry_run_text(resolved, campaign_of(resolved, args.repeat)))
    return next((error.exit_code for error in wrong.values()), ExitCode.OK)
