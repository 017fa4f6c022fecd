"""LoadGen's verdict and the rules of an imported result: from the log or, without one, from the app's result file."""

from __future__ import annotations

from typing import Any

from mlperf_mobile.results.rule import RuleResult
from mlperf_mobile_rounds import benchmarks
from mlperf_mobile_rounds.official import verdict
from mlperf_mobile_rounds.official.app_results import Run
from mlperf_mobile_rounds.official.loadgen_logs import DetailLog
from mlperf_mobile_rounds.official.verdict import LoadGenVerdict


def loadgen(log: DetailLog | None, found: LoadGenVerdict | None, run: Run | None) -> dict[str, Any]:
    """LoadGen's version, verdict and rates, as in ``performance.loadgen`` of a result; empty if unknown."""
    if log is None or found is None:
        return {"valid": run.valid, "reason": None, "version": None} if run and run.valid is not None else {}
    facts = {
        "version": log.text("loadgen_version"),
        "valid": bool(verdict.own_valid(log)),
        "reason": log.text("result_invalid_reason"),
        "errors": [str(error.value) for error in log.errors],
        "early_stopping_latency_ns": log.number("early_stopping_latency_ss"),
        "effective_min_query_count": log.integer("effective_min_query_count"),
        "effective_performance_sample_count": log.integer("effective_performance_sample_count"),
    }
    rates = {
        "samples_per_second": log.number("result_samples_per_second"),
        "queries_per_second": log.number("result_qps_with_loadgen_overhead"),
    }
    return facts | {name: value for name, value in rates.items() if value is not None}


def of_log(log: DetailLog | None, found: LoadGenVerdict) -> list[RuleResult]:
    """The recomputed rules, and LoadGen's own verdict if it alone says INVALID."""
    rules = []
    for rule in found.rules:
        note = rule.note or ("" if rule.ok is not None else "the log does not say enough")
        rules.append(
            RuleResult(name=rule.name, ok=rule.ok is True, observed=rule.observed, required=rule.required, note=note)
        )
    own = verdict.own_valid(log) if log else None
    if own is False and found.loadgen_valid is not False and all(rule.ok for rule in rules):
        rules.append(RuleResult(name="loadgen", ok=False, observed="INVALID", required="VALID"))
    return rules


def of_app(run: Run, benchmark: str) -> list[RuleResult]:
    """Without logs, the app's verdicts."""
    note = "as the app reports; there is no log"
    flags = {
        "min-duration": run.min_duration_met,
        "min-query-count": run.min_queries_met,
        "early-stopping": run.early_stopping_met,
    }
    known, valid = benchmarks.of(benchmark), run.valid
    if known is not None and valid is False:
        valid = run.valid_by(known)
    if known is not None and known.of.early_stopping_ignored:
        flags["early-stopping"] = None
    if known is not None and known.of.generative and valid:
        flags["min-query-count"] = None  # stopped at its maximum duration
    rules = [
        RuleResult(name=name, ok=flag, observed=flag, required=True, note=note)
        for name, flag in flags.items()
        if flag is not None
    ]
    if valid is not None:
        rules.append(RuleResult(name="loadgen", ok=valid, observed=run.valid, required=True, note=note))
    if not rules:
        text = "this form of the file does not say whether the run was valid"
        rules.append(RuleResult(name="loadgen", ok=False, observed=None, required=True, note=text))
    return rules
