"""Offline: one query with all samples, shared by all sessions of the system."""

from __future__ import annotations

import threading
from array import array
from collections.abc import Mapping, Sequence
from pathlib import Path
from time import perf_counter_ns

from mlperf_mobile import loadgen, performance_score, rules
from mlperf_mobile.contracts import (
    AnsweredCall,
    Load,
    LoadGenValue,
    LoggedRun,
    Measurement,
    Share,
    StreamingSystem,
    SystemUnderTest,
)
from mlperf_mobile.results.tokens import whole_answers
from mlperf_mobile.threads import in_threads

TAKE_NS = 5_000_000
"""Duration of the work that a session takes at a time; one batch at a time would cost fast models 5 %.

Each session's own speed decides, so that a slow accelerator does not delay the last samples.
"""
MOST_BATCHES = 64
WHOLE_ANSWERS = (
    "all samples are issued at once, so the time from the issue to a first token is mostly that of samples before it"
)
"""Why offline has no times to the first token."""


class Offline:
    """LoadGen's Offline; each session takes the next batches when it is free, and padding is not counted."""

    parallel = True
    samples_per_query = 0

    def __init__(self, options: None) -> None:
        """There are no options."""

    def settings(self, load: Load, sessions: int, batch: int) -> Mapping[str, LoadGenValue]:
        """See :meth:`mlperf_mobile.contracts.LoggedScenario.settings`."""
        rate = sessions * batch * 1e9 / load.expected_latency_ns
        return {**loadgen.performance_values("Offline", load), "offline_expected_qps": rate}

    def run(self, system: SystemUnderTest, load: Load, latencies_ns: array[int], logs: Path) -> Measurement:
        settings = loadgen.made(self.settings(load, system.sessions, system.batch))
        shares: list[Share] = []
        answered: list[AnsweredCall] = []

        def issue(ids: list[int], indices: list[int]) -> None:
            shares[:] = drain(system, ids, indices, latencies_ns, perf_counter_ns(), answered)

        details = loadgen.run(settings, loadgen.SampleLibrary.of(system, load), issue, logs, latencies_ns)
        tokens = system.tokens if isinstance(system, StreamingSystem) else None
        return self.measurement(LoggedRun(load, latencies_ns, details, logs, tuple(shares), tuple(answered), tokens))

    def measurement(self, run: LoggedRun) -> Measurement:
        """See :meth:`mlperf_mobile.contracts.LoggedScenario.measurement`."""
        load, details = run.load, run.details
        duration = float(details["result_max_latency_ns"]) / 1e9
        samples = len(run.latencies_ns)
        tokens = None if run.tokens is None else whole_answers(run.tokens, duration, WHOLE_ANSWERS)
        return Measurement(
            latency_ns=loadgen.latencies(details),
            throughput=samples / duration,
            queries=1,
            samples=samples,
            duration_s=duration,
            rules=(
                rules.min_duration(duration, load, details.get("result_min_duration_met"), ran_out=True),
                rules.min_query_count(samples, load, logged=details.get("result_min_queries_met")),
                rules.max_duration(duration, load, 0.0),
                *([rules.token_count(tokens, samples)] if tokens else []),
            ),
            loadgen=loadgen.verdict(details),
            shares=run.shares,
            latency_source=loadgen.latency_source(details),
            score=performance_score.throughput(samples / duration),
            answered=run.answered,
            tokens=tokens,
        )


def drain(
    system: SystemUnderTest,
    ids: list[int],
    indices: list[int],
    latencies_ns: array[int],
    start: int,
    answered: list[AnsweredCall],
) -> list[Share]:
    """Answer all samples; every session works in its own thread and takes the next batches when it is free.

    The first and the last batch of each session are appended to ``answered``.
    """
    queue, shares = _Queue(len(indices)), [Share(0, 0.0)] * system.sessions

    def work(session: int, failures: list[BaseException]) -> None:
        complete = loadgen.Responder().complete_all
        batches, samples, busy_ns = 1, 0, 0
        first: tuple[list[int], Sequence[bytes]] | None = None
        while not failures and (taken := queue.take(batches * system.batch)):
            began = perf_counter_ns()
            responses = system.answer_batch(batch := indices[taken], session)
            answered_ns = perf_counter_ns() - start  # before LoadGen reads its clock, so never more than it counts
            complete(ids[taken], responses)
            now = perf_counter_ns()
            latencies_ns.extend([answered_ns] * len(responses))
            samples += len(responses)
            busy_ns += now - began
            first = first or (batch, responses)
            batches = max(1, min(MOST_BATCHES, batches * TAKE_NS // max(1, now - began)))
        shares[session] = Share(samples, busy_ns / 1e9)
        if first:
            size, last = system.batch, (len(batch) - 1) // system.batch * system.batch
            answered.append(AnsweredCall(session, tuple(first[0][:size]), tuple(first[1][:size])))
            answered.append(AnsweredCall(session, tuple(batch[last:]), tuple(responses[last:])))

    in_threads(work, system.sessions)
    return shares


class _Queue:
    """Indices from 0 to ``end``, handed out to threads in slices of any size."""

    def __init__(self, end: int) -> None:
        self._next, self._end = 0, end
        self._lock = threading.Lock()

    def take(self, size: int) -> slice | None:
        """The next indices, at most ``size``; None if all are taken."""
        with self._lock:
            start = self._next
            self._next = end = min(start + size, self._end)
        return slice(start, end) if end > start else None
