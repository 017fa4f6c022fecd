"""Is each log whole, is it of the round, were LoadGen's settings as the rules say, and is its verdict true?"""

from __future__ import annotations

from pathlib import Path

from mlperf_mobile.errors import DataError
from mlperf_mobile.loadgen import DETAIL_LOG, SUMMARY_LOG
from mlperf_mobile_rounds import benchmarks
from mlperf_mobile_rounds.official import loadgen_logs, rounds, verdict
from mlperf_mobile_rounds.official.checks import detail, summary
from mlperf_mobile_rounds.official.checks.context import Context, LoggedRun
from mlperf_mobile_rounds.official.findings import Place, Report, Severity
from mlperf_mobile_rounds.official.loadgen_logs import DetailLog, SummaryLog
from mlperf_mobile_rounds.official.submission import PERFORMANCE, LogFolder
from mlperf_mobile_rounds.official.verdict import OFFLINE, SINGLE_STREAM

EXPECTED_LATENCY_NS = 1_000_000
"""The app's default (mobile_app_open, tasks.pbtxt); the rules allow to lower it."""
_STOPPED = "Max test duration reached"


def read_run(folder: LogFolder, report: Report) -> LoggedRun:
    """The logs of one run; what is wrong with the files becomes findings."""
    log, short = _detail(folder, report), _summary(folder, report)
    if log is None or verdict.mode_of(log) != verdict.PERFORMANCE:
        return LoggedRun(folder, log, short, None)
    task = benchmarks.task(benchmarks.task_of(benchmarks.canonical(folder.name) or folder.name))
    found = verdict.recompute(
        log,
        early_stopping_ignored=task is not None and task.early_stopping_ignored,
        stops_at_max=task is not None and task.generative,
    )
    return LoggedRun(folder, log, short, found)


def _parts(folder: LogFolder, name: str, report: Report) -> list[Path]:
    try:
        found = loadgen_logs.parts(folder.path, name)
    except OSError as error:
        report.error("unreadable", Place(folder.path), f"cannot be read: {error.strerror}")
        return []
    if not found:
        report.error("log-missing", Place(folder.path), f"there is no {name}")
    return found


def _detail(folder: LogFolder, report: Report) -> DetailLog | None:
    paths = _parts(folder, DETAIL_LOG, report)
    if not paths:
        return None
    try:
        log = loadgen_logs.read_detail(paths)
    except DataError as error:
        report.error("unreadable", Place(paths[0]), error.summary)
        return None
    if not log.records:
        report.error("log-empty", Place(log.path), "it has no LoadGen records")
        return None
    if log.damaged:
        lines = ", ".join(str(line) for line in log.damaged[:5])
        more = " and more" if len(log.damaged) > 5 else ""
        report.error("log-damaged", Place(log.path, log.damaged[0]), f"not LoadGen records: lines {lines}{more}")
    else:
        report.passed["log-damaged"] += 1
    if log.rewritten:
        text = "a setting or number of the result is logged twice: the same line again, or another value"
        report.error("log-rewritten", Place(log.path, log.rewritten[0]), text)
    if log.encoding != "utf-8":
        report.warning("log-encoding", Place(log.path), f"written in {log.encoding}; LoadGen writes ASCII")
    performance = verdict.mode_of(log) == verdict.PERFORMANCE
    whole = log.ended and ("result_99.90_percentile_latency_ns" in log.entries or not performance)
    whole = whole and "loadgen_version" in log.entries and verdict.mode_of(log) is not None
    report.require(
        "log-cut-short", whole, Place(log.path), "the log ends before LoadGen's last words, or lacks its first"
    )
    return log


def _summary(folder: LogFolder, report: Report) -> SummaryLog | None:
    paths = _parts(folder, SUMMARY_LOG, report)
    if not paths:
        return None
    try:
        log = loadgen_logs.read_summary(paths[0])
    except DataError as error:
        report.error("unreadable", Place(paths[0]), error.summary)
        return None
    report.require("summary-cut-short", log.ended, Place(log.path), "the summary ends before LoadGen's last line")
    return log


