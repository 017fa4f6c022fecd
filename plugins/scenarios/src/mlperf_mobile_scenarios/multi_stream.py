"""Multi-stream: a query of several samples is issued when the previous one is completed."""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from pathlib import Path
from time import perf_counter_ns
from typing import Any

from mlperf_mobile import loadgen, rules
from mlperf_mobile.contracts import AnsweredCall, Load, Measurement, PerformanceScore, SystemUnderTest
from mlperf_mobile.loadgen.limits import MAX_GENERATED_QUERIES
from mlperf_mobile.performance_score import NANOSECONDS, ordinal
from mlperf_mobile_scenarios.dispatcher import Dispatcher
from mlperf_mobile_scenarios.options import MultiStreamOptions
from mlperf_mobile_scenarios.timing import lasted_s


class MultiStream:
    """LoadGen's MultiStream: the samples of a query are shared by all sessions, in batches.

    ``latency_ns`` has the latencies of the samples, and those of the queries as ``query_p50`` and so on. The score is
    LoadGen's early-stopping estimate of the percentile of the query latency, as the rules of MLPerf Inference have it
    (mlcommons/inference_policies, inference_rules.adoc, "Scenarios").
    """

    parallel = True

    def __init__(self, options: MultiStreamOptions) -> None:
        self._options = options

    @property
    def samples_per_query(self) -> int:
        """See :meth:`mlperf_mobile.contracts.GroupingScenario.samples_per_query`."""
        return self._options.samples_per_query

    def run(self, system: SystemUnderTest, load: Load, latencies_ns: array[int], logs: Path) -> Measurement:
        settings = loadgen.performance_settings("MultiStream", load)
        settings.multi_stream_target_latency_percentile = load.percentile
        settings.multi_stream_samples_per_query = self._options.samples_per_query
        settings.multi_stream_expected_latency_ns = self._expected_latency(system, load)
        arrivals: array[int] = array("q")
        library = loadgen.SampleLibrary.of(system, load)
        answered: list[AnsweredCall] = []
        shares = []
        if system.sessions == 1:
            issue = _alone(system, latencies_ns, arrivals, answered)
            details = loadgen.run(settings, library, issue, logs, latencies_ns, arrivals_ns=arrivals)
        else:
            timeout_s = self._options.answer_timeout_s
            dispatcher = Dispatcher(system, latencies_ns, arrivals, max_batch=system.batch, timeout_s=timeout_s)
            with dispatcher:
                details = loadgen.run(
                    settings, library, dispatcher.issue, logs, latencies_ns,
                    flush=dispatcher.flush, arrivals_ns=arrivals,
                )  # fmt: skip
            answered += dispatcher.answered
            shares = dispatcher.shares
        samples = len(latencies_ns)
        queries = samples // self._options.samples_per_query
        duration, issued = lasted_s(latencies_ns, arrivals)
        latency = loadgen.latencies(details) | loadgen.query_latencies(details)
        stopped = any("Max test duration reached" in error for error in details["errors"])
        prepared = details.get("generated_query_count")
        ran_out = isinstance(prepared, int) and queries >= prepared
        return Measurement(
            latency_ns=latency | {"target_percentile": loadgen.target_latency(logs)},
            throughput=samples / duration,
            queries=queries,
            samples=samples,
            duration_s=duration,
            rules=(
                rules.min_duration(issued, load, details.get("result_min_duration_met"), ran_out),
                rules.min_query_count(queries, load, stopped, details.get("result_min_queries_met")),
                rules.max_duration(duration, load, latency["query_max"] / 1e9),
                rules.enough_for_percentile(queries, load, details.get("early_stopping_met")),
            ),
            loadgen=loadgen.verdict(details),
            shares=tuple(shares),
            score=_score(details, load.percentile),
            latency_source=loadgen.latency_source(details),
            answered=tuple(answered),
            arrivals_ns=arrivals,
        )

    def _expected_latency(self, system: SystemUnderTest, load: Load) -> int:
        """Of a query, in nanoseconds: its calls one after the other; more if LoadGen would prepare too many samples."""
        samples = self._options.samples_per_query
        calls = -(-samples // (system.batch * system.sessions))
        floor = 2 * load.min_duration_s * 1e9 * samples / MAX_GENERATED_QUERIES
        return max(1, round(max(load.expected_latency_ns * calls, floor)))


def _score(details: Mapping[str, Any], percentile: float) -> PerformanceScore | None:
    """None if the queries were too few for an estimate."""
    value = float(details.get("early_stopping_latency_ms") or 0)  # of multi-stream, in nanoseconds
    name = f"early-stopping estimate of the {ordinal(percentile * 100)} percentile query latency"
    return PerformanceScore(name, value, NANOSECONDS, higher_is_better=False) if value else None


def _alone(
    system: SystemUnderTest, latencies_ns: array[int], arrivals_ns: array[int], answered: list[AnsweredCall]
) -> loadgen.IssueQuery:
    """Answers in LoadGen's own thread; the first and the last call are kept in ``answered``."""
    complete, batch, now = loadgen.Responder().complete_all, system.batch, perf_counter_ns
    began = 0

    def issue(ids: list[int], indices: list[int]) -> None:
        nonlocal began
        start = now()
        began = began or start
        for place in range(0, len(ids), batch):
            piece = indices[place : place + batch]
            responses = system.answer_batch(piece, 0)
            complete(ids[place : place + batch], responses)
            latencies_ns.extend([now() - start] * len(piece))
            arrivals_ns.extend([start - began] * len(piece))
            answered[1:] = [AnsweredCall(0, tuple(piece), tuple(responses))]

    return issue
