"""Single-stream: each query is issued when the previous one is completed."""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from pathlib import Path
from time import perf_counter_ns
from typing import Any

from mlperf_mobile import loadgen, performance_score, rules
from mlperf_mobile.contracts import (
    AnsweredCall,
    Load,
    LoadGenValue,
    LoggedRun,
    Measurement,
    StreamingSystem,
    SystemUnderTest,
)
from mlperf_mobile.loadgen.limits import MAX_GENERATED_QUERIES
from mlperf_mobile.results.tokens import facts as token_facts


class SingleStream:
    """LoadGen's SingleStream, on the system's first session."""

    parallel = False

    def __init__(self, options: None) -> None:
        """There are no options."""

    def settings(self, load: Load, sessions: int, batch: int) -> Mapping[str, LoadGenValue]:
        """See :meth:`mlperf_mobile.contracts.LoggedScenario.settings`."""
        return {
            **loadgen.performance_values("SingleStream", load),
            "single_stream_target_latency_percentile": load.percentile,
            "single_stream_expected_latency_ns": expected_latency(load),
        }

    def run(self, system: SystemUnderTest, load: Load, latencies_ns: array[int], logs: Path) -> Measurement:
        if isinstance(system, StreamingSystem):
            return self._run_tokens(system, load, latencies_ns, logs)
        settings = loadgen.made(self.settings(load, 1, 1))
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
        answered = (*first, AnsweredCall(0, tuple(last), (responder.last(),)))
        return self.measurement(LoggedRun(load, latencies_ns, details, logs, answered=answered))

    def _run_tokens(self, system: StreamingSystem, load: Load, latencies_ns: array[int], logs: Path) -> Measurement:
        """As :meth:`run`, with the first token and the number of tokens of each answer."""
        settings = loadgen.made({**self.settings(load, 1, 1), "use_token_latencies": True})
        responder = loadgen.Responder()
        stream, expect, first_token = system.stream, responder.expect, responder.first_token
        complete, now, record = responder.complete_tokens, perf_counter_ns, latencies_ns.append
        ends: list[AnsweredCall] = []

        def issue(ids: list[int], indices: list[int]) -> None:
            start = now()
            expect(ids[0])
            response, count = stream(indices[0], first_token)
            if not count:
                first_token()  # LoadGen completes no query without it
            complete(ids[0], response, count)
            record(now() - start)
            ends[1:] = [AnsweredCall(0, tuple(indices), (response,))]

        samples = loadgen.SampleLibrary.of(system, load)
        details = loadgen.run(settings, samples, issue, logs, latencies_ns, tokens=system.tokens)
        answered = tuple(ends) if len(ends) > 1 else (*ends, *ends)
        return self.measurement(LoggedRun(load, latencies_ns, details, logs, answered=answered, tokens=system.tokens))

    def measurement(self, run: LoggedRun) -> Measurement:
        """See :meth:`mlperf_mobile.contracts.LoggedScenario.measurement`."""
        load, latencies_ns, details = run.load, run.latencies_ns, run.details
        queries = len(latencies_ns)
        issued = loadgen.issued_s(details, queries)
        duration = issued + latencies_ns[-1] / 1e9
        stopped = any("Max test duration reached" in error for error in details["errors"])
        target_ns = loadgen.target_latency(run.logs)
        tokens = None if run.tokens is None else token_facts(run.tokens, latencies_ns)
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
                *([rules.token_count(tokens, queries)] if tokens else []),
            ),
            loadgen=loadgen.verdict(details),
            latency_source=loadgen.latency_source(details),
            score=performance_score.decoding(tokens) or performance_score.latency(load.percentile, target_ns),
            answered=run.answered,
            tokens=tokens,
        )


def ran_out(details: Mapping[str, Any], queries: int) -> bool:
    """Whether a run issued all queries that LoadGen had prepared."""
    prepared = details.get("generated_query_count")
    return isinstance(prepared, int) and queries >= prepared


def expected_latency(load: Load) -> int:
    """LoadGen's expected latency in nanoseconds: the plan's, or more if that would prepare too many queries.

    LoadGen prepares twice as many queries as it calls for.
    """
    floor = 2 * load.min_duration_s * 1e9 / MAX_GENERATED_QUERIES
    return max(1, round(max(load.expected_latency_ns, floor)))
