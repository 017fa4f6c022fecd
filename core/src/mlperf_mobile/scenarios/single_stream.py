"""Single-stream: each query is issued when the previous one is completed."""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from pathlib import Path
from time import perf_counter_ns
from typing import Any

from mlperf_mobile import loadgen, performance_score, rules
from mlperf_mobile.contracts import AnsweredCall, Load, Measurement, SystemUnderTest

MAX_GENERATED_QUERIES = 3_000_000
"""LoadGen prepares twice as many queries as the expected latency calls for, at about 400 bytes each (measured)."""


class SingleStream:
    """LoadGen's SingleStream, on the system's first session."""

    parallel = False

    def __init__(self, options: None) -> None:
        """There are no options."""

    def run(self, system: SystemUnderTest, load: Load, latencies_ns: array[int], logs: Path) -> Measurement:
        settings = loadgen.performance_settings("SingleStream", load)
        settings.single_stream_target_latency_percentile = load.percentile
        settings.single_stream_expected_latency_ns = expected_latency(load)
        responder = loadgen.Responder()
        answer, complete, now, record = system.answer, responder.complete, perf_counter_ns, latencies_ns.append
        last = list[int]()
        first: list[AnsweredCall] = []

        def issue(ids: list[int], indices: list[int]) -> None:
            nonlocal last
            start = now()
            complete(ids[0], answer(indices[0]))
            record(now() - start)
            last = indices
            if not first:
                first.append(AnsweredCall(0, tuple(indices), (responder.last(),)))

        details = loadgen.run(settings, loadgen.SampleLibrary.of(system, load), issue, logs, latencies_ns)
        queries = len(latencies_ns)
        issued = loadgen.issued_s(details, queries)
        duration = issued + latencies_ns[-1] / 1e9
        stopped = any("Max test duration reached" in error for error in details["errors"])
        target_ns = loadgen.target_latency(logs)
        return Measurement(
            latency_ns=loadgen.latencies(details) | {"target_percentile": target_ns},
            throughput=queries / duration,
            queries=queries,
            samples=queries,
            duration_s=duration,
            rules=(
                rules.min_duration(issued, load, details.get("result_min_duration_met"), ran_out(details, queries)),
                rules.min_query_count(queries, load, stopped, details.get("result_min_queries_met")),
                rules.max_duration(duration, load, max(latencies_ns) / 1e9),
                rules.enough_for_percentile(queries, load, details.get("early_stopping_met")),
            ),
            loadgen=loadgen.verdict(details),
            latency_source=loadgen.latency_source(details),
            score=performance_score.latency(load.percentile, target_ns),
            answered=(*first, AnsweredCall(0, tuple(last), (responder.last(),))),
        )


def ran_out(details: Mapping[str, Any], queries: int) -> bool:
    """Whether a run issued all queries that LoadGen had prepared."""
    prepared = details.get("generated_query_count")
    return isinstance(prepared, int) and queries >= prepared


def expected_latency(load: Load) -> int:
    """LoadGen's expected latency in nanoseconds: the plan's, or more if that would prepare too many queries."""
    floor = 2 * load.min_duration_s * 1e9 / MAX_GENERATED_QUERIES
    return max(1, round(max(load.expected_latency_ns, floor)))
