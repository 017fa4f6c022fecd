"""Checks that the QSL had all samples of the round's data set, and that they were loaded as by LoadGen."""

from __future__ import annotations

from mlperf_mobile_rounds import benchmarks
from mlperf_mobile_rounds.official import verdict
from mlperf_mobile_rounds.official.checks.context import Context, LoggedRun
from mlperf_mobile_rounds.official.findings import Place, Report, Severity
from mlperf_mobile_rounds.official.loadgen_logs import DetailLog

RULE = "samples"


def check(context: Context) -> None:
    """Check what every log says about its samples."""
    for run in context.runs:
        if run.detail:
            _total(run, run.detail, context.report)
            _loaded(run, run.detail, context.report)
            _name(run, run.detail, context)


def _total(run: LoggedRun, log: DetailLog, report: Report) -> None:
    total, place = log.integer("qsl_reported_total_count"), run.place("qsl_reported_total_count")
    known = benchmarks.of(run.benchmark)
    severity = Severity.WARNING if known and known.seen_samples and total == known.seen_samples else Severity.ERROR
    if total is None or known is None or not known.accuracy_samples:
        report.skip(RULE, place, "the size of this benchmark's data set is not known, or not in the log")
    elif verdict.mode_of(log) == verdict.ACCURACY:
        words = " or ".join(str(each) for each in known.accuracy_samples)
        wrong = f"{total} samples in the accuracy run, but {words} in the data set of {run.benchmark}"
        report.require(RULE, total in known.accuracy_samples, place, wrong, severity)
    elif log.text("qsl_name") in benchmarks.known().libraries:  # of the app; others have libraries of their own
        wrong = f"{total} samples in the performance run, but {known.performance_samples} in the app's data set"
        report.require(RULE, total == known.performance_samples, place, wrong, severity)


def _loaded(run: LoggedRun, log: DetailLog, report: Report) -> None:
    loaded, total = log.loaded, log.integer("qsl_reported_total_count")
    memory = log.integer("effective_performance_sample_count")
    if loaded is None:
        report.error(RULE, run.place(), "loaded_qsl_set is missing: no sample was loaded")
        return
    place = Place(log.path, loaded.line)
    if not loaded.whole:
        report.error(RULE, place, "loaded_qsl_set is not a list of sample indices")
        return
    wrong = f"loaded_qsl_set lists {loaded.count - loaded.distinct} samples twice"
    report.require(RULE, loaded.count == loaded.distinct, place, wrong)
    if total is None:
        return
    wrong = f"loaded_qsl_set lists sample {loaded.highest}, but there are {total}"
    report.require(RULE, loaded.highest < total, place, wrong)
    if verdict.mode_of(log) == verdict.ACCURACY:
        expected: int | None = total
    else:
        expected = None if memory is None else min(total, memory)
    if expected is not None:
        wrong = f"{loaded.distinct} samples were loaded instead of {expected}"
        report.require(RULE, loaded.distinct == expected, place, wrong)


def _name(run: LoggedRun, log: DetailLog, context: Context) -> None:
    """The app's libraries have names; the folder says which benchmark it is."""
    report = context.report
    task, name = benchmarks.task_of(run.benchmark), log.text("qsl_name")
    libraries = benchmarks.known().libraries
    known = libraries.get(name or "")
    if name is None or task is None or task not in libraries.values():
        return
    if known is None:
        mine = [each.detail for each in context.runs if each.folder.system == run.folder.system]
        others = any(each and each.text("qsl_name") in libraries for each in mine)
        wrong = f"the library {name[:60]!r} is not one of the app's"
        report.require(RULE, False if others else None, run.place("qsl_name"), wrong)
        return
    wrong = f"the samples are of {name!r}, which is the data set of {known}, but the benchmark is {run.benchmark}"
    report.require(RULE, known == task, run.place("qsl_name"), wrong)