def check(context: Context) -> None:
    """Check the logs of every run."""
    for run in context.runs:
        if run.detail is None:
            context.report.skip("valid", Place(run.folder.path), "there is no readable detail log")
            continue
        _place_agrees(run, run.detail, context.report)
        _errors(run.detail, context.report)
        detail.check(run, run.detail, context.report)
        if run.summary is None:
            context.report.skip("summary-agrees", Place(run.folder.path), "there is no readable summary")
        else:
            summary.check(run, run.detail, run.summary, context.report)
        _seeds(run, run.detail, context)
        if run.mode == PERFORMANCE:
            _settings(run, run.detail, context)
            _verdict(run, run.detail, context.report)


def _place_agrees(run: LoggedRun, log: DetailLog, report: Report) -> None:
    if not benchmarks.canonical(run.folder.name):
        report.warning("unknown-benchmark", Place(run.folder.path), f"no benchmark is called {run.folder.name!r}")
    mode, scenario = verdict.mode_of(log), verdict.scenario_of(log)
    known = mode in (verdict.PERFORMANCE, verdict.ACCURACY)
    ok = known and run.folder.mode in (run.mode, None)
    wrong = f"the folder says {run.folder.mode or 'nothing'}, the log {mode or 'nothing'}"
    report.require("mode", ok, run.place("effective_test_mode"), wrong)
    if run.mode == PERFORMANCE and scenario not in (SINGLE_STREAM, OFFLINE):
        report.error("scenario", run.place("effective_scenario"), f"{scenario} is not a scenario of MLPerf Mobile")
    if run.folder.scenario and run.mode == PERFORMANCE:
        wrong = f"the folder says {run.folder.scenario}, the log {scenario}"
        report.require("scenario", run.folder.scenario == scenario, run.place("effective_scenario"), wrong)


def _errors(log: DetailLog, report: Report) -> None:
    for error in log.errors:
        stopped = _STOPPED in str(error.value)
        severity = Severity.NOTE if stopped else Severity.ERROR
        report.add("loadgen-error", severity, Place(log.path, error.line), f"LoadGen: {error.value}")


def _seeds(run: LoggedRun, log: DetailLog, context: Context) -> None:
    found, place = rounds.seeds_of(log), run.place("effective_qsl_rng_seed")
    if context.round is None or context.round.seeds is None:
        why = context.round.seeds_doubt if context.round else "the round is not known; --round says it"
        context.report.skip("seeds", place, why)
        return
    wrong = f"the seeds are {found}, and those of {context.round.name} are {context.round.seeds}"
    context.report.require("seeds", found == context.round.seeds if found else False, place, wrong)


