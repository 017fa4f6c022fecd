"""Server: queries of one sample arrive at random, and must be answered within a latency bound."""

from __future__ import annotations

import math
from array import array
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mlperf_mobile import early_stopping, loadgen, rules
from mlperf_mobile.contracts import (
    ArrivalRate,
    Load,
    Measurement,
    PerformanceScore,
    Rule,
    SearchStep,
    SystemUnderTest,
)
from mlperf_mobile.errors import UsageError
from mlperf_mobile.loadgen import limits
from mlperf_mobile_scenarios import search
from mlperf_mobile_scenarios.dispatcher import Dispatcher
from mlperf_mobile_scenarios.options import HIGHEST_QPS, ServerOptions
from mlperf_mobile_scenarios.timing import lasted_s
from mlperf_mobile_scenarios.trials import KeptSamples, Steps

QUERIES_PER_SECOND = "queries/s"
FIRST_SHARE = 0.25
"""Of the rate that the sessions could reach at most: where a search without a range begins."""
SPARE_QUERIES = 64
"""Queries that may always be outstanding."""


@dataclass(slots=True)
class _Run:
    """One test of LoadGen."""

    rate: float
    details: Mapping[str, Any]
    latencies_ns: array[int]
    arrivals_ns: array[int]
    dispatcher: Dispatcher
    logs: Path

    @property
    def over(self) -> int:
        return int(self.details["result_overlatency_query_count"])

    @property
    def ended_early(self) -> bool:
        return any("Too many outstanding queries" in error for error in self.details["errors"])

    @property
    def valid(self) -> bool:
        return self.details.get("result_validity") == "VALID"

    @property
    def in_time(self) -> bool:
        return bool(self.details.get("result_perf_constraints_met")) and not self.ended_early


