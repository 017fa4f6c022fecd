"""Checks that performance and accuracy runs are paired, no benchmark is missing, and all are of one run."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime, timedelta
from itertools import pairwise

from mlperf_mobile_rounds import benchmarks
from mlperf_mobile_rounds.official import verdict
from mlperf_mobile_rounds.official.checks.context import Context, LoggedRun
from mlperf_mobile_rounds.official.findings import Place, Severity
from mlperf_mobile_rounds.official.submission import ACCURACY, PERFORMANCE, System, part_of

LONGEST_BREAK = {PERFORMANCE: timedelta(hours=1), ACCURACY: timedelta(hours=4)}
"""Between two tests of one run. The rules allow 5 minutes; data is loaded, and accuracy is scored, besides."""


def check(context: Context) -> None:
    """Check all pairs and systems."""
    report, both = context.report, (context.of(PERFORMANCE), context.of(ACCURACY))
    alone = part_of(report.root) == "mode"
    for mine, other, name in (
        (both[0], both[1], "accuracy"),
        (both[1], both[0], "performance"),
    ):
        for key, run in mine.items():
            wrong = f"{run.benchmark} ({run.scenario}) has no {name} run of {run.folder.system}"
            wrong = f"the matching {name} run was not looked for" if alone else wrong
            report.require("pair", None if alone else key in other, Place(run.folder.path), wrong)
    seen: dict[tuple[object, str | None], LoggedRun] = {}
    by_system: dict[System, list[LoggedRun]] = defaultdict(list)
    for run in context.runs:
        by_system[run.folder.system].append(run)
        if run.mode is None:
            report.error("mode", Place(run.folder.path), "neither the log nor its place says performance or accuracy")
        elif (run.key, run.mode) in seen:
            other_path = seen[run.key, run.mode].folder.path.name
            report.error(
                "pair", Place(run.folder.path), f"a second {run.mode} run of {run.benchmark}, beside {other_path}"
            )
        seen.setdefault((run.key, run.mode), run)
    _copies(context)
    for system, runs in by_system.items():
        _complete(context, system, runs)
        _one_run(context, system, runs)


def _complete(context: Context, system: System, runs: list[LoggedRun]) -> None:
    if context.round is None:
        return
    there = {run.benchmark for run in runs}
    required = {name for name in context.round.benchmarks if not benchmarks.is_optional(name)}
    missing = sorted(required - there)
    if missing and system.division != "open":
        place = Place(context.submission.root)
        wrong = f"{system} lacks {', '.join(missing)}, which {context.round.name} requires"
        context.report.add("benchmarks", context.absent(system), place, wrong)


def _one_run(context: Context, system: System, runs: list[LoggedRun]) -> None:
    """All performance numbers of one run, and all accuracy numbers of one run (submission rules)."""
    for mode in (PERFORMANCE, ACCURACY):
        timed: list[tuple[datetime, datetime, LoggedRun]] = []
        for run in runs:
            began = verdict.wall_clock(run.detail.text("test_datetime")) if run.detail and run.mode == mode else None
            if run.detail and began:
                lasted = timedelta(seconds=verdict.window_s(run.detail) or 0)
                timed.append((began, began + lasted, run))
        timed.sort(key=lambda each: each[0])
        for (_, ended, _), (began, _, run) in pairwise(timed):
            gap = timedelta(seconds=round((began - ended).total_seconds()))
            wrong = f"{system}: {run.benchmark} began {gap} after the end of the test before it; all {mode} numbers"
            ok = gap <= LONGEST_BREAK[mode]
            context.report.require("same-run", ok, run.place("test_datetime"), f"{wrong} must come from one run")


def _copies(context: Context) -> None:
    """The same test under two systems."""
    seen: dict[tuple[str | None, ...], LoggedRun] = {}
    for run in context.runs:
        if run.detail is None or not run.detail.text("power_begin"):
            continue
        keys = ("test_datetime", "power_begin", "power_end", "sut_name")
        name = (run.mode, *(run.detail.text(key) for key in keys))
        first = seen.setdefault(name, run)
        if first.folder.system != run.folder.system or first.benchmark != run.benchmark:
            other = f"{first.benchmark} of {first.folder.system}"
            text = f"this {run.mode} run of {run.benchmark} is a copy of that of {other}"
            severity = Severity.ERROR if run.mode == PERFORMANCE else Severity.WARNING
            context.report.add("copied-log", severity, run.place("test_datetime"), text)
