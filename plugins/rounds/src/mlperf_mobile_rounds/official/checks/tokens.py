"""Checks LoadGen's token latencies: that a language model has them, that they agree, and that no answer is too long."""

from __future__ import annotations

from mlperf_mobile_rounds import benchmarks
from mlperf_mobile_rounds.official import token_latencies, verdict
from mlperf_mobile_rounds.official.checks.context import Context, LoggedRun
from mlperf_mobile_rounds.official.findings import Place, Report
from mlperf_mobile_rounds.official.loadgen_logs import DetailLog
from mlperf_mobile_rounds.official.submission import PERFORMANCE
from mlperf_mobile_rounds.official.token_latencies import TokenLatencies

RULE = "tokens"
_SPARE = 1e-4
"""The number of tokens follows from rates, of which LoadGen prints six digits."""


def check(context: Context) -> None:
    """Check every performance run, with the limit of the round."""
    for run in context.runs:
        if run.mode != PERFORMANCE or run.detail is None or run.scenario != verdict.SINGLE_STREAM:
            continue
        _asked_for(run, run.detail, context.report)
        found = token_latencies.of(run.detail, run.verdict.queries if run.verdict else None)
        if found is None:
            continue
        for text in found.contradictions:
            context.report.error(RULE, Place(run.detail.path), text)
        if not found.contradictions:
            context.report.passed[RULE] += 1
        required = context.required(run.benchmark)
        _length(run, found, required.max_new_tokens if required else None, context.report)


def _asked_for(run: LoggedRun, log: DetailLog, report: Report) -> None:
    """LoadGen measures tokens of language models, and of nothing else."""
    task = benchmarks.task(benchmarks.task_of(run.benchmark))
    if task is None:
        return
    measured = bool(log.flag("requested_use_token_latencies"))
    wrong = f"{run.benchmark} {'has no' if task.tokens else 'has'} token latencies: use_token_latencies is {measured}"
    report.require(RULE, measured == task.tokens, run.place("requested_use_token_latencies"), wrong)


def _length(run: LoggedRun, found: TokenLatencies, limit: int | None, report: Report) -> None:
    place = run.place("result_token_throughput_with_loadgen_overhead")
    if limit is None or found.per_answer is None:
        report.skip(RULE, place, "the limit of an answer, or the number of tokens, is not known")
        return
    wrong = f"answers of {found.per_answer:.2f} tokens on average, but the limit of {run.benchmark} is {limit}"
    report.require(RULE, found.per_answer <= limit * (1 + _SPARE), place, wrong)