class Server:
    """LoadGen's Server: a Poisson process of queries at a mean rate, answered asynchronously in dynamic batches.

    Without ``target_qps`` it searches the highest valid rate: short trials find a candidate, and a run by the run's own
    rules confirms it. The score is LoadGen's scheduled rate, as in MLPerf Inference; a run that misses its bound has
    none.
    """

    parallel = True

    def __init__(self, options: ServerOptions) -> None:
        self._options = options
        self._samples = 0
        self._current: array[int] = array("q")

    @property
    def answered(self) -> int:
        """Samples answered so far, in all runs of a search."""
        return self._samples + len(self._current)

    def check(self, load: Load, batch: int) -> None:
        """Refuse a batch that the model does not have, and rates that no run can have."""
        options = self._options
        if options.max_batch is not None and options.max_batch > batch:
            summary = (
                f"scenario server: max_batch is {options.max_batch}, but the model is loaded for a batch of {batch}"
            )
            raise UsageError("bad-options", summary, f"set batch to {options.max_batch}, or lower max_batch")
        for name in ("target_qps", "search_min_qps", "search_max_qps"):
            if (rate := getattr(options, name)) is not None:
                limits.schedule(rate, load.min_query_count, load.min_duration_s, name)

    def run(self, system: SystemUnderTest, load: Load, latencies_ns: array[int], logs: Path) -> Measurement:
        """Measure one rate, or search the highest."""
        self.check(load, system.batch)
        library = loadgen.SampleLibrary.of(system, load)
        if self._options.target_qps is not None:
            one = self._timed(system, library, load, self._options.target_qps, logs, latencies_ns)
            return self._measurement(system, load, one, ())
        kept = KeptSamples(library)
        steps = Steps(logs)
        one = self._search(system, kept.library, load, steps)
        kept.release()
        latencies_ns[:] = one.latencies_ns
        return self._measurement(system, load, replace(one, latencies_ns=latencies_ns), tuple(steps.done))

    def _search(self, system: SystemUnderTest, library: loadgen.SampleLibrary, load: Load, steps: Steps) -> _Run:
        """The last run; its logs are where those of a single rate would be."""
        options = self._options
        most = limits.MAX_GENERATED_QUERIES / load.min_duration_s if load.min_duration_s else HIGHEST_QPS
        least = load.min_query_count / limits.LONGEST_S * 1.001
        lowest, highest = options.search_min_qps, options.search_max_qps
        ceiling = min(HIGHEST_QPS, most, highest or HIGHEST_QPS)
        floor = max(least, lowest or 0.0)
        fastest = min(max(_fastest(system, load), 2 * floor), ceiling)
        trial = load.model_copy(update={
            "min_duration_s": options.search_step_s or max(1.0, load.min_duration_s / 20),
            "min_query_count": max(load.min_query_count, early_stopping.min_queries(load.percentile)),
            "max_duration_s": 0.0,
        })  # fmt: skip
        last: _Run | None = None

        def runs(rate: float, by: Load, *, full: bool) -> bool:
            nonlocal last
            last = self._timed(system, library, by, rate, steps.folder(), array("q"))
            holds = last.valid if full else last.in_time
            self._samples += len(self._current)
            self._current = array("q")
            steps.add(self._step(last, by, holds, full=full))
            return holds

        found = search.candidate(
            lambda rate: runs(rate, trial, full=False),
            lowest or max(floor, fastest * FIRST_SHARE), highest or fastest,
            lowest=floor, highest=ceiling, precision=options.search_precision, trials=options.search_steps,
        )  # fmt: skip
        search.confirmed(
            lambda rate: runs(rate, load, full=True), found, lowest=floor, precision=options.search_precision
        )
        assert last is not None
        steps.finish(last.logs)
        return last

    def _timed(
        self,
        system: SystemUnderTest,
        library: loadgen.SampleLibrary,
        load: Load,
        rate: float,
        logs: Path,
        latencies_ns: array[int],
    ) -> _Run:
        options = self._options
        settings = loadgen.performance_settings("Server", load)
        settings.server_target_qps = rate
        settings.server_target_latency_ns = self._bound_ns
        settings.server_target_latency_percentile = load.percentile
        settings.server_max_async_queries = _most_outstanding(system, load, rate, self._bound_ns)
        arrivals: array[int] = array("q")
        self._current = latencies_ns
        dispatcher = Dispatcher(
            system, latencies_ns, arrivals,
            max_batch=options.max_batch or system.batch,
            max_wait_ns=round(options.max_wait_us * 1000), timeout_s=options.answer_timeout_s,
        )  # fmt: skip
        with dispatcher:
            details = loadgen.run(
                settings, library, dispatcher.issue, logs, latencies_ns, flush=dispatcher.flush, arrivals_ns=arrivals
            )
        return _Run(rate, details, latencies_ns, arrivals, dispatcher, logs)

    @property
    def _bound_ns(self) -> int:
        return max(1, round(self._options.target_latency_ms * 1e6))

    def _step(self, one: _Run, load: Load, holds: bool, *, full: bool) -> SearchStep:
        latency = loadgen.latencies(one.details)
        duration, _ = lasted_s(one.latencies_ns, one.arrivals_ns)
        wrong = [rule for rule in self._rules(one, load) if not rule.ok and (full or rule.name == "latency-bound")]
        why = ", ".join(f"{rule.name}: {rule.observed:.6g} of {rule.required:.6g}" for rule in wrong)
        why = "too many outstanding queries" if one.ended_early else why
        return SearchStep(
            target=one.rate, valid=holds, why="" if holds else why,
            **_rates(one), queries=len(one.latencies_ns), over_bound=one.over, duration_s=duration,
            latency_ns={name: latency[name] for name in ("p50", "p90", "p99", "mean", "min", "max")}, full=full,
        )  # fmt: skip

    def _rules(self, one: _Run, load: Load) -> tuple[Rule, ...]:
        queries, details, latency = len(one.latencies_ns), one.details, loadgen.latencies(one.details)
        duration, last = lasted_s(one.latencies_ns, one.arrivals_ns)
        stopped = any("Max test duration reached" in error for error in details["errors"])
        at_percentile = float(sorted(one.latencies_ns)[int(queries * load.percentile)])
        lasted = rules.min_duration(last, load, details.get("result_min_duration_met"))
        if one.ended_early:
            lasted = replace(lasted, note="seconds; ended early: too many outstanding queries for the latency bound")
        return (
            lasted,
            rules.min_query_count(queries, load, stopped, details.get("result_min_queries_met")),
            rules.max_duration(duration, load, latency["max"] / 1e9),
            rules.latency_bound(_logged(latency, load.percentile, at_percentile), self._bound_ns, load.percentile),
            rules.enough_for_bound(queries, one.over, load.percentile, details.get("early_stopping_met")),
        )

    def _measurement(
        self, system: SystemUnderTest, load: Load, one: _Run, steps: tuple[SearchStep, ...]
    ) -> Measurement:
        queries, found = len(one.latencies_ns), self._rules(one, load)
        duration, _ = lasted_s(one.latencies_ns, one.arrivals_ns)
        rates = _rates(one)
        score = PerformanceScore("scheduled rate", rates["scheduled"], QUERIES_PER_SECOND, higher_is_better=True)
        return Measurement(
            latency_ns=loadgen.latencies(one.details),
            throughput=queries / duration,
            queries=queries,
            samples=queries,
            duration_s=duration,
            rules=found,
            loadgen=loadgen.verdict(one.details),
            shares=tuple(one.dispatcher.shares),
            score=score if one.valid else None,
            latency_source=loadgen.latency_source(one.details),
            answered=one.dispatcher.answered,
            arrivals_ns=one.arrivals_ns,
            rate=ArrivalRate(
                target=one.rate,
                **rates,
                latency_bound_ns=self._bound_ns,
                percentile=load.percentile,
                over_bound=one.over,
            ),
            search=steps,
        )


def _logged(latency: Mapping[str, float], percentile: float, otherwise: float) -> float:
    """The latency at a percentile as LoadGen logs it, or by the saved latencies if it logs another one."""
    return latency.get("p" + f"{percentile * 100:g}".replace(".", "_"), otherwise)


def _rates(one: _Run) -> dict[str, float]:
    return {name: float(one.details[f"result_{name}_samples_per_sec"] or 0) for name in ("scheduled", "completed")}


def _fastest(system: SystemUnderTest, load: Load) -> float:
    """The rate that the sessions reach if each call takes as long as the best one of the warm-up."""
    return system.sessions * system.batch * 1e9 / max(1, load.expected_latency_ns)


def _most_outstanding(system: SystemUnderTest, load: Load, rate: float, bound_ns: int) -> int:
    """With more outstanding queries, a run cannot become valid, and LoadGen ends it early.

    All but those that the sessions answer within the bound come too late, and only a share of all queries may.
    """
    queries = max(load.min_query_count, rate * load.min_duration_s)
    in_time = 2 * max(rate, _fastest(system, load)) * bound_ns / 1e9
    return math.ceil((1 - load.percentile) * queries + min(in_time, 1e15)) + SPARE_QUERIES
