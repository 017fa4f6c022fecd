"""Compares the individual latencies in the trace log with the numbers in detail and summary log."""

from __future__ import annotations

import math
from collections.abc import Sequence

from mlperf_mobile_rounds.official import loadgen_logs, trace_log, verdict
from mlperf_mobile_rounds.official.checks.context import Context, LoggedRun
from mlperf_mobile_rounds.official.findings import Place, Report
from mlperf_mobile_rounds.official.loadgen_logs import DetailLog
from mlperf_mobile_rounds.official.submission import PERFORMANCE
from mlperf_mobile_rounds.official.trace_log import TRACE_LOG, Trace
from mlperf_mobile_rounds.official.verdict import OFFLINE

RULE = "trace"
_PERCENTILES = ("50.00", "90.00", "95.00", "97.00", "99.00", "99.90")


def check(context: Context) -> None:
    """Check the trace of every performance run."""
    for run in context.runs:
        if run.mode != PERFORMANCE or run.detail is None:
            continue
        try:
            paths = loadgen_logs.parts(run.folder.path, TRACE_LOG)
            if not any(path.stat().st_size for path in paths):  # without a trace, LoadGen leaves an empty file
                what = "the trace log is empty" if paths else "there is no trace log"
                text = f"{what}, so percentiles that were changed in all other files would not be detected"
                context.report.warning(RULE, Place(run.folder.path), text)
                continue
            trace = trace_log.read(paths)
        except OSError as error:
            context.report.error("unreadable", Place(run.folder.path), f"the trace cannot be read: {error.strerror}")
            continue
        _compare(run, run.detail, trace, Place(paths[0]), context.report)


def _compare(run: LoggedRun, log: DetailLog, trace: Trace, place: Place, report: Report) -> None:
    whole = trace.begun and trace.ended
    report.require(RULE, whole, place, "the trace lacks LoadGen's first or last line")
    latencies = trace.latencies_ns
    if not latencies:
        report.error(RULE, place, "there is no sample in the trace")
        return
    wrong = "samples are missing in it, or not in the order of issue"
    report.require(RULE, trace.misnumbered is None, Place(place.path, trace.misnumbered), wrong)
    wrong = "the time from begin to end of a sample differs from its latency"
    report.require(RULE, trace.uneven is None, Place(place.path, trace.uneven), wrong)
    total = log.integer("qsl_reported_total_count")
    if total is not None:
        wrong = f"sample {trace.highest} was issued, but there are {total}"
        report.require(RULE, trace.highest < total, place, wrong)
    samples = run.verdict.samples if run.verdict else None
    exact = samples is not None and run.verdict is not None and not run.verdict.estimated
    wrong = f"{len(latencies)} samples in the trace, but {samples} in the detail log"
    report.require(RULE, len(latencies) == samples if exact else None, place, wrong)
    found = _numbers(latencies, "result_{}_latency_ns") | _first_tokens(run, log, trace, place, report)
    for key, value in found.items():
        logged = log.number(key)
        wrong = f"{key} is {logged or 0:.0f}, but {value} by the latencies in {place.path.name}"
        report.require(RULE, None if logged is None else abs(logged - value) <= 1, run.place(key), wrong)
    rate = log.number("result_qps_with_loadgen_overhead")
    if verdict.scenario_of(log) != OFFLINE and rate and len(latencies) > 1:
        wrong = (
            f"the samples were issued over {trace.issued_s:.4f} s, the rate says {(len(latencies) - 1) / rate:.4f} s"
        )
        ok = math.isclose(trace.issued_s, (len(latencies) - 1) / rate, rel_tol=1e-4, abs_tol=1e-4)
        report.require(RULE, ok, run.place("result_qps_with_loadgen_overhead"), wrong)


def _numbers(times_ns: Sequence[int], key: str) -> dict[str, int]:
    """What LoadGen logs of such times, under keys of this form."""
    ordered = sorted(times_ns)
    found = {
        key.format(f"{each}_percentile"): trace_log.percentile(ordered, float(each) / 100) for each in _PERCENTILES
    }
    found |= {key.format("min"): ordered[0], key.format("max"): ordered[-1]}
    return found | {key.format("mean"): sum(ordered) // len(ordered)}


def _first_tokens(run: LoggedRun, log: DetailLog, trace: Trace, place: Place, report: Report) -> dict[str, int]:
    """The numbers of the times to the first token; empty where LoadGen measured none."""
    if not log.flag("requested_use_token_latencies") or verdict.scenario_of(log) == OFFLINE:
        return {}
    first, latencies = trace.first_tokens_ns, trace.latencies_ns
    wrong = f"{len(first)} first tokens in the trace, but {len(latencies)} samples of {run.benchmark}"
    report.require(RULE, len(first) == len(latencies), place, wrong)
    late = sum(one > other for one, other in zip(first, latencies, strict=False))
    report.require(RULE, not late, place, f"{late} first tokens are later than the ends of their answers")
    return _numbers(first, "result_first_token_{}_latency_ns") if first else {}