def _settings(run: LoggedRun, log: DetailLog, context: Context) -> None:
    report, required = context.report, context.required(run.benchmark)
    known, count = benchmarks.of(run.benchmark), log.integer("effective_performance_sample_count")
    place = run.place("effective_performance_sample_count")
    if known is None or known.in_memory is None or count is None:
        report.skip("performance-sample-count", place, "the count is unknown for this benchmark, or missing in the log")
    else:
        by_rules, by_app = known.in_memory
        wrong = f"{count} samples in memory; the rules say {by_rules}, the app takes {by_app}"
        report.require("performance-sample-count", count >= by_rules, place, wrong)
    if run.scenario == SINGLE_STREAM:
        percentile = log.number("requested_single_stream_target_latency_percentile")
        place = run.place("requested_single_stream_target_latency_percentile")
        ok = None if percentile is None else percentile == (required.percentile if required else 0.9)
        report.require("percentile", ok, place, f"the percentile is {percentile}, and should be 0.9")
        expected = log.number("requested_single_stream_expected_latency_ns")
        wrong = f"an expected latency of {expected} ns is above the app's {EXPECTED_LATENCY_NS}"
        ok = None if expected is None else 0 < expected <= EXPECTED_LATENCY_NS
        place = run.place("requested_single_stream_expected_latency_ns")
        report.require("expected-latency", ok, place, wrong, Severity.WARNING)
        _not_exhausted(run, log, report)
    if required is None or required.scenario != run.scenario:
        name = context.round.name if context.round else "an unknown round"
        why = f"{name} as installed here does not say what it requires of {run.benchmark} ({run.scenario})"
        report.skip("settings", run.place(), why)
        return
    samples, lasted = (run.verdict.samples, run.verdict.duration_s) if run.verdict else (None, None)
    for key, rule, least, unit, got in (
        ("requested_min_query_count", "min-query-count", required.min_query_count, "", samples),
        (
            "requested_min_duration_ms",
            "min-duration",
            (required.min_duration_s or 0) * 1000,
            " ms",
            lasted * 1000 if lasted else None,
        ),
    ):
        value = log.number(key)
        ok = None if value is None or least is None else value >= least
        enough = got is not None and least is not None and got >= least
        text = f"{value or 0:.0f}{unit} was requested, the rules require {least or 0:.0f}{unit}"
        text += f"; the run reached {got:.0f}{unit}" if got is not None else ""
        report.require(f"{rule}-setting", ok, run.place(key), text, Severity.WARNING if enough else Severity.ERROR)


def _not_exhausted(run: LoggedRun, log: DetailLog, report: Report) -> None:
    """LoadGen makes its queries beforehand; if they run out, the run ends early."""
    made, answered = log.integer("generated_query_count"), run.verdict.queries if run.verdict else None
    if made is None or answered is None or (run.verdict and run.verdict.estimated):
        return
    wrong = f"all {made} queries that LoadGen had generated were used; lower the expected latency"
    ok = answered < made or answered <= (log.integer("effective_min_query_count") or 0)
    report.require("queries-left", ok, run.place("generated_query_count"), wrong, Severity.WARNING)


def _verdict(run: LoggedRun, log: DetailLog, report: Report) -> None:
    found = run.verdict
    if found is None:
        report.skip("valid", run.place("effective_test_mode"), "the log does not say that it is of a performance run")
        return
    for text in found.contradictions:
        report.error("numbers-agree", Place(log.path), f"contradictory numbers: {text}")
    if not found.contradictions:
        report.passed["numbers-agree"] += 1
    own, place = verdict.own_valid(log), run.place("result_validity")
    broken = ", ".join(
        f"{r.name}: {_number(r.observed)} of {_number(r.required)}" for r in found.rules if r.ok is False
    )
    if found.valid is None or own is None:
        unknown = ", ".join(rule.name for rule in found.rules if rule.ok is None) or "the log has no verdict"
        report.skip("verdict", place, f"the verdict cannot be recomputed: {unknown}")
    else:
        expected = bool(found.loadgen_valid)
        wrong = f"LoadGen says {_word(own)}, its numbers say {_word(expected)}{f' ({broken})' if broken else ''}"
        report.require("verdict", own == expected, place, wrong)
    if own is not None or found.valid is not None:
        why = broken or log.text("result_invalid_reason") or "LoadGen says INVALID"
        waived = found.valid is True and found.loadgen_valid is False  # by the benchmark, which LoadGen does not know
        ok = found.valid is not False and (own is not False or waived)
        report.require("valid", ok, place, f"the run is invalid: {why}")
    if found.estimated:
        text = f"this LoadGen does not log the count; by rate and time there were {found.queries} queries"
        report.note("estimated-count", place, text)
    for rule in found.rules:
        if rule.note:
            report.note(
                rule.name, place, f"{rule.name}: {_number(rule.observed)} of {_number(rule.required)}, {rule.note}"
            )


def _word(valid: bool) -> str:
    return "VALID" if valid else "INVALID"


def _number(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.10g}"
